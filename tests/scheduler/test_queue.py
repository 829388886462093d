"""Order, back-off and hints of the pods that wait."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial

import pytest

from tests.growth.meter import steps_of, time_growth
from tests.scheduler.builders import facts
from wherry.kit import portions
from wherry.kit.clock import FakeClock, settle
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Change, Kind
from wherry.scheduler.queue import PORTION, PodQueue

NODES = frozenset({Kind.NODE})
ROOM = frozenset({Kind.NODE, Kind.POD_GONE})
CLAIMS = frozenset({Kind.RESOURCE_CLAIMS})


class Concerns:
    """Says that every change may help, but for pods in `hopeless`; counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.hopeless: set[str] = set()

    def __call__(self, pod: PodFacts, rejected_by: Iterable[str], change: Change) -> bool:
        self.asked += 1
        return pod.key not in self.hopeless


def change(kind: Kind) -> Change:
    return Change(kind, {"a": None}, {})


async def take(queue: PodQueue) -> list[str]:
    return [pod.key for pod in await queue.pop()]


async def fail(queue: PodQueue, *names: str, kinds: frozenset[Kind] = ROOM, key: str = "") -> None:
    """Have everything that is to be tried fail; pods given by name wait for the `kinds`."""
    await queue.pop()
    for name in names:
        queue.failed(f"uid-{name}", key or name, ("Fit",), kinds)


async def test_higher_priority_first_then_older() -> None:
    queue = PodQueue(FakeClock(), Concerns())
    for name, priority in (("a", 0), ("b", 10), ("c", 0)):
        queue.put(facts(name, priority=priority))
    assert await take(queue) == ["default/b"]
    assert await take(queue) == ["default/a", "default/c"], "alike, so together"


async def test_only_pods_that_ask_for_the_same_come_together() -> None:
    queue = PodQueue(FakeClock(), Concerns())
    for name, cpu in (("a", "1"), ("b", "1"), ("c", "2"), ("d", "1")):
        queue.put(facts(name, requests={"cpu": cpu}))
    assert [await take(queue) for _ in range(3)] == [["default/a", "default/b"], ["default/c"], ["default/d"]]


async def test_failed_waits_for_a_change_and_its_back_off() -> None:
    clock = FakeClock()
    queue = PodQueue(clock, Concerns())
    queue.put(facts("a"))
    await fail(queue, "a")
    again = asyncio.create_task(queue.pop())
    await settle()
    assert not again.done()
    queue.changed(change(Kind.NODE))
    await settle()
    assert not again.done(), "the back-off of one second holds"
    await clock.advance(1.0)
    assert [pod.key for pod in await again] == ["default/a"]


async def test_the_back_off_doubles_with_each_failure() -> None:
    clock = FakeClock()
    queue = PodQueue(clock, Concerns())
    queue.put(facts("a"))
    await fail(queue, "a")
    for delay_s in (1.0, 2.0, 4.0, 8.0, 10.0, 10.0):
        again = asyncio.create_task(queue.pop())
        queue.changed(change(Kind.NODE))
        await clock.advance(delay_s - 0.5)
        assert not again.done()
        await clock.advance(0.5)
        assert again.done()
        queue.failed("uid-a", "a", ("Fit",), ROOM)


async def test_unschedulable_is_tried_again_after_five_minutes() -> None:
    clock = FakeClock()
    queue = PodQueue(clock, Concerns())
    queue.put(facts("a"))
    await fail(queue, "a")
    again = asyncio.create_task(queue.pop())
    await clock.advance(299.0)
    assert not again.done()
    await clock.advance(1.0)
    assert [pod.key for pod in await again] == ["default/a"]


async def test_removed_is_not_handed_out() -> None:
    queue = PodQueue(FakeClock(), Concerns())
    queue.put(facts("a"))
    queue.put(facts("b"))
    queue.remove("uid-a")
    assert await take(queue) == ["default/b"]
    assert "uid-a" not in queue


async def test_what_wants_other_nodes_is_not_tried_when_a_pod_goes() -> None:
    clock = FakeClock()
    concerns = Concerns()
    queue = PodQueue(clock, concerns)
    for name, kinds in (("room", ROOM), ("nodes", NODES)):
        queue.put(facts(name))
        await fail(queue, name, kinds=kinds)
    await clock.advance(10.0)
    queue.changed(change(Kind.POD_GONE))
    assert await take(queue) == ["default/room"]
    again = asyncio.create_task(queue.pop())
    await settle()
    assert not again.done()
    assert concerns.asked == 1
    queue.changed(change(Kind.NODE))
    assert [pod.key for pod in await again] == ["default/nodes"]


