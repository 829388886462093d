"""Deadlines under a clock moved by hand."""

from __future__ import annotations

import asyncio

import pytest

from wherry.kit.clock import FakeClock, settle
from wherry.kit.deadline import within
from wherry.kit.tasks import Abandoned


async def test_what_is_in_time_gives_its_result_or_its_error() -> None:
    clock = FakeClock()

    async def answer() -> int:
        await clock.sleep(4)
        return 7

    async def fail() -> int:
        raise RuntimeError("broken")

    waiting = asyncio.ensure_future(within(5, answer(), clock))
    await settle()
    await clock.advance(4)
    assert await waiting == 7
    with pytest.raises(RuntimeError, match="broken"):
        await within(5, fail(), clock)


async def test_what_is_late_is_cancelled_and_has_ended() -> None:
    clock = FakeClock()
    ended = asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.ensure_future(within(5, hang(), clock))
    await settle()
    await clock.advance(5)
    with pytest.raises(TimeoutError, match="took longer than 5 s"):
        await waiting
    assert ended.is_set()


async def test_a_cancelled_caller_takes_the_work_along() -> None:
    clock = FakeClock()
    ended = asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.ensure_future(within(5, hang(), clock))
    await settle()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()


async def test_work_whose_own_wait_others_cancelled_has_failed() -> None:
    awaited = asyncio.get_running_loop().create_future()

    async def work() -> None:
        await awaited

    waiting = asyncio.ensure_future(within(5, work(), FakeClock()))
    await settle()
    awaited.cancel()
    with pytest.raises(Abandoned):
        await waiting
