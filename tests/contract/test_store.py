"""What every store promises, checked over all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.timing import PATIENCE_S
from wherry.kit.clock import FakeClock
from wherry.store.base import (
    MARK_BYTES,
    MOST_SENT_BYTES,
    MOST_VALUE_BYTES,
    Compacted,
    Entry,
    Event,
    FutureRevision,
    KeyExists,
    KeyMissing,
    RevisionMismatch,
    StoreClosed,
    StoreError,
    TooLarge,
    TransactingStore,
)
from wherry.store.memory import MemoryStore
from wherry.store.sqlite import SqliteStore
from wherry.store.writes import Write

Opener = Callable[[Path, FakeClock], Awaitable[TransactingStore]]


async def open_memory(path: Path, clock: FakeClock) -> TransactingStore:
    return MemoryStore(clock)


async def open_sqlite(path: Path, clock: FakeClock) -> TransactingStore:
    return await SqliteStore.open(path, clock)


BACKENDS: list[Opener] = [open_memory, open_sqlite]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=BACKENDS, ids=["memory", "sqlite"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock
) -> AsyncIterator[TransactingStore]:
    opener: Opener = request.param
    opened = await opener(tmp_path / "store.db", clock)
    yield opened
    await opened.close()


class Watched:
    """A sink that can be waited on."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._arrived = asyncio.Event()

    def __call__(self, events: Sequence[Event]) -> None:
        self.events += events
        self._arrived.set()

    async def until(self, count: int) -> list[Event]:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.events) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.events

    def summary(self) -> list[tuple[str, str, int]]:
        return [(kind(event), event.entry.key, event.entry.revision) for event in self.events]


def kind(event: Event) -> str:
    return "DELETE" if event.deleted else "PUT" if event.previous else "CREATE"


async def test_fresh_store_is_at_revision_one_and_empty(store: TransactingStore) -> None:
    assert store.revision == 1
    assert await store.get("/a") is None
    page = await store.list("/")
    assert (page.entries, page.revision, page.remaining) == ([], 1, 0)


async def test_writes_share_one_revision(store: TransactingStore) -> None:
    first = await store.create("/a", b"1")
    second = await store.create("/b", b"2")
    third = await store.update("/a", b"3", expected=first.revision)
    assert [first.revision, second.revision, third.revision] == [2, 3, 4]
    assert third == Entry("/a", b"3", 4, 2)
    assert await store.get("/a") == third
    assert store.revision == 4


async def test_deletion_gives_what_was_removed_at_its_own_revision(store: TransactingStore) -> None:
    await store.create("/a", b"1")
    assert await store.delete("/a", expected=2) == Entry("/a", b"1", 3, 2)
    assert await store.get("/a") is None
    assert await store.create("/a", b"2") == Entry("/a", b"2", 4, 4)


async def test_compare_and_swap(store: TransactingStore) -> None:
    await store.create("/a", b"1")
    with pytest.raises(KeyExists):
        await store.create("/a", b"x")
    with pytest.raises(KeyMissing):
        await store.update("/b", b"x", expected=2)
    with pytest.raises(KeyMissing):
        await store.delete("/b", expected=2)
    with pytest.raises(RevisionMismatch) as lost:
        await store.update("/a", b"x", expected=1)
    assert lost.value.current == Entry("/a", b"1", 2, 2)
    with pytest.raises(RevisionMismatch):
        await store.delete("/a", expected=3)
    assert store.revision == 2, "a refused write takes no revision"


async def test_of_concurrent_writers_one_wins(store: TransactingStore) -> None:
    outcomes = await asyncio.gather(
        *(store.create("/a", str(n).encode()) for n in range(20)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Entry) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, KeyExists) for outcome in outcomes) == 19
    updates = await asyncio.gather(
        *(store.update("/a", b"u", expected=2) for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Entry) for outcome in updates) == 1
    assert sum(isinstance(outcome, RevisionMismatch) for outcome in updates) == 19
    assert store.revision == 3


