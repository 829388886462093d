"""Order and back-off of the pods that wait."""

from __future__ import annotations

import asyncio

from tests.scheduler.builders import facts
from wherry.kit.clock import FakeClock, settle
from wherry.scheduler.queue import PodQueue


async def test_higher_priority_first_then_older() -> None:
    queue = PodQueue(FakeClock())
    for name, priority in (("a", 0), ("b", 10), ("c", 0)):
        queue.put(facts(name, priority=priority))
    assert [(await queue.pop()).key for _ in range(3)] == ["default/b", "default/a", "default/c"]


async def test_failed_waits_for_a_change_and_its_back_off() -> None:
    clock = FakeClock()
    queue = PodQueue(clock)
    queue.put(facts("a"))
    await queue.pop()
    queue.failed("uid-a")
    again = asyncio.create_task(queue.pop())
    await settle()
    assert not again.done()
    queue.activate_all()
    await settle()
    assert not again.done(), "the back-off of one second holds"
    await clock.advance(1.0)
    assert (await again).key == "default/a"


async def test_unschedulable_is_tried_again_after_five_minutes() -> None:
    clock = FakeClock()
    queue = PodQueue(clock)
    queue.put(facts("a"))
    await queue.pop()
    queue.failed("uid-a")
    again = asyncio.create_task(queue.pop())
    await clock.advance(299.0)
    assert not again.done()
    await clock.advance(1.0)
    assert (await again).key == "default/a"


async def test_removed_is_not_handed_out() -> None:
    queue = PodQueue(FakeClock())
    queue.put(facts("a"))
    queue.put(facts("b"))
    queue.remove("uid-a")
    assert (await queue.pop()).key == "default/b"
    assert "uid-a" not in queue
