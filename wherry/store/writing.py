"""What the SQLite store's writer thread does: commit batches, and forget history in small steps.

A single thread writes, so writers never meet a lock. What it runs are few calls into SQLite, since
each gives up the interpreter lock and must win it back from a busy event loop.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from wherry.store.base import Event

T = TypeVar("T")

ROWS_AT_ONCE = 64
COMPACT_AT_ONCE = 500
_VACUUM_PAGES = 128
_FREE_PAGES_KEPT = 1024

_COLUMNS = "(revision, key, created, previous, deleted, expires, value)"

_FORGET = (
    "BEGIN IMMEDIATE",
    """DELETE FROM log WHERE revision IN
       (SELECT previous FROM log WHERE revision > :low AND revision <= :high AND previous > 0)""",
    "DELETE FROM log WHERE revision > :low AND revision <= :high AND deleted",
    "UPDATE state SET compacted = :high",
    "COMMIT",
)


class WriterThread:
    """One thread, one job at a time; what came of it arrives on the loop as one call."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self.busy = False

    def run(self, work: Callable[[], T], done: Callable[[T | None, Exception | None], None]) -> None:
        """Run `work` on the thread, which must not be `busy`, then `done(result, error)` on the loop."""

        def finish(result: T | None, error: Exception | None) -> None:
            self.busy = False
            done(result, error)

        def job() -> None:
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 - whoever waits on the loop is told
                self._loop.call_soon_threadsafe(finish, None, error)
            else:
                self._loop.call_soon_threadsafe(finish, result, None)

        self.busy = True
        self._pool.submit(job)

    async def call(self, work: Callable[[], T]) -> T:
        """Run `work` on the thread, after the job it has; its result, or what it raised."""
        return await self._loop.run_in_executor(self._pool, work)

    def close(self) -> None:
        """End the thread after the job it has."""
        self._pool.shutdown(wait=False)


class Row(NamedTuple):
    """One row of the log."""

    revision: int
    key: str
    created: int
    previous: int
    deleted: bool
    expires: float | None
    value: bytes


def row_of(event: Event, expires: float | None) -> Row:
    """The row that makes an event last."""
    entry = event.entry
    previous = event.previous.revision if event.previous is not None else 0
    return Row(entry.revision, entry.key, entry.created, previous, event.deleted, expires, entry.value)


def commit(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Write `rows` in one transaction; when this returns they are on disk. Raises sqlite3.Error."""
    if len(rows) <= ROWS_AT_ONCE:
        _insert(connection, rows)  # SQLite commits a lone statement by itself
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for start in range(0, len(rows), ROWS_AT_ONCE):
            _insert(connection, rows[start : start + ROWS_AT_ONCE])
        connection.execute("COMMIT")
    except BaseException:
        _roll_back(connection)
        raise


def forget(connection: sqlite3.Connection, low: int, high: int) -> None:
    """Delete what writes above `low` and up to `high` replaced, and tombstones among them.

    Raises sqlite3.Error; then nothing was deleted.
    """
    try:
        for statement in _FORGET:
            connection.execute(statement, {"low": low, "high": high})
    except BaseException:
        _roll_back(connection)
        raise


def shrink(connection: sqlite3.Connection) -> bool:
    """Give some free pages back to the file system; whether there are more to give.

    Some stay, as the next writes need them again. Raises sqlite3.Error.
    """
    free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    used = connection.execute("PRAGMA page_count").fetchone()[0] - free
    excess = free - max(_FREE_PAGES_KEPT, used // 4)
    if excess <= 0:
        return False
    # The statement frees one page per step; only a script is stepped to its end, having no columns.
    connection.executescript(f"PRAGMA incremental_vacuum({min(excess, _VACUUM_PAGES)});")
    return bool(excess > _VACUUM_PAGES)


def _insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    places = ",".join(["(?,?,?,?,?,?,?)"] * len(rows))
    values: list[Any] = [value for row in rows for value in row]
    connection.execute(f"INSERT INTO log {_COLUMNS} VALUES {places}", values)  # noqa: S608 - only our own text


def _roll_back(connection: sqlite3.Connection) -> None:
    # SQLite rolls back by itself on a full disk and the like, and then there is nothing left to do.
    if connection.in_transaction:
        connection.execute("ROLLBACK")
