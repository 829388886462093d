"""Coroutines that begin at once: with their result on the spot, or in a task from where they wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import pytest

from tests.timing import PATIENCE_S
from wherry.kit.eager import IN_A_TASK, Begun, begin

T = TypeVar("T")


async def outside(call: Callable[[], T]) -> T:
    """What `call` returns or raises, called by the loop and not by a task."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(call())
        except RuntimeError as error:
            done.set_exception(error)

    asyncio.get_running_loop().call_soon(run)
    return await asyncio.wrap_future(done)


async def at_once(value: int) -> int:
    return value


async def waiting(log: list[str]) -> str:
    log.append("begun")
    try:
        await IN_A_TASK
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.sleep(0)
        log.append("waited")
        return "done"
    finally:
        log.append("ended")


async def test_what_does_not_wait_is_there_at_once() -> None:
    assert await outside(lambda: begin(at_once(1))) == 1


async def test_what_waits_goes_on_in_a_task() -> None:
    log: list[str] = []
    begun = await outside(lambda: begin(waiting(log)))
    assert isinstance(begun, Begun)
    assert log == ["begun"]
    assert await begun == "done"
    assert log == ["begun", "waited", "ended"]


async def test_what_nobody_waits_for_is_ended() -> None:
    log: list[str] = []
    begun = await outside(lambda: begin(waiting(log)))
    assert isinstance(begun, Begun)
    begun.close()
    assert log == ["begun", "ended"]


async def unprepared(future: asyncio.Future[None]) -> None:
    await future


async def test_waiting_without_saying_so_is_an_error() -> None:
    future = asyncio.get_running_loop().create_future()
    with pytest.raises(RuntimeError, match="outside of a task"):
        await outside(lambda: begin(unprepared(future)))


async def test_in_a_task_it_is_nothing() -> None:
    await IN_A_TASK
