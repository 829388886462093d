"""No key twice at once, none lost, failures later and later."""

from __future__ import annotations

import asyncio

import pytest

from wherry.kit.clock import FakeClock, settle
from wherry.kit.workqueue import QueueClosed, WorkQueue


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def queue(clock: FakeClock) -> WorkQueue[str]:
    return WorkQueue(clock, base_delay_s=1, max_delay_s=10)


async def test_keys_come_in_order_and_each_once(queue: WorkQueue[str]) -> None:
    for key in ("a", "b", "a", "c", "b"):
        queue.add(key)
    assert len(queue) == 3
    assert [await queue.get() for _ in range(3)] == ["a", "b", "c"]


async def test_a_key_added_while_worked_on_waits_for_done(queue: WorkQueue[str]) -> None:
    queue.add("a")
    key = await queue.get()
    queue.add("a")
    queue.add("a")
    assert len(queue) == 0
    queue.done(key)
    assert len(queue) == 1
    queue.done(await queue.get())
    assert len(queue) == 0


async def test_workers_are_woken_one_per_key(queue: WorkQueue[str]) -> None:
    workers = [asyncio.ensure_future(queue.get()) for _ in range(3)]
    await settle()
    queue.add("a")
    queue.add("b")
    await settle()
    assert sorted(worker.result() for worker in workers if worker.done()) == ["a", "b"]
    queue.add("c")
    await settle()
    assert all(worker.done() for worker in workers)


async def test_a_worker_cancelled_as_it_wakes_passes_the_key_on(queue: WorkQueue[str]) -> None:
    first, second = asyncio.ensure_future(queue.get()), asyncio.ensure_future(queue.get())
    await settle()
    queue.add("a")
    first.cancel()
    await settle()
    assert first.cancelled()
    assert second.result() == "a"


async def test_delayed_keys_come_at_the_earliest_time_asked(queue: WorkQueue[str], clock: FakeClock) -> None:
    queue.add_after("a", 30)
    queue.add_after("a", 10)
    queue.add_after("a", 20)
    await clock.advance(9)
    assert len(queue) == 0
    await clock.advance(1)
    queue.done(await queue.get())
    await clock.advance(100)
    assert len(queue) == 0
    queue.add_after("b", 0)
    assert len(queue) == 1


async def test_failures_back_off_up_to_a_limit_until_forgotten(
    queue: WorkQueue[str], clock: FakeClock
) -> None:
    delays = []
    for _ in range(6):
        delays.append(queue.add_failed("a"))
        await clock.advance(20)
        queue.done(await queue.get())
    assert delays == [1, 2, 4, 8, 10, 10]
    assert queue.failures("a") == 6
    queue.forget("a")
    assert queue.failures("a") == 0
    assert queue.add_failed("a") == 1


async def test_a_closed_queue_is_emptied_and_then_ends_its_workers(
    queue: WorkQueue[str], clock: FakeClock
) -> None:
    queue.add("a")
    queue.add_after("b", 5)
    queue.close()
    queue.add("c")
    queue.add_after("d", 0)
    assert await queue.get() == "a"
    with pytest.raises(QueueClosed):
        await queue.get()
    await clock.advance(10)
    assert len(queue) == 0


async def test_closing_wakes_those_who_wait(queue: WorkQueue[str]) -> None:
    workers = [asyncio.ensure_future(queue.get()) for _ in range(2)]
    await settle()
    queue.close()
    outcomes = await asyncio.gather(*workers, return_exceptions=True)
    assert all(isinstance(outcome, QueueClosed) for outcome in outcomes)
