"""Who an event concerns is found by what the object has; however many they are, they are told in portions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

import pytest

from wherry.api.core.pods import PODS
from wherry.apiserver.cached import CachedEvent, Facts
from wherry.apiserver.encoding import encode_stored
from wherry.apiserver.watcher import EVERYTHING, LABEL, Making, Watcher
from wherry.apiserver.watchers import TELL_BYTES, Watchers
from wherry.kit.passes import Pass
from wherry.store.base import Entry


class Asked(str):
    """A label that counts how often one of its kind is looked up anywhere."""

    __slots__ = ()
    times: ClassVar[int] = 0

    def __hash__(self) -> int:
        Asked.times += 1
        return str.__hash__(self)


def event(labels: dict[str, str], revision: int = 2) -> CachedEvent:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "ns", "labels": labels},
    }
    entry = Entry(PODS.key("ns", "p"), encode_stored(pod), revision, 2)
    return CachedEvent("ADDED", Facts(PODS, lambda _item, _more: False).cached(entry), None)


async def test_an_event_costs_what_its_object_has_however_many_labels_are_watched() -> None:
    watchers, told = Watchers(), list[int]()
    for number in range(1000):
        scope = ("ns", LABEL, Asked(f"k{number}"), "v")
        watchers.add(scope, None, lambda _events, number=number: told.append(number), None)  # type: ignore[misc]
    change = event({"k7": "v", "k8": "other", "elsewhere": "v"})
    before = Asked.times
    watchers.publish([change])
    assert told == [7]
    assert Asked.times - before < 10


async def test_an_object_of_many_labels_costs_what_is_watched() -> None:
    watchers, told = Watchers(), list[str]()
    watchers.add(("", LABEL, "k7", "v"), None, lambda _events: told.append("k7"), None)
    watchers.publish([event({f"k{number}": "v" for number in range(1000)})])
    assert told == ["k7"]


class Crowd:
    """Many watchers, and how many of them were told in each pass of the event loop."""

    def __init__(self, count: int, written: int = 0, budget: int = 1024 * 1024) -> None:
        self.told: list[list[int]] = [[] for _ in range(count)]
        self.in_passes: list[int] = [0]
        self.ended: list[int] = []
        self.watchers = Watchers(Pass(budget, seconds=60))
        self._written = written
        self.watches = [self.add(number) for number in range(count)]

    def add(self, number: int) -> Watcher:
        def hear(events: Sequence[CachedEvent]) -> int:
            self.told[number] += [event.object.revision for event in events]
            self.in_passes[-1] += 1
            return self._written

        return self.watchers.add(EVERYTHING, None, hear, lambda: self.ended.append(number))

    async def next_pass(self) -> None:
        self.in_passes.append(0)
        await asyncio.sleep(0)

    async def finish(self) -> None:
        while self.watchers.oldest_waiting is not None:
            await self.next_pass()


async def test_few_are_told_before_the_writer_goes_on() -> None:
    crowd = Crowd(100)
    crowd.watchers.publish([event({})])
    assert crowd.in_passes == [100]
    assert crowd.watchers.oldest_waiting is None


async def test_many_are_told_in_portions() -> None:
    crowd = Crowd(1000)
    crowd.watchers.publish([event({})])
    await crowd.finish()
    assert crowd.told == [[2]] * 1000
    assert max(crowd.in_passes) == 1024 * 1024 // TELL_BYTES


async def test_what_is_written_counts() -> None:
    crowd = Crowd(20, written=300_000)
    crowd.watchers.publish([event({})])
    await crowd.finish()
    assert crowd.told == [[2]] * 20
    assert max(crowd.in_passes) == 4


async def test_resources_share_each_pass() -> None:
    one, other = Crowd(20, written=300_000), Crowd(20, written=300_000)
    other.watchers._pass = one.watchers._pass
    one.watchers.publish([event({})])
    other.watchers.publish([event({})])
    assert (one.in_passes, other.in_passes) == ([4], [0])
    await one.finish()
    await other.finish()
    assert other.told == [[2]] * 20


async def test_each_is_told_all_in_order_whatever_happens_meanwhile() -> None:
    crowd = Crowd(1000)
    for revision in range(2, 50):
        crowd.watchers.publish([event({}, revision)])
        if revision % 7 == 0:
            await crowd.next_pass()
        if revision == 30:
            crowd.watches[999].close()
            left = list(crowd.told[999])
            crowd.told.append([])
            crowd.add(1000)
    await crowd.finish()
    assert crowd.told[:999] == [list(range(2, 50))] * 999
    assert crowd.told[999] == left, "it has left"
    assert crowd.told[1000] == list(range(31, 50)), "it knows what was before it came"


async def test_a_bookmark_says_no_more_than_was_told() -> None:
    crowd = Crowd(1000)
    assert crowd.watches[999].told_to(9) == 9
    crowd.watchers.publish([event({}, 4)])
    assert [watch.told_to(9) for watch in (crowd.watches[0], crowd.watches[999])] == [4, 3]
    await crowd.finish()
    assert crowd.watches[999].told_to(9) == 9


async def test_a_watch_about_to_end_without_being_told_claims_nothing() -> None:
    """Whoever resumes from what it is told last must find there what it missed."""
    crowd = Crowd(1000)
    crowd.watchers.publish([event({}, 4)])
    crowd.watchers.publish([event({}, 5)])
    crowd.watchers.break_off()
    claims: set[int] = set()
    while len(crowd.ended) < 1000:
        for number, watch in enumerate(crowd.watches):
            if watch.open:
                claimed = watch.told_to(9)
                assert claimed <= max(crowd.told[number], default=0)
                claims.add(claimed)
        await crowd.next_pass()
    assert claims == {0, 4}


async def test_who_watches_when_the_resource_goes_is_told_what_happened_first() -> None:
    crowd = Crowd(1000)
    crowd.watchers.publish([event({})])
    crowd.watchers.end()
    assert crowd.ended == []
    while len(crowd.ended) < 1000:
        await crowd.next_pass()
    assert crowd.told == [[2]] * 1000
    assert max(crowd.in_passes) <= 256


async def test_more_than_may_wait_ends_the_watches(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("wherry.apiserver.watchers.WAITING_BYTES", 20_000)
    crowd, server = Crowd(1000), list[int]()
    crowd.watchers.add(
        EVERYTHING, None, lambda told: server.extend(e.object.revision for e in told), None, is_first=True
    )
    for revision in range(2, 50):
        crowd.watchers.publish([event({}, revision)])
    for _ in range(50):
        await crowd.next_pass()
    assert sorted(crowd.ended) == list(range(1000))
    for told in crowd.told:
        assert told == list(range(2, 2 + len(told))), "nobody hears what came after something it missed"
    assert server == list(range(2, 50)), "the server itself hears all, at once"
    assert len(caplog.records) == 1


async def test_what_takes_long_is_made_once_while_the_others_are_told() -> None:
    watchers, told, begun = Watchers(), list[int](), 0
    made = asyncio.Event()

    async def begin() -> None:
        nonlocal begun
        begun += 1
        await made.wait()

    for number in range(6):
        makings = (lambda _: Making("table", begin)) if number % 2 else None
        watchers.add(EVERYTHING, None, lambda _, n=number: told.append(n), None, makings=makings)  # type: ignore[misc]
    watchers.publish([event({})])
    watchers.publish([event({}, 3)])
    await asyncio.sleep(0)
    assert told == [0, 2, 4]
    made.set()
    for _ in range(20):
        await asyncio.sleep(0)
    assert told == [0, 2, 4, 1, 3, 5] * 2
    assert begun == 2
