"""A full store can always be emptied: by quota, on a full disk, and after a restart."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from errno import ENOSPC
from pathlib import Path

import pytest

from tests.timing import PATIENCE_S
from wherry.kit.clock import FakeClock
from wherry.store import writing
from wherry.store.base import Entry, OutOfSpace, StoreError
from wherry.store.sqlite import SqliteStore

QUOTA = 2_000_000
DISK_MB = 64


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(path, FakeClock(), quota_bytes=QUOTA)
    yield opened
    await opened.close()


async def fill(store: SqliteStore, size: int = 3000, at_once: int = 1) -> list[Entry]:
    """Create until nothing more is taken."""
    made: list[Entry] = []
    while True:
        keys = [f"/{len(made) + number:06}" for number in range(at_once)]
        results = await asyncio.gather(
            *(store.create(key, os.urandom(size)) for key in keys), return_exceptions=True
        )
        made += [result for result in results if isinstance(result, Entry)]
        refused = [result for result in results if isinstance(result, BaseException)]
        if refused:
            assert all(isinstance(error, OutOfSpace) for error in refused), refused
            return made


async def empty(store: SqliteStore, entries: list[Entry], at_once: int) -> None:
    for start in range(0, len(entries), at_once):
        some = entries[start : start + at_once]
        await asyncio.gather(*(store.delete(entry.key, expected=entry.revision) for entry in some))


async def room(store: SqliteStore) -> None:
    """Until something can be created again; everything that has to happen is under way already."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await store.create("/room", bytes(3000))
            except OutOfSpace:
                await store._change()
            else:
                return


@pytest.mark.parametrize("at_once", [1, 50])
async def test_everything_can_be_deleted_from_a_full_store(
    store: SqliteStore, path: Path, at_once: int
) -> None:
    made = await fill(store, at_once=at_once)
    assert path.stat().st_size < QUOTA
    await empty(store, made, at_once)
    await room(store)
    assert len(await fill(store, at_once=at_once)) > len(made) * 0.8, "the space came back, without waiting"
    assert path.stat().st_size <= QUOTA


async def test_what_does_not_grow_goes_on(store: SqliteStore) -> None:
    made = await fill(store)
    for turn in range(300):
        made[0] = await store.update(made[0].key, bytes(3000), expected=made[0].revision)
        made[1] = await store.update(made[1].key, bytes(10), expected=made[1].revision)
        if turn % 10 == 0:
            await store.compact(store.revision)
    with pytest.raises(OutOfSpace):
        await store.update(made[0].key, bytes(100_000), expected=made[0].revision)


async def test_steps_of_a_deletion_may_take_the_reserve(store: SqliteStore) -> None:
    (first, *_) = await fill(store)
    with pytest.raises(OutOfSpace):
        await store.update(first.key, bytes(3100), expected=first.revision)
    marked = await store.update(first.key, bytes(3100), expected=first.revision, is_reserved=True)
    await store.delete(first.key, expected=marked.revision)


async def test_a_full_store_can_be_emptied_after_a_restart(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock(), quota_bytes=QUOTA)
    made = await fill(store)
    await store.close()
    store = await SqliteStore.open(path, FakeClock(), quota_bytes=QUOTA // 2)  # and the quota was lowered
    with pytest.raises(OutOfSpace):
        await store.create("/more", bytes(3000))
    await empty(store, made, 20)
    await room(store)
    await store.close()


async def test_the_reserve_is_for_deletions_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk turns out to be full only when writing: others filled it."""
    store = await SqliteStore.open(path, FakeClock())
    kept = [await store.create(f"/{number}", bytes(100)) for number in range(3)]
    reserve = path.with_name("store.db.reserve")
    assert reserve.stat().st_size > 1_000_000
    is_full = True
    real = writing.commit

    def commit(connection: object, rows: object) -> None:
        if is_full and reserve.exists():
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        real(connection, rows)  # type: ignore[arg-type]

    monkeypatch.setattr(writing, "commit", commit)
    results = await asyncio.gather(
        store.create("/new", b"{}"),
        store.delete("/0", expected=kept[0].revision),
        store.delete("/1", expected=kept[1].revision),
        return_exceptions=True,
    )
    assert isinstance(results[0], OutOfSpace)
    assert [type(result) for result in results[1:]] == [Entry, Entry]
    is_full = False
    await store.create("/new", b"{}")
    async with asyncio.timeout(PATIENCE_S):
        while not reserve.exists():
            await store._change()
    await store.close()


@pytest.mark.parametrize(
    ("code", "name"),
    [(sqlite3.SQLITE_IOERR_WRITE, "SQLITE_IOERR_WRITE"), (sqlite3.SQLITE_CANTOPEN, "SQLITE_CANTOPEN")],
)
async def test_a_disk_that_fails_is_not_told_to_be_full(
    path: Path, monkeypatch: pytest.MonkeyPatch, code: int, name: str
) -> None:
    store = await SqliteStore.open(path, FakeClock())
    reserve = path.with_name("store.db.reserve")

    def commit(*_: object) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode, error.sqlite_errorname = code, name
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(writing, "commit", commit)
        with pytest.raises(StoreError, match=f"disk or file system fails: disk I/O error .{name}.") as told:
            await store.create("/new", b"{}")
        assert not isinstance(told.value, OutOfSpace)
        assert reserve.exists(), "the reserve is of no help there"
        monkeypatch.setattr(os, "posix_fallocate", full)
        with pytest.raises(OutOfSpace):
            await store.create("/new", b"{}")
    monkeypatch.undo()
    await store.create("/new", b"{}")
    await store.close()


def full(*_: object) -> None:
    raise OSError(ENOSPC, "No space left on device")


def fill_disk(ballast: Path) -> None:
    """Write until nothing more fits."""
    descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    try:
        for size in (1 << 20, 1 << 12):
            while has_room(descriptor, size):
                pass
    finally:
        os.close(descriptor)


def has_room(descriptor: int, size: int) -> bool:
    """Whether so many bytes could be written."""
    try:
        return os.write(descriptor, bytes(size)) == size
    except OSError:
        return False


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "none", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.cluster
@pytest.mark.parametrize("others_mb", [0, DISK_MB])
async def test_a_full_disk_can_be_emptied(small_disk: Path, others_mb: int) -> None:
    path = small_disk / "store.db"
    store = await SqliteStore.open(path, FakeClock())
    made = [await store.create(f"/first/{number}", os.urandom(3000)) for number in range(50)]
    ballast = small_disk / "ballast"
    if others_mb:
        fill_disk(ballast)
        with pytest.raises(StoreError):
            await store.create("/more", bytes(3000))
    else:
        made += await fill(store, at_once=20)
        assert len(made) > 8000
    half = len(made) // 2
    await empty(store, made[:half], 20)
    await store.close()
    store = await SqliteStore.open(path, FakeClock())
    await empty(store, made[half:], 20)
    assert (await store.list("/")).entries == []
    if others_mb:
        ballast.unlink()
    await room(store)
    assert len(await fill(store, at_once=20)) > 8000
    await store.close()
