"""The store in one SQLite file: durable, and fast by group commit.

Writes that arrive together (or while the disk is busy) become one batch. On the event loop each is
decided against the key's current version, a read of some ten microseconds; then the writer thread
makes the batch last with one transaction and one sync, and back on the loop, by one call, watchers
are told first and then the writers. While a batch is on its way no other is decided, so a decision
always sees all that came before. Values live in the file only.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from wherry.kit.clock import Clock
from wherry.kit.portions import Work, runs_of
from wherry.store import reading, writing
from wherry.store.alarm import Alarm
from wherry.store.base import (
    Entry,
    Event,
    FutureRevision,
    KeyMissing,
    OutOfSpace,
    Page,
    RevisionMismatch,
    Sink,
    StoreClosed,
    StoreError,
    Subscription,
)
from wherry.store.fanout import Fanout
from wherry.store.files import Files
from wherry.store.retention import History, Retention
from wherry.store.space import is_of_disk
from wherry.store.writes import Write, apply_all, written
from wherry.store.writing import WriterThread

log = logging.getLogger(__name__)

_BATCH = 512
_BATCHES_PER_STEP = 8  # under steady writing, one step of compaction comes after so many batches
_EXPIRE_AT_ONCE = 500
_RETRY_S = 30.0

_Waiting: TypeAlias = "asyncio.Future[Sequence[Entry]]"
_Queue: TypeAlias = list[tuple[Sequence[Write], _Waiting]]
"""Writes that are one, mostly a single one, and who waits for them."""


@dataclass(slots=True)
class _Batch:
    """Writes that are committed together, and what their writers will be told."""

    rows: list[writing.Row] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    outcomes: list[tuple[_Waiting, Sequence[Entry] | StoreError]] = field(default_factory=list)
    deletions: _Queue = field(default_factory=list)
    """Those of the writes that may be tried again with the reserve."""


class SqliteStore:
    """A `base.Store` in a file. Made by `open`."""

    def __init__(self, clock: Clock, thread: WriterThread, files: Files, retention: Retention) -> None:
        self._clock = clock
        self._thread = thread
        self._files = files
        self._space = files.space
        self._loop = asyncio.get_running_loop()
        self._compacted, self._revision = reading.read_state(files.decider)
        self._forget_upto = self._compacted
        self._shrinking = False
        self._keeping = False  # whether the reserve on the disk is to be laid by again
        self._queue: _Queue = []
        self._pump_due = False
        self._batches_since_step = self._rows_since_step = 0
        self._closing = False
        self._changed: list[asyncio.Future[None]] = []
        self._fanout = Fanout()
        self._alarm = Alarm(clock, self._expire)
        self._history = History(retention, clock, self._forget)

    @classmethod
    async def open(
        cls, path: Path | str, clock: Clock, *, quota_bytes: int = 0, retention: Retention | None = None
    ) -> SqliteStore:
        """Open the file at `path`, made if it is not there. `quota_bytes` bounds its size (0: the disk does).

        Raises StoreError when another process has it open or it cannot be read.
        """
        thread = WriterThread()
        try:
            files = await thread.call(lambda: Files(Path(path), quota_bytes))
            store = cls(clock, thread, files, retention or Retention())
        except (sqlite3.Error, OSError) as error:
            thread.close()
            raise StoreError(f"cannot open the store {path}: {error}") from error
        except BaseException:
            thread.close()
            raise
        store._history.start(store._compacted, store._revision)
        store._set_alarm(after=0.0)
        return store

    @property
    def revision(self) -> int:
        """The revision of the latest write that all watchers were told of."""
        return self._revision

    @property
    def oldest(self) -> int:
        """See `base.Store.oldest`."""
        return self._compacted

    @property
    def is_full(self) -> bool:
        """See `base.Store.is_full`."""
        return self._space.is_full

    async def get(self, key: str) -> Entry | None:
        """See `base.Store.get`."""
        self._check_open()
        try:
            entry = reading.read_key(self._files.decider, key)
        except sqlite3.Error as error:
            raise _failed("read", error) from error
        if entry is not None:
            await self._reached(entry.revision)
        return entry

    async def list(self, prefix: str, *, revision: int = 0, limit: int = 0, start_after: str = "") -> Page:
        """See `base.Store.list`."""
        self._check_open()
        if revision > self._revision:
            raise FutureRevision(revision, self._revision)
        try:
            page = await self._files.readers.page(prefix, revision, limit, start_after)
        except sqlite3.Error as error:
            raise _failed("read", error) from error
        await self._reached(page.revision)
        return page

    async def create(self, key: str, value: bytes, *, ttl_s: int | None = None) -> Entry:
        """See `base.Store.create`."""
        return await self._write(Write(key, value, None, self._expiry(ttl_s)))

    async def update(
        self,
        key: str,
        value: bytes,
        *,
        expected: int,
        ttl_s: int | None = None,
        is_reserved: bool = False,
        is_mark: bool = False,
    ) -> Entry:
        """See `base.Store.update`."""
        return await self._write(Write(key, value, expected, self._expiry(ttl_s), is_reserved, is_mark))

    async def delete(self, key: str, *, expected: int) -> Entry:
        """See `base.Store.delete`."""
        return await self._write(Write(key, None, expected))

    async def transact(self, writes: Sequence[Write]) -> Sequence[Entry]:
        """See `base.TransactingStore.transact`."""
        self._check_open()
        return await self._stored(writes)

    async def watch(
        self, prefix: str, after: int, sink: Sink, *, lost: Callable[[], None] | None = None
    ) -> Subscription:
        """See `base.Store.watch`."""
        self._check_open()
        upto = self._revision
        if after > upto:
            raise FutureRevision(after, upto)
        watch = self._fanout.add(prefix, sink, held=True, lost=lost)
        try:
            past = await self._files.readers.events(prefix, after, upto) if after < upto else []
        except sqlite3.Error as error:
            watch.close()
            raise _failed("read", error) from error
        except BaseException:
            watch.close()
            raise
        watch.release(past)
        return watch

    async def events(self, prefix: str, after: int, upto: int, *, limit_bytes: int) -> Sequence[Event]:
        """See `base.Store.events`."""
        self._check_open()
        if upto > self._revision:
            raise FutureRevision(upto, self._revision)
        try:
            return await self._files.readers.events(prefix, after, upto, limit_bytes)
        except sqlite3.Error as error:
            raise _failed("read", error) from error

    async def compact(self, revision: int) -> None:
        """See `base.Store.compact`."""
        self._check_open()
        if revision > self._revision:
            raise FutureRevision(revision, self._revision)
        self._forget(revision)
        while self._compacted < revision:
            if self._forget_upto < revision:
                raise StoreError("the compaction failed, the log tells why")
            await self._change()

    async def close(self) -> None:
        """See `base.Store.close`."""
        if self._closing:
            return
        self._closing = True
        self._alarm.cancel()
        self._history.close()
        self._forget_upto = self._compacted
        self._shrinking = self._keeping = False
        while self._queue or self._thread.busy:
            await self._change()
        self._fanout.close()
        self._tell_change()
        await self._thread.call(self._files.close)
        self._thread.close()

    # Waiting for the writer thread.

    def _check_open(self) -> None:
        if self._closing:
            raise StoreClosed("the store is closed")

    async def _change(self) -> None:
        """Wait until the thread has done something."""
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._changed.append(waiter)
        await waiter

    def _tell_change(self) -> None:
        waiters, self._changed = self._changed, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _reached(self, revision: int) -> None:
        """Wait until watchers were told of `revision`, which is in the file already."""
        while self._revision < revision:
            await self._change()

    # Writing.

    def _expiry(self, ttl_s: int | None) -> float | None:
        return None if ttl_s is None else self._clock.now().timestamp() + ttl_s

    async def _write(self, write: Write) -> Entry:
        self._check_open()
        return (await self._stored((write,)))[0]

    async def _stored(self, writes: Sequence[Write]) -> Sequence[Entry]:
        """What the writes come to; who wrote together goes on as each pass of the loop has room."""
        outcome = self._enqueue(writes)
        with suppress(StoreError):
            await outcome
        await runs_of(Work.WRITERS).next()
        return outcome.result()

    def _enqueue(self, writes: Sequence[Write]) -> _Waiting:
        future: _Waiting = self._loop.create_future()
        self._queue.append((writes, future))
        self._pump_soon()
        return future

    def _pump_soon(self) -> None:
        """Give the thread its next job, after what is ready to run has had its say."""
        if not self._thread.busy and not self._pump_due:
            self._pump_due = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._pump_due = False
        if self._thread.busy:
            return
        tidying = self._compacted < self._forget_upto
        if self._queue and not (tidying and self._batches_since_step >= _BATCHES_PER_STEP):
            self._start_batch()
        elif tidying:
            self._start_forgetting()
        elif self._shrinking:
            self._thread.run(lambda: writing.shrink(self._files.writer), self._shrank)
        elif self._keeping:
            self._thread.run(self._space.keep, self._kept)

    def _start_batch(self) -> None:
        taken, self._queue = self._queue[:_BATCH], self._queue[_BATCH:]
        batch = self._decide(taken)
        if not batch.rows:
            self._finish(batch, None)
            return
        self._batches_since_step += 1
        self._rows_since_step += len(batch.rows)
        self._thread.run(
            lambda: self._commit(batch),
            lambda _, error: self._finish(batch, error),
        )

    def _commit(self, batch: _Batch) -> None:
        """Write the batch, on the thread. Raises OutOfSpace, sqlite3.Error."""
        try:
            writing.commit(self._files.writer, batch.rows)
        except sqlite3.Error as error:
            if self._space.is_lacking(error):
                raise OutOfSpace from error
            raise

    def _decide(self, taken: _Queue) -> _Batch:
        """What the writes come to, one after the other; of those that are one, all or none."""
        batch = _Batch()
        pending: dict[str, Entry | None] = {}  # what this batch makes of its keys

        def current(key: str) -> Entry | None:
            return pending[key] if key in pending else reading.read_key(self._files.decider, key)

        for writes, future in taken:
            try:
                events = apply_all(writes, current, self._revision + len(batch.events))
            except (sqlite3.Error, ValueError) as error:  # ValueError: a key that is not Unicode
                batch.outcomes.append((future, _failed("read", error)))
                continue
            except StoreError as error:
                batch.outcomes.append((future, error))
                continue
            if self._refuses(writes, events):
                batch.outcomes.append((future, OutOfSpace()))
                continue
            if not [event for event in events if not event.deleted]:
                batch.deletions.append((writes, future))
            for write, event in zip(writes, events, strict=True):
                pending[write.key] = None if event.deleted else event.entry
                batch.rows.append(writing.row_of(event, write.expires_at))
            batch.events += events
            batch.outcomes.append((future, [written(event) for event in events]))
        return batch

    def _refuses(self, writes: Sequence[Write], events: Sequence[Event]) -> bool:
        """Whether there is no room for all of these. What some took is measured again soon."""
        refuses, connection = self._space.refuses, self._files.decider
        for write, event in zip(writes, events, strict=True):
            if refuses(connection, event, is_reserved=write.is_reserved):
                return True
        return False

    def _finish(self, batch: _Batch, error: Exception | None) -> None:
        """The batch is on disk, or failed as a whole: tell watchers, then writers."""
        if error is not None:
            log.error("cannot write %d versions: %s", len(batch.rows), error)
            if isinstance(error, OutOfSpace):
                error = self._make_room(batch)
        elif batch.rows:
            self._fanout.publish(batch.events)
            self._revision = batch.rows[-1].revision
            self._history.wrote(self._revision)
            self._set_alarm_for(batch.rows)
        for future, outcome in batch.outcomes:
            if future.done():
                continue
            if isinstance(error, OutOfSpace):
                future.set_exception(error)
            elif error is not None:
                future.set_exception(_failed("write", error))
            elif isinstance(outcome, StoreError):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
        if self._space.is_short:
            self._forget(self._revision)
        self._keeping = self._space.can_be_kept(self._files.decider) and not self._closing
        self._finished()

    def _make_room(self, batch: _Batch) -> OutOfSpace:
        """The disk is full, though it seemed to have room: the deletions of the batch get the reserve."""
        self._space.forget()
        if self._space.give_up():
            again = {future for _, future in batch.deletions}
            self._queue[:0] = batch.deletions
            batch.outcomes = [outcome for outcome in batch.outcomes if outcome[0] not in again]
        return OutOfSpace()

    def _finished(self) -> None:
        self._tell_change()
        self._pump_soon()

    # Forgetting history.

    def _forget(self, revision: int) -> None:
        self._forget_upto = max(self._forget_upto, revision)
        self._pump_soon()

    def _start_forgetting(self) -> None:
        # At least twice what was written since the last step, so that writing never outruns it.
        step = max(writing.COMPACT_AT_ONCE, 2 * self._rows_since_step)
        self._batches_since_step = self._rows_since_step = 0
        low, high = self._compacted, min(self._forget_upto, self._compacted + step)
        self._thread.run(
            lambda: writing.forget(self._files.writer, low, high), lambda _, error: self._forgot(high, error)
        )

    def _forgot(self, upto: int, error: Exception | None) -> None:
        if error is not None:
            log.error("cannot compact the history up to revision %d: %s", upto, error)
            self._forget_upto = self._compacted  # the next writes ask again
        else:
            self._space.forget()
            self._compacted = upto
            self._shrinking = self._compacted >= self._forget_upto and not self._closing
        self._finished()

    def _shrank(self, more: bool | None, error: Exception | None) -> None:
        if error is not None:
            log.error("cannot give free pages back: %s", error)
        self._shrinking = bool(more) and not self._closing
        self._finished()

    def _kept(self, _: None, error: Exception | None) -> None:
        self._keeping = False
        if error is not None:
            log.error("cannot lay the reserve by again: %s", error)
        self._finished()

    # Expiry.

    def _set_alarm(self, after: float) -> None:
        """Ring when the first key expires that does so later than `after`."""
        moment = reading.next_expiry(self._files.decider, after)
        if moment is not None:
            self._alarm.set_in(moment - self._clock.now().timestamp())

    def _set_alarm_for(self, rows: Sequence[writing.Row]) -> None:
        moments = [row.expires for row in rows if row.expires is not None]
        if moments and not self._closing:
            self._alarm.set_in(min(moments) - self._clock.now().timestamp())

    def _expire(self) -> None:
        now = self._clock.now().timestamp()
        try:
            due = reading.read_expired(self._files.decider, now, _EXPIRE_AT_ONCE)
            self._set_alarm(after=now)
        except sqlite3.Error:
            log.exception("cannot read what expired")
            self._alarm.set_in(_RETRY_S)
            return
        for key, revision in due:
            deletion = self._enqueue((Write(key, None, revision),))
            deletion.add_done_callback(self._expired)
        if len(due) == _EXPIRE_AT_ONCE:
            deletion.add_done_callback(self._expire_more)

    def _expired(self, deletion: _Waiting) -> None:
        if not self._closing and _is_failure(deletion):
            self._alarm.set_in(_RETRY_S)  # the failure itself was logged with its batch

    def _expire_more(self, last: _Waiting) -> None:
        if not self._closing and not _is_failure(last):
            self._expire()


def _is_failure(deletion: _Waiting) -> bool:
    """Whether the key is still there though its time has come; a renewed key is none of that."""
    error = deletion.exception()
    return error is not None and not isinstance(error, (KeyMissing, RevisionMismatch))


def _failed(what: str, error: Exception) -> StoreError:
    if is_of_disk(error):
        name = getattr(error, "sqlite_errorname", "")
        return StoreError(f"cannot {what} the store, its disk or file system fails: {error} ({name})")
    return StoreError(f"cannot {what} the store: {error}")
