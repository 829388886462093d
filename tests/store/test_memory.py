"""What the memory store has besides what every store promises: copies of itself."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from wherry.kit.clock import FakeClock
from wherry.store.base import Compacted, Event
from wherry.store.memory import MemoryStore


async def test_a_copy_holds_the_same_and_goes_its_own_way() -> None:
    store = MemoryStore(FakeClock())
    first = await store.create("/a", b"1")
    await store.update("/a", b"2", expected=first.revision)
    copied = store.copy(FakeClock())
    assert copied.revision == store.revision == 3
    assert (await copied.list("/", revision=2)).entries == [first], "history is copied, too"
    await copied.create("/b", b"{}")
    await copied.delete("/a", expected=3)
    await store.create("/c", b"{}")
    assert [entry.key for entry in (await copied.list("/")).entries] == ["/b"]
    assert [entry.key for entry in (await store.list("/")).entries] == ["/a", "/c"]
    assert (copied.revision, store.revision) == (5, 4)


async def test_watches_stay_with_the_original() -> None:
    store = MemoryStore(FakeClock())
    seen: list[Event] = []

    def sink(events: Sequence[Event]) -> None:
        seen.extend(events)

    await store.watch("/", 1, sink)
    copied = store.copy(FakeClock())
    await copied.create("/copy", b"{}")
    await store.create("/original", b"{}")
    assert [event.entry.key for event in seen] == ["/original"]


async def test_what_was_forgotten_stays_so_and_what_is_old_is_forgotten_later() -> None:
    store, clock = MemoryStore(FakeClock()), FakeClock()
    for name in "abc":
        await store.create(f"/{name}", b"{}")
    await store.compact(2)
    copied = store.copy(clock)
    with pytest.raises(Compacted):
        await copied.list("/", revision=1)
    assert len((await copied.list("/", revision=3)).entries) == 2
    await clock.advance(315)
    with pytest.raises(Compacted):
        await copied.list("/", revision=3)
    assert len((await store.list("/", revision=3)).entries) == 2


async def test_keys_expire_under_the_clock_of_the_copy() -> None:
    store, clock = MemoryStore(FakeClock()), FakeClock()
    await store.create("/a", b"{}", ttl_s=10)
    copied = store.copy(clock)
    await clock.advance(11)
    assert await copied.get("/a") is None
    assert await store.get("/a") is not None
    await copied.close()
    assert await store.get("/a") is not None
