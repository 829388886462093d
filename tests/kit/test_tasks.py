"""Background tasks end with their owner, and do not fail in silence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from wherry.kit.clock import settle
from wherry.kit.tasks import ESSENTIAL, Abandoned, Tasks, others_end, shared, to_the_end


async def test_closing_cancels_and_waits_for_the_cleaning_up() -> None:
    cleaned: list[str] = []

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(name)

    tasks = Tasks("test")
    tasks.spawn(work("a"), "a")
    tasks.spawn(work("b"), "b")
    await settle()
    assert len(tasks) == 2
    await tasks.close()
    assert sorted(cleaned) == ["a", "b"]
    assert len(tasks) == 0


async def test_a_failure_is_logged_and_reported(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ValueError("broken")

    failures: list[tuple[str, str]] = []
    tasks = Tasks("test", lambda name, error: failures.append((name, str(error))))
    tasks.spawn(fail(), "failing")
    await settle()
    assert failures == [("test/failing", "broken")]
    assert "test/failing failed" in caplog.text
    await tasks.close()


async def test_a_task_that_ends_leaves_the_set() -> None:
    tasks = Tasks("test")
    task = tasks.spawn(asyncio.sleep(0, "result"), "quick")
    assert await task == "result"
    await settle()
    assert len(tasks) == 0
    await tasks.close()


async def test_a_closed_set_starts_nothing() -> None:
    tasks = Tasks("test")
    await tasks.close()
    with pytest.raises(RuntimeError, match="closed"):
        tasks.spawn(asyncio.sleep(0), "late")


async def test_work_goes_on_to_its_end_when_nobody_waits_for_it_any_more() -> None:
    done: list[str] = []
    go_on = asyncio.Event()

    async def work() -> str:
        await go_on.wait()
        done.append("stored")
        return "entry"

    waiting = asyncio.ensure_future(to_the_end(work()))
    await settle()
    waiting.cancel()
    await settle()
    assert not waiting.done()  # who gives up still learns when it is over
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert done == ["stored"]
    assert await to_the_end(work()) == "entry"


async def test_a_failure_nobody_waits_for_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    go_on = asyncio.Event()

    async def work() -> None:
        await go_on.wait()
        raise ValueError("the disk is full")

    waiting = asyncio.ensure_future(to_the_end(work()))
    await settle()
    waiting.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert "the disk is full" in caplog.text
    with pytest.raises(ValueError, match="the disk is full"):
        await to_the_end(work())


async def _return() -> None:
    """An end that is no failure."""


async def _fail() -> None:
    raise ValueError("broken")


@pytest.mark.parametrize("work", [_return, _fail], ids=["returns", "fails"])
async def test_the_end_of_an_essential_task_reaches_the_loop(
    work: Callable[[], Coroutine[None, None, None]],
) -> None:
    heard: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
    tasks = Tasks("test")
    tasks.essential(work(), "heart")
    await settle()
    assert [(c["message"], c[ESSENTIAL]) for c in heard] == [("essential task test/heart ended", True)]
    await tasks.close()


async def test_closing_essential_tasks_is_no_failure() -> None:
    heard: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
    tasks = Tasks("test")
    tasks.essential(asyncio.Event().wait(), "heart")
    await settle()
    await tasks.close()
    assert heard == []


async def test_a_task_ended_by_what_others_cancelled_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    awaited = asyncio.get_running_loop().create_future()

    async def work() -> None:
        await awaited

    failures: list[str] = []
    tasks = Tasks("test", lambda name, error: failures.append(name))
    tasks.spawn(work(), "waiting")
    await settle()
    awaited.cancel()
    await settle()
    assert failures == ["test/waiting"]
    assert "given up by somebody else" in caplog.text
    await tasks.close()


async def test_shared_work_that_others_cancel_is_a_fault_and_ones_own_end_is_not() -> None:
    work = asyncio.get_running_loop().create_task(asyncio.Event().wait())
    waiting = [asyncio.ensure_future(shared(work, "the work")) for _ in range(3)]
    await settle()
    waiting[0].cancel()
    await settle()
    assert waiting[0].cancelled()
    assert not work.done()
    work.cancel()
    await settle()
    for one in waiting[1:]:
        with pytest.raises(Abandoned, match="the work was given up"):
            await one


async def test_a_time_limit_within_which_others_cancel_is_still_one() -> None:
    async def work() -> None:
        async with asyncio.timeout(0):
            with others_end("the work"):
                await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await work()