async def test_whom_a_change_cannot_help_is_not_tried() -> None:
    clock = FakeClock()
    concerns = Concerns()
    concerns.hopeless.add("default/a")
    queue = PodQueue(clock, concerns)
    for name in "ab":
        queue.put(facts(name, requests={"cpu": "1" if name == "a" else "2"}))
        await fail(queue, name)
    await clock.advance(10.0)
    queue.changed(change(Kind.NODE))
    assert await take(queue) == ["default/b"]


async def test_a_refused_try_waits_longer_each_time_whatever_changes() -> None:
    clock = FakeClock()
    queue = PodQueue(clock, Concerns())
    queue.put(facts("a"))
    for delay_s in (1.0, 2.0, 4.0, 8.0, 10.0, 10.0):
        again = asyncio.create_task(queue.pop())
        await settle()
        assert again.done()
        queue.retry("uid-a", facts("a", priority=7))
        after = asyncio.create_task(queue.pop())
        await clock.advance(delay_s - 0.5)
        queue.changed(change(Kind.NODE))
        await settle()
        assert not after.done()
        after.cancel()
        await clock.advance(0.5)
    assert [pod.priority for pod in await queue.pop()] == [7]


async def waiting_alike(clock: FakeClock, concerns: Concerns, count: int) -> PodQueue:
    """A queue in which so many pods that ask for the same rest."""
    queue = PodQueue(clock, concerns)
    for number in range(count):
        queue.put(facts(f"p{number}"))
    left = count
    while left:
        for pod in await queue.pop():
            queue.failed(pod.uid, "key", ("Fit",), ROOM)
            left -= 1
    await clock.advance(20.0)
    return queue


async def test_of_thousands_that_wait_for_the_same_one_is_tried() -> None:
    clock, concerns = FakeClock(), Concerns()
    queue = await waiting_alike(clock, concerns, 2000)
    for _ in range(5):
        queue.changed(change(Kind.POD_GONE))
    assert await take(queue) == ["default/p0"]
    assert concerns.asked == 1
    queue.failed("uid-p0", "key", ("Fit",), ROOM)
    again = asyncio.create_task(queue.pop())
    await settle()
    assert not again.done(), "what did not help the first does not help the others"
    await clock.advance(20.0)
    queue.changed(change(Kind.POD_GONE))
    assert [pod.key for pod in await again] == ["default/p1"], "the next one's turn"


async def test_each_that_finds_a_place_brings_two_more() -> None:
    queue = await waiting_alike(FakeClock(), Concerns(), 100)
    queue.changed(change(Kind.NODE))
    sizes = []
    for _ in range(6):
        batch = await queue.pop()
        sizes.append(len(batch))
        for pod in batch:
            queue.placed(pod.uid)
            queue.remove(pod.uid)
    assert sizes == [1, 2, 4, 8, 16, 32]


async def test_a_pod_that_asks_for_something_else_leaves_its_group() -> None:
    clock = FakeClock()
    queue = await waiting_alike(clock, Concerns(), 2)
    queue.remove("uid-p0")
    queue.put(facts("p1", priority=3))
    assert [pod.priority for pod in await queue.pop()] == [3]
    again = asyncio.create_task(queue.pop())
    await clock.advance(1000.0)
    assert not again.done(), "it is under way, and waits for nothing"
    again.cancel()


async def test_what_changed_while_a_pod_was_under_way_counts() -> None:
    clock = FakeClock()
    queue = PodQueue(clock, Concerns())
    queue.put(facts("a"))
    await queue.pop()
    since = queue.changes
    queue.changed(change(Kind.POD_GONE))
    queue.failed("uid-a", "a", ("Fit",), ROOM, since)
    await clock.advance(1.0)
    assert await take(queue) == ["default/a"]


async def test_what_changed_while_a_pod_was_under_way_and_does_not_help_is_nothing() -> None:
    clock, concerns = FakeClock(), Concerns()
    concerns.hopeless.add("default/a")
    queue = PodQueue(clock, concerns)
    queue.put(facts("a"))
    await queue.pop()
    since = queue.changes
    queue.changed(change(Kind.POD_GONE))
    queue.failed("uid-a", "a", ("Fit",), ROOM, since)
    again = asyncio.create_task(queue.pop())
    await clock.advance(20.0)
    assert not again.done()
    again.cancel()


