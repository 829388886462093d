"""Order and back-off of the pods that wait."""

from __future__ import annotations

import asyncio

from tests.scheduler.builders import facts
from wherry.kit.clock import FakeClock, settle
from wherry.scheduler.queue import PORTION, PodQueue


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
    queue.nodes_changed()
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


async def test_what_wants_other_nodes_is_not_tried_when_room_is_made() -> None:
    clock = FakeClock()
    queue = PodQueue(clock)
    for name in ("room", "nodes"):
        queue.put(facts(name))
        await queue.pop()
        queue.failed(f"uid-{name}", wants_room=name == "room")
    await clock.advance(10.0)
    queue.room_made()
    assert (await queue.pop()).key == "default/room"
    again = asyncio.create_task(queue.pop())
    await settle()
    assert not again.done()
    queue.nodes_changed()
    assert (await again).key == "default/nodes"


async def test_a_refused_try_waits_longer_each_time_whatever_changes() -> None:
    clock = FakeClock()
    queue = PodQueue(clock)
    queue.put(facts("a"))
    for delay_s in (1.0, 2.0, 4.0, 8.0, 10.0, 10.0):
        again = asyncio.create_task(queue.pop())
        await settle()
        assert again.done()
        queue.retry("uid-a", facts("a", priority=7))
        after = asyncio.create_task(queue.pop())
        await clock.advance(delay_s - 0.5)
        queue.nodes_changed()
        await settle()
        assert not after.done()
        after.cancel()
        await clock.advance(0.5)
    assert (await queue.pop()).priority == 7


async def test_an_event_costs_the_same_however_many_wait() -> None:
    """Thousands that wait are looked through by whoever takes the next, in portions."""
    clock = FakeClock()
    queue = PodQueue(clock)
    for number in range(3 * PORTION):
        queue.put(facts(f"p{number}"))
    for _ in range(3 * PORTION):
        queue.failed((await queue.pop()).uid)
    await clock.advance(20.0)
    for _ in range(5):
        queue.room_made()
    assert len(queue._heap) == 0
    again = asyncio.create_task(queue.pop())
    await asyncio.sleep(0)
    assert len(queue._heap) == PORTION
    await again
    assert len(queue._heap) == 3 * PORTION - 1


async def test_removed_from_a_moved_group() -> None:
    clock = FakeClock()
    queue = PodQueue(clock)
    for name in ("a", "b"):
        queue.put(facts(name))
        await queue.pop()
        queue.failed(f"uid-{name}")
    await clock.advance(20.0)
    queue.room_made()
    queue.remove("uid-a")
    queue.put(facts("b", priority=3))
    assert (await queue.pop()).key == "default/b"
    again = asyncio.create_task(queue.pop())
    await clock.advance(1000.0)
    assert not again.done(), "b is under way, and waits for nothing"
    again.cancel()