async def test_of_several_writes_all_are_made(store: TransactingStore) -> None:
    old = await store.create("/p/old", b"1")
    kept = await store.create("/p/kept", b"1")
    watched, told = Watched(), list[int]()
    await store.watch("/p/", store.revision, watched)
    await store.watch("/p/", store.revision, lambda events: told.append(len(events)))
    writes = [
        Write("/p/new", b"1", None),
        Write("/p/kept", b"2", kept.revision),
        Write("/p/old", None, old.revision),
        Write("/p/new", b"2", 4),
    ]
    entries = await store.transact(writes)
    assert watched.summary() == [
        ("CREATE", "/p/new", 4),
        ("PUT", "/p/kept", 5),
        ("DELETE", "/p/old", 6),
        ("PUT", "/p/new", 7),
    ]
    assert told == [4], "watchers are told of all at once"
    assert [(entry.key, entry.value, entry.revision) for entry in entries] == [
        ("/p/new", b"1", 4),
        ("/p/kept", b"2", 5),
        ("/p/old", b"1", 6),
        ("/p/new", b"2", 7),
    ]
    assert [entry.key for entry in (await store.list("/p/")).entries] == ["/p/kept", "/p/new"]


async def test_of_several_writes_none_is_made_when_one_cannot_be(store: TransactingStore) -> None:
    there = await store.create("/there", b"1")
    watched = Watched()
    await store.watch("/", store.revision, watched)
    new, taken = Write("/new", b"{}", None), Write("/there", b"{}", None)
    with pytest.raises(KeyExists) as exists:
        await store.transact([new, Write("/there", b"2", there.revision), taken])
    assert exists.value.key == "/there"
    with pytest.raises(RevisionMismatch) as mismatch:
        await store.transact([new, Write("/there", None, 77)])
    assert mismatch.value.current == there
    with pytest.raises(KeyMissing):
        await store.transact([new, Write("/missing", None, 1)])
    assert (watched.events, store.revision) == ([], there.revision)
    assert (await store.transact([new]))[0].revision == there.revision + 1


async def test_of_those_who_want_the_same_key_beside_their_own_one_wins(store: TransactingStore) -> None:
    outcomes = await asyncio.gather(
        *(
            store.transact([Write("/shared", b"{}", None), Write(f"/own/{n}", b"{}", None)])
            for n in range(20)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, KeyExists) for outcome in outcomes) == 19
    assert len((await store.list("/own/")).entries) == 1


async def test_list_is_in_key_order_and_bound_to_the_prefix(store: TransactingStore) -> None:
    for key in ("/p/b", "/p/a", "/p-/x", "/q/a", "/p/é", "/p/\U0001f600", "/p"):
        await store.create(key, key.encode())
    page = await store.list("/p/")
    assert [entry.key for entry in page.entries] == ["/p/a", "/p/b", "/p/é", "/p/\U0001f600"]
    assert [entry.value for entry in page.entries] == [entry.key.encode() for entry in page.entries]
    assert len((await store.list("")).entries) == 7


async def test_pages_of_one_revision(store: TransactingStore) -> None:
    for n in range(10):
        await store.create(f"/p/{n}", b"{}")
    first = await store.list("/p/", limit=4)
    assert ([entry.key[-1] for entry in first.entries], first.remaining) == (list("0123"), 6)
    await store.delete("/p/5", expected=7)
    await store.update("/p/6", b"new", expected=8)
    await store.create("/p/55", b"{}")
    second = await store.list("/p/", limit=4, revision=first.revision, start_after="/p/3")
    assert ([entry.key[-1] for entry in second.entries], second.remaining) == (list("4567"), 2)
    assert second.entries[2].value == b"{}"
    assert second.revision == first.revision
    last = await store.list("/p/", limit=4, revision=first.revision, start_after="/p/7")
    assert ([entry.key[-1] for entry in last.entries], last.remaining) == (list("89"), 0)


