"""Deadlines: what takes too long is cancelled and told so, what others cancel is not."""

from __future__ import annotations

import asyncio

import pytest

from wherry.kit.deadlines import Deadlines


async def for_ever() -> None:
    await asyncio.get_running_loop().create_future()


async def test_what_takes_too_long_is_told_so() -> None:
    deadlines = Deadlines(0.02)
    with pytest.raises(TimeoutError), deadlines.within():
        await for_ever()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    with deadlines.within():  # the next one has a timer, too
        await asyncio.sleep(0)
    with pytest.raises(TimeoutError), deadlines.within():
        await for_ever()


async def test_each_has_the_whole_time() -> None:
    deadlines, loop = Deadlines(0.05), asyncio.get_running_loop()
    began: list[float] = []

    async def work() -> float:
        began.append(loop.time())
        try:
            with deadlines.within():
                await for_ever()
        except TimeoutError:
            return loop.time()
        raise AssertionError("it never ends by itself")

    tasks = []
    for _ in range(4):
        tasks.append(asyncio.ensure_future(work()))
        await asyncio.sleep(0.01)
    ended = await asyncio.gather(*tasks)
    assert all(end - begin >= 0.05 for begin, end in zip(began, ended, strict=True))
    assert ended == sorted(ended)


async def test_who_is_cancelled_by_others_is_cancelled() -> None:
    deadlines = Deadlines(30.0)

    async def work() -> None:
        with deadlines.within():
            await for_ever()

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_failure_stays_what_it_is() -> None:
    deadlines = Deadlines(30.0)
    with pytest.raises(ValueError, match="broken"), deadlines.within():
        raise ValueError("broken")


async def test_a_cancellation_that_comes_with_the_deadline_wins() -> None:
    deadlines = Deadlines(0.01)

    async def work() -> None:
        with deadlines.within():
            try:
                await for_ever()
            finally:
                task.cancel()

    task = asyncio.ensure_future(work())
    with pytest.raises(asyncio.CancelledError):
        await task