async def test_others_are_not_kept_waiting_by_many_groups() -> None:
    """Looking through a thousand groups is done in portions, between which what is active goes on."""
    clock, concerns = FakeClock(), Concerns()
    queue = PodQueue(clock, concerns)
    for number in range(1000):
        queue.put(facts(f"p{number}", requests={"cpu": str(number + 1)}))
        await fail(queue, f"p{number}")
        concerns.hopeless.add(f"default/p{number}")
    queue.changed(change(Kind.NODE))
    queue.put(facts("urgent"))
    assert await take(queue) == ["default/urgent"]
    assert concerns.asked < 100


async def test_a_group_that_takes_long_to_hold_a_change_against_is_a_portion_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, concerns = FakeClock(), Concerns()
    queue = PodQueue(clock, concerns)
    for number in range(20):
        queue.put(facts(f"p{number}", requests={"cpu": str(number + 1)}))
        await fail(queue, f"p{number}")
        concerns.hopeless.add(f"default/p{number}")
    queue.changed(change(Kind.NODE))
    queue.put(facts("urgent"))
    monkeypatch.setattr(portions, "perf_counter", lambda: 1.0 * concerns.asked)
    assert await take(queue) == ["default/urgent"]
    assert concerns.asked == 1


async def sharing(count: int) -> tuple[PodQueue, Concerns, FakeClock, list[str]]:
    """So many pods that rest for the same and name one claim, and their uids."""
    clock, concerns = FakeClock(), Concerns()
    queue = PodQueue(clock, concerns)
    for number in range(count):
        queue.put(facts(f"p{number}"))
    left = count
    while left:
        for pod in await queue.pop():
            queue.failed(pod.uid, "key", ("Fit",), CLAIMS)
            left -= 1
    await clock.advance(20.0)
    return queue, concerns, clock, [f"uid-p{number}" for number in range(count)]


async def test_news_of_a_claim_many_share_is_held_against_them_in_portions() -> None:
    queue, concerns, _, users = await sharing(3000)
    asked: list[int] = []

    def who() -> list[str]:
        asked.append(len(users))
        return users

    for _ in range(5):
        queue.changed_for(who, change(Kind.RESOURCE_CLAIMS), "default/shared")
    assert not asked, "whoever watches only notes it"
    queue.put(facts("urgent"))
    assert await take(queue) == ["default/urgent"]
    assert 0 < concerns.asked <= PORTION
    assert await take(queue) == ["default/p0"], "one is tried, the one that waits longest"
    assert concerns.asked == 3000, "five changes of one claim are one"
    assert asked == [3000]


async def test_those_a_change_is_about_are_tried_before_others_of_their_group() -> None:
    queue, _, _, users = await sharing(100)
    queue.changed_for(lambda: users[50:52], change(Kind.RESOURCE_CLAIMS), "default/shared")
    order = []
    for _ in range(3):
        for pod in await queue.pop():
            order.append(pod.key)
            queue.placed(pod.uid)
            queue.remove(pod.uid)
    assert order[:4] == ["default/p50", "default/p51", "default/p0", "default/p1"]


async def test_those_under_way_are_not_gone_through_for_each_that_finds_a_place() -> None:
    queue, _, _, users = await sharing(2000)
    queue.changed_for(lambda: users, change(Kind.RESOURCE_CLAIMS), "default/shared")
    left, calls = len(users), []
    while left:
        batch = await queue.pop()
        before = steps_of(partial(queue.placed, batch[0].uid))[0]
        calls.append(before)
        queue.remove(batch[0].uid)
        for pod in batch[1:]:
            queue.placed(pod.uid)
            queue.remove(pod.uid)
        left -= len(batch)
    assert max(calls) <= 60


def test_news_of_a_claim_costs_as_much_for_each_pod_however_many_share_it() -> None:
    def told(made: tuple[PodQueue, Concerns, FakeClock, list[str]]) -> None:
        queue, _, _, users = made
        queue.changed_for(lambda: users, change(Kind.RESOURCE_CLAIMS), "default/shared")
        asyncio.run(queue.pop())

    assert not time_growth(told, lambda count: asyncio.run(sharing(count)), 2000)