async def test_list_of_the_past(store: TransactingStore) -> None:
    await store.create("/a", b"1")
    await store.update("/a", b"2", expected=2)
    await store.delete("/a", expected=3)
    await store.create("/a", b"3")
    states = [[entry.value for entry in (await store.list("/", revision=r)).entries] for r in range(1, 6)]
    assert states == [[], [b"1"], [b"2"], [], [b"3"]]
    with pytest.raises(FutureRevision):
        await store.list("/", revision=6)


async def test_watch_sees_writes_before_the_writer_is_told(store: TransactingStore) -> None:
    watched = Watched()
    await store.watch("/p/", store.revision, watched)
    created = await store.create("/p/a", b"1")
    assert [event.entry for event in watched.events] == [created]
    await store.create("/q", b"{}")
    await store.update("/p/a", b"2", expected=2)
    await store.delete("/p/a", expected=4)
    assert watched.summary() == [("CREATE", "/p/a", 2), ("PUT", "/p/a", 4), ("DELETE", "/p/a", 5)]
    gone = watched.events[-1]
    assert gone.entry == Entry("/p/a", b"", 5, 2)
    assert gone.previous == Entry("/p/a", b"2", 4, 2)


async def test_watch_from_a_revision_replays_then_goes_live(store: TransactingStore) -> None:
    await store.create("/p/a", b"1")
    await store.update("/p/a", b"2", expected=2)
    await store.create("/q", b"{}")
    watched = Watched()
    subscription = await store.watch("/p/", 2, watched)
    assert watched.summary() == [("PUT", "/p/a", 3)]
    assert watched.events[0].previous == Entry("/p/a", b"1", 2, 2)
    await store.delete("/p/a", expected=3)
    assert watched.summary()[1:] == [("DELETE", "/p/a", 5)]
    subscription.close()
    await store.create("/p/a", b"{}")
    assert len(watched.events) == 2


async def test_watches_begun_while_others_write_miss_nothing_and_repeat_nothing(
    store: TransactingStore,
) -> None:
    watches: list[Watched] = []

    async def write(name: str) -> None:
        entry = await store.create(f"/p/{name}", b"{}")
        for _ in range(15):
            entry = await store.update(entry.key, b"{}", expected=entry.revision)

    async def begin() -> None:
        for _ in range(10):
            watches.append(Watched())
            await store.watch("/p/", 1, watches[-1])
            await asyncio.sleep(0)

    await asyncio.gather(*(write(str(n)) for n in range(8)), begin())
    for watched in watches:
        assert [event.entry.revision for event in watched.events] == list(range(2, 130))


