"""Reading the SQLite file: statements, rows to entries, and connections for long reads.

A read of one key runs on the event loop: it takes about ten microseconds, far less than a trip to another
thread. Longer reads begin in a thread, where SQLite finds, sorts or counts without the interpreter, however
long that takes; their rows are then fetched on the loop in slices, as a thread that fetches row by row has
to win the interpreter lock back after each one, which under load makes a listing take seconds.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from wherry.kit.portions import Work, others
from wherry.kit.tasks import shared
from wherry.store.base import Compacted, Entry, Event, FutureRevision, Page
from wherry.store.keys import prefix_end
from wherry.store.schema import connect
from wherry.store.writes import size_of

_GET = """
SELECT log.key, log.value, log.revision, log.created FROM current JOIN log USING (revision)
WHERE current.key = ?
"""
_STATE = "SELECT compacted, (SELECT max(revision) FROM log) FROM state"
_KEYS_NOW = "SELECT key, revision FROM current WHERE {range}"
# A key not written since stands as it is; of the others the first write since tells what it replaced.
_KEYS_THEN = """
SELECT key, revision FROM current WHERE revision <= :at AND {range}
UNION ALL
SELECT key, previous FROM log WHERE previous > 0 AND revision IN (
    SELECT min(revision) FROM log WHERE revision > :at AND {range} GROUP BY key)
"""
_LIST = """
SELECT log.key, log.value, log.revision, log.created
FROM (SELECT * FROM ({keys}) ORDER BY key LIMIT :limit) AS page JOIN log USING (revision)
ORDER BY page.key
"""
_COUNT = "SELECT count(*) FROM ({keys})"
_EVENTS = """
SELECT log.key, log.value, log.revision, log.created, log.deleted,
       old.value, old.revision, old.created
FROM log LEFT JOIN log AS old ON old.revision = log.previous
WHERE log.revision > :after AND log.revision <= :upto AND {range}
ORDER BY log.revision
"""
_EXPIRED = "SELECT key, revision FROM current WHERE expires <= ? ORDER BY expires LIMIT ?"
_NEXT_EXPIRY = "SELECT min(expires) FROM current WHERE expires > ?"
_SLICE = 256
_POOL = 4


def read_key(connection: sqlite3.Connection, key: str) -> Entry | None:
    """The current version of one key."""
    row = connection.execute(_GET, (key,)).fetchone()
    return None if row is None else Entry(*row)


def read_state(connection: sqlite3.Connection) -> tuple[int, int]:
    """(revision up to which history is compacted, current revision)."""
    compacted, newest = connection.execute(_STATE).fetchone()
    return compacted, max(newest or 1, compacted, 1)


def read_expired(connection: sqlite3.Connection, now: float, limit: int) -> list[tuple[str, int]]:
    """Up to `limit` keys whose time has come, each with its revision."""
    return connection.execute(_EXPIRED, (now, limit)).fetchall()


def next_expiry(connection: sqlite3.Connection, after: float) -> float | None:
    """When the first key expires later than `after`, in Unix seconds."""
    moment: float | None = connection.execute(_NEXT_EXPIRY, (after,)).fetchone()[0]
    return moment


class Readers:
    """Connections for reads that span several turns of the loop, each with a snapshot of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._free: list[sqlite3.Connection] = []
        self._closed = False
        self._threads = ThreadPoolExecutor(_POOL, thread_name_prefix="store-reader")

    def close(self) -> None:
        """Close those nobody uses now; the others close after use."""
        self._closed = True
        self._threads.shutdown(wait=False)
        while self._free:
            self._free.pop().close()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[sqlite3.Connection]:
        """A connection whose reads all see the same state."""
        connection = self._free.pop() if self._free else connect(self._path, cache_kib=2048)
        try:
            connection.execute("BEGIN")
            yield connection
        finally:
            connection.rollback()
            if len(self._free) < _POOL and not self._closed:
                self._free.append(connection)
            else:
                connection.close()

    async def page(self, prefix: str, revision: int, limit: int, start_after: str) -> Page:
        """See `base.Store.list`."""
        async with self.snapshot() as connection:
            compacted, newest = read_state(connection)
            _check(revision or newest, compacted, newest)
            where, arguments = _range(prefix, start_after)
            keys = (_KEYS_THEN if 0 < revision < newest else _KEYS_NOW).format(range=where)
            arguments |= {"at": revision, "limit": limit or -1}
            rows = self._rows(connection, _LIST.format(keys=keys), arguments)
            entries = [Entry(*row) async for row in rows]
            remaining = 0
            if limit and len(entries) == limit:
                where, rest = _range(prefix, entries[-1].key)
                keys = (_KEYS_THEN if 0 < revision < newest else _KEYS_NOW).format(range=where)
                cursor = await self._execute(connection, _COUNT.format(keys=keys), arguments | rest)
                remaining = cursor.fetchone()[0]
        return Page(entries, revision or newest, remaining)

    async def events(self, prefix: str, after: int, upto: int, limit_bytes: int = 0) -> list[Event]:
        """The events below `prefix` above revision `after`, up to `upto`.

        Raises Compacted, also when they hold more than `limit_bytes` (0: any number).
        """
        async with self.snapshot() as connection:
            compacted, _ = read_state(connection)
            _check(after, compacted, upto)
            where, arguments = _range(prefix, "", "log.key")
            arguments |= {"after": after, "upto": upto}
            found: list[Event] = []
            size = 0
            async for row in self._rows(connection, _EVENTS.format(range=where), arguments):
                event = _event(row)
                size += size_of(event)
                if limit_bytes and size > limit_bytes:
                    raise Compacted(after, upto)
                found.append(event)
            return found

    async def _rows(
        self, connection: sqlite3.Connection, statement: str, arguments: dict[str, Any]
    ) -> AsyncIterator[Sequence[Any]]:
        cursor = await self._execute(connection, statement, arguments)
        try:
            while rows := cursor.fetchmany(_SLICE):
                for row in rows:
                    yield row
                if len(rows) == _SLICE:
                    await others(Work.STORE)
        finally:
            cursor.close()

    async def _execute(
        self, connection: sqlite3.Connection, statement: str, arguments: dict[str, Any]
    ) -> sqlite3.Cursor:
        """The statement, as far as its first row. A reader that is cancelled interrupts it."""
        loop = asyncio.get_running_loop()
        execution = loop.run_in_executor(self._threads, connection.execute, statement, arguments)
        try:
            return await shared(execution, "reading")
        except asyncio.CancelledError:
            connection.interrupt()
            await asyncio.wait([execution])
            if not execution.cancelled():
                execution.exception()  # it was interrupted; nobody is left to hear of it
            raise


def _check(revision: int, compacted: int, newest: int) -> None:
    if revision < compacted:
        raise Compacted(revision, compacted)
    if revision > newest:
        raise FutureRevision(revision, newest)


def _range(prefix: str, start_after: str, column: str = "key") -> tuple[str, dict[str, Any]]:
    """A condition on keys, and its arguments."""
    arguments: dict[str, Any] = {"low": prefix, "end": prefix_end(prefix)}
    where = f"{column} >= :low"
    if start_after >= prefix and start_after:
        arguments["low"] = start_after
        where = f"{column} > :low"
    if arguments["end"]:
        where += f" AND {column} < :end"
    return where, arguments


def _event(row: Sequence[Any]) -> Event:
    key, value, revision, created, deleted, old_value, old_revision, old_created = row
    previous = None if old_revision is None else Entry(key, old_value, old_revision, old_created)
    return Event(Entry(key, value, revision, created), previous, bool(deleted))
