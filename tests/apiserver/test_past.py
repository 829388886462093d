"""What was: pages of an earlier moment, the ring of recent changes, watches that outlive a restart."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest

from tests.apiserver.rig import ADMIN, api_server, config_map, founded
from tests.apiserver.test_cacher import PODS, Told, drop, names, pod, put
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.apiserver import ring
from wherry.apiserver.cacher import Cached, CachedEvent, Cacher
from wherry.apiserver.selected import Selection
from wherry.client.api import Client
from wherry.kit.clock import FakeClock
from wherry.objects.selectors import parse_label_selector
from wherry.store.base import Compacted, Page
from wherry.store.memory import MemoryStore


class Reading(MemoryStore):
    """Counts how often its past is read."""

    reads = 0

    async def list(self, prefix: str, *, revision: int = 0, limit: int = 0, start_after: str = "") -> Page:
        self.reads += 1
        return await super().list(prefix, revision=revision, limit=limit, start_after=start_after)


@pytest.fixture
async def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(clock: FakeClock) -> AsyncIterator[Reading]:
    opened = Reading(clock)
    yield opened
    await opened.close()


@pytest.fixture
async def cacher(store: Reading, clock: FakeClock) -> AsyncIterator[Cacher]:
    made = Cacher(PODS, store, now=clock.monotonic)
    await made.start()
    store.reads = 0
    yield made
    await made.close()


async def scramble(store: MemoryStore, cacher: Cacher, rng: random.Random, writes: int) -> None:
    for _ in range(writes):
        namespace, name = f"ns{rng.randrange(3)}", f"p{rng.randrange(12):02}"
        if rng.random() < 0.3 and cacher.get(PODS.key(namespace, name)):
            await drop(store, namespace, name)
        else:
            await put(store, pod(namespace, name, f"n{rng.randrange(3)}", app=rng.choice("ab")))


def served(items: list[Cached]) -> list[bytes]:
    return [item.data for item in items]


async def test_pages_of_the_past_are_what_the_store_says(store: Reading, cacher: Cacher) -> None:
    rng = random.Random(3)
    await scramble(store, cacher, rng, 120)
    old = Cacher(PODS, store)  # one that remembers nothing has to ask the store
    await old.start()
    match = Selection(labels=parse_label_selector("app=a"))
    store.reads = 0
    for _ in range(150):
        revision = rng.randrange(2, store.revision + 1)
        namespace = rng.choice(("", "ns0", "ns1"))
        start = PODS.key(f"ns{rng.randrange(3)}", f"p{rng.randrange(12):02}") if rng.random() < 0.6 else ""
        limit = rng.choice((0, 1, 4))
        for selection in (None, match):
            found, more = await cacher.list_at(
                revision, namespace, start_after=start, limit=limit, match=selection
            )
            assert store.reads == 0
            right, left = await old._list_stored(revision, namespace, start, limit, selection)
            assert (served(found), more) == (served(right), left)
            store.reads = 0
    await old.close()


async def test_a_page_of_the_past_lets_others_write_and_is_of_its_moment(
    store: Reading, cacher: Cacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wherry.apiserver.cacher.MATCHED_AT_ONCE", 5)
    monkeypatch.setattr("wherry.apiserver.past.MATCHED_AT_ONCE", 5)
    rng = random.Random(4)
    await scramble(store, cacher, rng, 60)
    old = Cacher(PODS, store)
    await old.start()
    match = Selection(labels=parse_label_selector("app=a"))
    passes = 0
    for _ in range(30):
        revision = rng.randrange(2, store.revision - 10)
        for selection in (None, match):
            listing = asyncio.ensure_future(cacher.list_at(revision, limit=3, match=selection))
            while True:
                await asyncio.sleep(0)
                if listing.done():
                    break
                passes += 1
                await scramble(store, cacher, rng, 1)
            found, more = await listing
            right, left = await old._list_stored(revision, "", "", 3, selection)
            assert (served(found), more) == (served(right), left)
    assert passes > 30
    await old.close()


async def turns_during(listing: Awaitable[tuple[list[Cached], int]]) -> tuple[list[bytes], int, int]:
    """What a list gives, what follows, and how many turns others had meanwhile."""
    running = asyncio.ensure_future(listing)
    turns = 0
    while not running.done():
        await asyncio.sleep(0)
        turns += 1
    found, more = await running
    return served(found), more, turns


@pytest.mark.parametrize("limit", [0, 8, 70])
async def test_pages_that_go_on_let_others_have_their_turn(
    store: Reading, cacher: Cacher, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    for number in range(100):
        await put(store, pod("ns", f"p{number:03}", app="a" if number % 2 else "b"))
    then = store.revision
    match = Selection(labels=parse_label_selector("app=a"))
    right, after, _ = await cacher.chosen(limit=limit, match=match)
    monkeypatch.setattr("wherry.apiserver.past.MATCHED_AT_ONCE", 5)
    monkeypatch.setattr("wherry.apiserver.cacher._READ_AT_ONCE", 5)
    looked_at = (2 * limit if 0 < limit < 50 else 100) // 5
    found, more, turns = await turns_during(cacher.list_at(then, limit=limit, match=match))
    assert (found, more) == (served(right), after)
    assert turns >= looked_at - 1
    await put(store, pod("ns", "p000", app="a"))
    found, more, turns = await turns_during(cacher.list_at(then, limit=limit, match=match))
    assert (found, more) == (served(right), after)
    assert turns >= looked_at - 1
    for selection in (match, None):
        right, after = await cacher.list_at(then, limit=limit, match=selection)
        found, more, turns = await turns_during(cacher._list_stored(then, "", "", limit, selection))
        assert (found, more) == (served(right), after)
        assert turns >= (looked_at if selection else (limit or 100) // 5) - 1


async def test_the_past_is_told_again_in_portions(
    store: Reading, cacher: Cacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wherry.apiserver.cacher._READ_AT_ONCE", 2)
    for number in range(20):
        await put(store, pod("ns", f"p{number % 7}"))
    late = Cacher(PODS, store)
    await late.start()
    recalling = asyncio.ensure_future(late.recall(3))
    passes = 0
    while not recalling.done():
        await asyncio.sleep(0)
        passes += 1
    await recalling
    assert passes >= 8
    told: list[CachedEvent] = []
    late.watch("", 3, None, told.extend)
    right: list[CachedEvent] = []
    cacher.watch("", 3, None, right.extend)
    assert [event.frame for event in told] == [event.frame for event in right]
    await late.close()


async def test_writes_to_other_kinds_leave_the_present_the_past(store: Reading, cacher: Cacher) -> None:
    await put(store, pod("ns", "a"))
    at = store.revision
    for number in range(ring.RING_EVENTS // 1000):
        await store.create(f"/registry/leases/ns/{number}", b"{}")
    for revision in range(at, store.revision + 1):
        assert names((await cacher.list_at(revision))[0]) == ["ns/a"]
    assert store.reads == 0


async def test_beyond_what_is_remembered_the_store_is_asked(store: Reading, clock: FakeClock) -> None:
    cacher = Cacher(PODS, store, ring_events=2, now=clock.monotonic)
    await cacher.start()
    for name in "abcd":
        await put(store, pod("ns", name))
    store.reads = 0
    assert names((await cacher.list_at(4))[0]) == ["ns/a", "ns/b", "ns/c"]
    assert store.reads == 0
    assert names((await cacher.list_at(2))[0]) == ["ns/a"]
    assert store.reads == 1
    await cacher.close()


async def test_recent_changes_are_kept_by_age(store: Reading, cacher: Cacher, clock: FakeClock) -> None:
    for number in range(300):
        await put(store, pod("ns", f"p{number}"))
    first = 2
    await clock.advance(ring.FRESH_S - 1)
    await put(store, pod("ns", "later"))
    assert cacher.floor == 1
    await clock.advance(2)
    cacher.trim()
    assert cacher.floor == store.revision - ring.STALE_EVENTS
    with pytest.raises(Compacted):
        cacher.watch("", first, None, Told())
    await cacher.recall(first)
    told = Told()
    cacher.watch("", first, None, told)
    assert [event.object.revision for event in told.events] == list(range(first + 1, store.revision + 1))


async def test_what_is_recalled_is_what_was_told(store: Reading, cacher: Cacher) -> None:
    told = Told()
    cacher.watch("", 0, None, told)
    await scramble(store, cacher, random.Random(4), 80)
    later = Cacher(PODS, store)
    await later.start()
    assert later.floor == store.revision
    await scramble(store, cacher, random.Random(5), 20)
    for after in (50, 30, 1):
        await later.recall(after)
        again = Told()
        later.watch("", after, None, again)
        expected = [event for event in told.events if event.object.revision > after]
        assert [repr(event) for event in again.events] == [repr(event) for event in expected]
        assert [event.object.data for event in again.events] == [event.object.data for event in expected]
        assert [event.previous and event.previous.data for event in again.events] == [
            event.previous and event.previous.data for event in expected
        ]
    shared = [event.object for event in again.events if later.get(event.object.key) is event.object]
    assert len(shared) == len(later), "what is held already is not held twice"
    await later.close()


async def test_what_was_let_go_of_while_the_past_was_read_is_not_passed_over(
    store: Reading, cacher: Cacher, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(300):
        await put(store, pod("ns", f"p{number}"))
    later = Cacher(PODS, store, now=clock.monotonic)
    await later.start()
    first = later.floor
    for number in range(200):
        await put(store, pod("ns", f"q{number}"))
    real = store.events

    async def slowly(*arguments: Any, **more: Any) -> Any:
        found = await real(*arguments, **more)
        await clock.advance(ring.FRESH_S + 1)
        later.trim()
        return found

    monkeypatch.setattr(store, "events", slowly)
    await later.recall(first - 100)
    assert later.floor > first
    with pytest.raises(Compacted):
        later.watch("", first - 100, None, Told())
    monkeypatch.undo()
    await later.recall(first - 100)
    told = Told()
    later.watch("", first - 100, None, told)
    revisions = [event.object.revision for event in told.events]
    assert revisions == list(range(first - 99, store.revision + 1)), "without a gap"
    await later.close()


async def test_a_watch_goes_on_over_a_restart_of_the_server() -> None:
    store = (await founded()).copy(FakeClock())
    first = api_server(store, FakeClock(), 1)
    await first.start()
    client = Client(first.local_transport(ADMIN))
    version = (await client.create(CONFIG_MAPS, config_map("seen")))["metadata"]["resourceVersion"]
    await client.create(CONFIG_MAPS, config_map("missed"))
    await client.delete(CONFIG_MAPS, "seen", "default")
    await first.close()
    second = api_server(store, FakeClock(), 2)
    await second.start()
    client = Client(second.local_transport(ADMIN))
    heard = []
    async for event in client.watch(CONFIG_MAPS, "default", resource_version=version):
        heard.append((event.type, event.object["metadata"]["name"]))
        if len(heard) == 2:
            await client.create(CONFIG_MAPS, config_map("live"))
        if len(heard) == 3:
            break
    assert heard == [("ADDED", "missed"), ("DELETED", "seen"), ("ADDED", "live")]
    await second.close()
    await store.close()
