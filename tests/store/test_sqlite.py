"""What only the store in a file promises: it lasts, it is one process' alone, it does not grow."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import pytest

from tests.timing import PATIENCE_S
from tests.turns import TURN_S, Turns
from wherry.kit.clock import FakeClock
from wherry.store import writing
from wherry.store.base import Compacted, Event, KeyExists, StoreError
from wherry.store.retention import Retention
from wherry.store.schema import connect, prepare
from wherry.store.space import Space
from wherry.store.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


async def test_everything_is_there_after_reopening(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock())
    await store.create("/a", b"1")
    await store.update("/a", b"2", expected=2)
    await store.create("/b", b"1")
    await store.delete("/b", expected=4)
    await store.close()
    store = await SqliteStore.open(path, FakeClock())
    assert store.revision == 5
    assert [entry.value for entry in (await store.list("/")).entries] == [b"2"]
    assert [entry.key for entry in (await store.list("/", revision=4)).entries] == ["/a", "/b"]
    events: list[Event] = []
    await store.watch("/", 3, events.extend)
    assert [event.entry.revision for event in events] == [4, 5]
    await store.close()


async def test_the_revision_survives_even_when_its_row_was_compacted(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock())
    await store.create("/a", b"1")
    await store.delete("/a", expected=2)
    await store.compact(3)
    await store.close()
    store = await SqliteStore.open(path, FakeClock())
    assert store.revision == 3
    assert (await store.create("/a", b"{}")).revision == 4
    with pytest.raises(Compacted):
        await store.watch("/", 2, lambda events: None)
    await store.close()


async def test_expiry_goes_on_after_a_restart(path: Path) -> None:
    clock = FakeClock()
    store = await SqliteStore.open(path, clock)
    await store.create("/short", b"{}", ttl_s=10)
    await store.create("/long", b"{}", ttl_s=1000)
    await store.close()
    await clock.advance(500)
    store = await SqliteStore.open(path, clock)
    gone = asyncio.Event()
    await store.watch("/", store.revision, lambda events: gone.set())
    await clock.advance(0)
    async with asyncio.timeout(PATIENCE_S):
        await gone.wait()
    assert [entry.key for entry in (await store.list("/")).entries] == ["/long"]
    await store.close()


async def test_many_keys_that_expire_at_once_all_go(path: Path) -> None:
    clock = FakeClock()
    store = await SqliteStore.open(path, clock)
    await asyncio.gather(*(store.create(f"/{n}", b"{}", ttl_s=10) for n in range(1200)))
    deleted: list[Event] = []
    changed = asyncio.Event()

    def sink(events: Sequence[Event]) -> None:
        deleted.extend(events)
        changed.set()

    await store.watch("/", store.revision, sink)
    async with asyncio.timeout(PATIENCE_S):
        await clock.advance(10)
        while len(deleted) < 1200:
            changed.clear()
            await changed.wait()
    assert (await store.list("/")).entries == []
    await store.close()


async def test_a_second_opener_is_told_who_has_it(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock())
    with pytest.raises(StoreError, match=r"in use by process \d+"):
        await SqliteStore.open(path, FakeClock())
    await store.close()
    await (await SqliteStore.open(path, FakeClock())).close()


async def test_a_disk_without_room_to_open_the_file_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("wherry.store.files.connect", fail)
    monkeypatch.setattr(Space, "is_lacking", lambda self, error: True)
    with pytest.raises(StoreError, match=f"its disk is full; free space there: df -h {tmp_path}"):
        await SqliteStore.open(tmp_path / "s.db", FakeClock())


async def test_other_files_are_refused(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE t (x)")
    other.close()
    with pytest.raises(StoreError, match="not a store"):
        await SqliteStore.open(path, FakeClock())
    path.write_bytes(b"no database at all, but some text" * 100)
    with pytest.raises(StoreError, match="cannot open"):
        await SqliteStore.open(path, FakeClock())


async def test_a_file_of_a_newer_version_is_refused(path: Path) -> None:
    await (await SqliteStore.open(path, FakeClock())).close()
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(StoreError, match="newer version"):
        await SqliteStore.open(path, FakeClock())


async def test_the_file_is_its_owners_alone(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock())
    await store.create("/secret", b"{}")
    assert {file.stat().st_mode & 0o077 for file in path.parent.iterdir()} == {0}
    await store.close()


async def attempt(store: SqliteStore, number: int) -> str:
    try:
        await store.create(f"/{number:03}", bytes(4000))
    except StoreError as error:
        return str(error)
    return ""


async def test_a_full_disk_fails_the_write_and_leaves_the_rest_readable(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = await SqliteStore.open(path, FakeClock(), quota_bytes=200_000)
    told: list[Event] = []
    await store.watch("/", 1, told.extend)
    outcomes = [await attempt(store, number) for number in range(200)]
    acknowledged = outcomes.index("etcdserver: mvcc: database space exceeded")
    assert 10 < acknowledged < 60
    assert len(told) == acknowledged == store.revision - 1
    assert len((await store.list("/")).entries) == acknowledged
    with pytest.raises(KeyExists):
        await store.create("/000", b"{}")
    await store.close()
    store = await SqliteStore.open(path, FakeClock())
    assert len((await store.list("/")).entries) == acknowledged
    assert (await store.create("/more", bytes(4000))).revision == acknowledged + 2
    await store.close()


async def test_a_failing_disk_fails_every_writer_of_the_batch(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await SqliteStore.open(path, FakeClock())

    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr("wherry.store.writing.commit", fail)
        outcomes = await asyncio.gather(
            *(store.create(f"/{n}", b"{}") for n in range(3)), return_exceptions=True
        )
        assert [str(outcome) for outcome in outcomes] == ["cannot write the store: disk I/O error"] * 3
    assert store.revision == 1
    assert (await store.create("/0", b"{}")).revision == 2
    await store.close()


async def test_large_batches_are_one_transaction(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock())
    batches: list[int] = []
    await store.watch("/", 1, lambda events: batches.append(len(events)))
    entries = await asyncio.gather(*(store.create(f"/{n}", b"v") for n in range(200)))
    assert batches == [200]
    assert [entry.revision for entry in entries] == list(range(2, 202))
    await store.close()


async def test_writes_to_one_key_within_a_batch_follow_each_other(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock())
    told: list[Event] = []
    await store.watch("/", 1, told.extend)
    _, _, late, _, again = await asyncio.gather(
        store.create("/a", b"1"),
        store.update("/a", b"2", expected=2),
        store.update("/a", b"x", expected=2),
        store.delete("/a", expected=3),
        store.create("/a", b"3"),
        return_exceptions=True,
    )
    assert [event.entry.revision for event in told] == [2, 3, 4, 5]
    assert [event.previous.value if event.previous else None for event in told] == [None, b"1", b"2", None]
    assert isinstance(late, StoreError)
    assert (await store.get("/a")) == again
    assert [len((await store.list("/", revision=r)).entries) for r in (2, 3, 4, 5)] == [1, 1, 0, 1]
    await store.close()


async def test_a_cancelled_writer_harms_nobody(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock())
    first = asyncio.ensure_future(store.create("/a", b"{}"))
    second = asyncio.ensure_future(store.create("/b", b"{}"))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).revision == 3
    assert await store.get("/a") is not None
    await store.close()


async def test_steady_writing_does_not_grow_the_file(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock(), retention=Retention(revisions=200))
    entries = await asyncio.gather(*(store.create(f"/{n}", bytes(2000)) for n in range(20)))
    sizes = []
    for _ in range(12):
        for _ in range(10):
            entries = await asyncio.gather(
                *(store.update(entry.key, bytes(2000), expected=entry.revision) for entry in entries)
            )
        sizes.append(path.stat().st_size + path.with_name("store.db-wal").stat().st_size)
    assert sizes[-1] < 1.3 * sizes[len(sizes) // 2], sizes
    await store.close()


def test_space_is_given_back_in_steps_but_not_all(path: Path) -> None:
    connection = connect(path, cache_kib=1024)
    prepare(connection, path, 0)
    writing.commit(
        connection, [writing.Row(2 + n, f"/{n}", 2 + n, 0, False, None, bytes(4000)) for n in range(3000)]
    )
    connection.execute("DELETE FROM log")
    steps = 1
    while writing.shrink(connection):
        steps += 1
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.close()
    assert steps == (3000 - 1024) // 128 + 1
    assert 1024 < pages < 1200


async def test_who_wrote_together_goes_on_in_portions(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much each of 500 does next; those whose write failed, too."""
    turns = Turns.installed(monkeypatch)
    store = await SqliteStore.open(path, FakeClock())
    await store.create("/taken", b"{}")
    commits: list[int] = []
    commit = writing.commit

    def counted(connection: sqlite3.Connection, rows: Sequence[writing.Row]) -> None:
        commits.append(len(rows))
        commit(connection, rows)

    monkeypatch.setattr(writing, "commit", counted)

    async def write(number: int) -> None:
        if number % 5:
            await store.create(f"/{number}", b"{}")
        else:
            with pytest.raises(KeyExists):
                await store.create("/taken", b"{}")
        turns.work(number, TURN_S / 2)

    found = await turns.of([asyncio.create_task(write(number)) for number in range(500)])
    assert commits == [400], "all of it is one commit"
    assert max(map(len, found)) <= 2
    assert [*chain(*found)] == [*range(500)], "first come, first served"
    assert len(found) <= 260, "no turn is wasted"
    await store.close()