async def test_a_failing_sink_does_not_harm_others(
    store: TransactingStore, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(events: Sequence[Event]) -> None:
        raise ValueError("no")

    watched = Watched()
    await store.watch("/", 1, fail)
    await store.watch("/", 1, watched)
    await store.create("/a", b"{}")
    assert len(watched.events) == 1
    assert "failed over 1 events" in caplog.text


async def test_compaction_forgets_the_past_but_nothing_current(store: TransactingStore) -> None:
    await store.create("/a", b"1")
    await store.update("/a", b"2", expected=2)
    await store.create("/b", b"1")
    await store.delete("/b", expected=4)
    await store.create("/c", b"1")
    await store.compact(5)
    with pytest.raises(Compacted) as gone:
        await store.watch("/", 4, Watched())
    assert gone.value.oldest == 5
    with pytest.raises(Compacted):
        await store.list("/", revision=4)
    assert [entry.value for entry in (await store.list("/", revision=5)).entries] == [b"2"]
    assert [entry.key for entry in (await store.list("/")).entries] == ["/a", "/c"]
    watched = Watched()
    await store.watch("/", 5, watched)
    assert watched.summary() == [("CREATE", "/c", 6)]
    await store.update("/a", b"3", expected=3)
    assert watched.events[-1].previous == Entry("/a", b"2", 3, 2)
    await store.compact(2)  # going back changes nothing
    with pytest.raises(FutureRevision):
        await store.compact(99)


async def test_past_events_as_they_were_told(store: TransactingStore) -> None:
    watched = Watched()
    await store.watch("/a/", 1, watched)
    one = await store.create("/a/1", b"1")
    await store.create("/b/1", b"x")
    two = await store.update("/a/1", b"22", expected=one.revision)
    await store.create("/a/2", b"3")
    await store.delete("/a/1", expected=two.revision)
    last = store.revision
    assert await store.events("/a/", 1, last, limit_bytes=1000) == watched.events
    assert await store.events("/a/", one.revision, last - 1, limit_bytes=1000) == watched.events[1:-1]
    assert await store.events("/a/", last, last, limit_bytes=1000) == []
    with pytest.raises(Compacted):
        await store.events("/a/", 1, last, limit_bytes=3)
    with pytest.raises(FutureRevision):
        await store.events("/a/", 1, last + 1, limit_bytes=3)
    await store.compact(two.revision)
    with pytest.raises(Compacted):
        await store.events("/a/", one.revision, last, limit_bytes=1000)
    assert store.oldest == two.revision
    assert await store.events("/a/", two.revision, last, limit_bytes=1000) == watched.events[2:]


async def test_watch_of_the_future(store: TransactingStore) -> None:
    with pytest.raises(FutureRevision):
        await store.watch("/", 2, Watched())


async def test_keys_expire_as_ordinary_deletions(store: TransactingStore, clock: FakeClock) -> None:
    watched = Watched()
    await store.watch("/", 1, watched)
    await store.create("/late", b"{}", ttl_s=100)
    await store.create("/early", b"v", ttl_s=10)
    renewed = await store.create("/renewed", b"{}", ttl_s=10)
    kept = await store.create("/kept", b"{}", ttl_s=10)
    await store.update("/renewed", b"{}", expected=renewed.revision, ttl_s=1000)
    await store.update("/kept", b"{}", expected=kept.revision)
    await clock.advance(9)
    assert len(watched.events) == 6
    await clock.advance(2)
    await watched.until(7)
    assert watched.summary()[6:] == [("DELETE", "/early", 8)]
    await clock.advance(90)
    await watched.until(8)
    assert watched.summary()[7:] == [("DELETE", "/late", 9)]
    await clock.advance(1000)
    await watched.until(9)
    assert [entry.key for entry in (await store.list("/")).entries] == ["/kept"]


async def test_old_history_is_compacted_by_itself(store: TransactingStore, clock: FakeClock) -> None:
    entry = await store.create("/a", b"{}")
    for _ in range(5):
        entry = await store.update("/a", b"{}", expected=entry.revision)
    await clock.advance(200)
    recent = await store.create("/b", b"{}")
    assert len((await store.list("/", revision=2)).entries) == 1
    await clock.advance(115)
    await store.compact(1)  # returns once the store has caught up with what it was asked
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await store.list("/", revision=2)
            except Compacted:
                break
            await asyncio.sleep(0)
    assert len((await store.list("/", revision=recent.revision)).entries) == 2


async def test_closed_store_takes_nothing(tmp_path: Path, clock: FakeClock) -> None:
    for opener in BACKENDS:
        store = await opener(tmp_path / "s.db", clock)
        writes = [asyncio.ensure_future(store.create(f"/{n}", b"{}")) for n in range(3)]
        await asyncio.sleep(0)
        await store.close()
        assert [(await write).revision for write in writes] == [2, 3, 4], "accepted writes are finished"
        with pytest.raises(StoreClosed):
            await store.create("/b", b"{}")
        with pytest.raises(StoreClosed):
            await store.get("/b")
        await store.close()


KEYS = st.sampled_from(["/p/a", "/p/b", "/p/c", "/q/a"])
STEPS = st.lists(st.tuples(st.sampled_from("cudx"), KEYS, st.booleans()), max_size=40)


async def run_model(store: TransactingStore, steps: list[tuple[str, str, bool]]) -> None:
    """Drive the store and a dict alike; any difference fails."""
    model: dict[str, Entry] = {}
    states: dict[int, dict[str, Entry]] = {1: {}}
    watched = Watched()
    await store.watch("/p/", 1, watched)
    revision, compacted = 1, 0
    for number, (step, key, right) in enumerate(steps):
        value = str(number).encode()
        known = model.get(key)
        expected = known.revision if known and right else 10_000
        try:
            if step == "c":
                model[key] = await store.create(key, value)
                assert known is None
            elif step == "u":
                model[key] = await store.update(key, value, expected=expected)
                assert right
                assert known
                assert model[key].created == known.created
            elif step == "d":
                assert (await store.delete(key, expected=expected)).value == model.pop(key).value
                assert right
            else:
                compacted = max(compacted, revision - 3)
                await store.compact(compacted)
                continue
        except KeyExists:
            assert step == "c"
            assert known
        except KeyMissing:
            assert known is None
        except RevisionMismatch as lost:
            assert not right
            current = lost.current
            assert current == known
        else:
            revision += 1
            states[revision] = dict(model)
        assert store.revision == revision
    for at, state in states.items():
        if at >= compacted:
            page = await store.list("/", revision=at)
            assert page.entries == [state[key] for key in sorted(state)]
    replayed = Watched()
    await store.watch("/p/", compacted, replayed)
    assert replayed.events == [event for event in watched.events if event.entry.revision > compacted]


@pytest.mark.parametrize("opener", BACKENDS, ids=["memory", "sqlite"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_like_a_dict(
    opener: Opener, tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, bool]]
) -> None:
    async def run() -> None:
        store = await opener(tmp_path_factory.mktemp("model") / "store.db", FakeClock())
        try:
            await run_model(store, steps)
        finally:
            await store.close()

    asyncio.run(run())


def test_errors_are_store_errors() -> None:
    assert all(issubclass(error, StoreError) for error in (KeyExists, KeyMissing, Compacted, StoreClosed))


async def test_what_is_too_large_is_refused_whoever_writes_it(store: TransactingStore) -> None:
    full, over = bytes(MOST_VALUE_BYTES), bytes(MOST_VALUE_BYTES + 1)
    entry = await store.create("/full", full)
    sent = bytes(MOST_SENT_BYTES + 1)
    for value, words in (
        (over, "etcdserver: request is too large"),
        (sent, r"larger than max \(2097153 vs\."),
    ):
        with pytest.raises(TooLarge, match=words):
            await store.create("/over", value)
        with pytest.raises(TooLarge, match=words):
            await store.update("/full", value, expected=entry.revision, is_reserved=True)
        with pytest.raises(TooLarge, match=words):
            await store.transact([Write("/small", b"1", None), Write("/over", value, None)])
    assert (await store.list("/")).entries == [entry]


async def test_what_is_too_large_already_shrinks_is_marked_and_goes(
    store: TransactingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr("wherry.store.writes.MOST_VALUE_BYTES", 1 << 30)
        entry = await store.create("/large", bytes(MOST_SENT_BYTES))
    with pytest.raises(TooLarge):
        await store.update("/large", bytes(MOST_SENT_BYTES + 1), expected=entry.revision)
    entry = await store.update("/large", bytes(MOST_SENT_BYTES - 1), expected=entry.revision)
    marked = bytes(MOST_SENT_BYTES - 1 + MARK_BYTES)
    entry = await store.update("/large", marked, expected=entry.revision, is_mark=True)
    with pytest.raises(TooLarge):
        await store.update("/large", marked + bytes(MARK_BYTES + 1), expected=entry.revision, is_mark=True)
    await store.delete("/large", expected=entry.revision)


async def test_nothing_is_stored_as_empty(store: TransactingStore) -> None:
    entry = await store.create("/there", b"1")
    with pytest.raises(StoreError, match="empty value"):
        await store.create("/empty", b"")
    with pytest.raises(StoreError, match="empty value"):
        await store.update("/there", b"", expected=entry.revision)
    assert (await store.list("/")).entries == [entry]
