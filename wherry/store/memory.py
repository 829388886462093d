"""The store in memory: for tests, and for clusters that need not outlive their process.

It keeps the same promises as the durable ones (the contract suite runs over all), except surviving.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from wherry.kit.clock import Clock
from wherry.store.alarm import Alarm
from wherry.store.base import (
    Compacted,
    Entry,
    Event,
    FutureRevision,
    Page,
    Sink,
    StoreClosed,
    Subscription,
)
from wherry.store.fanout import Fanout
from wherry.store.keys import prefix_end
from wherry.store.retention import History, Retention
from wherry.store.writes import Write, apply_all, size_of, written


@dataclass(frozen=True, slots=True)
class Image:
    """What a store held at one moment. Entries are shared, never copied: they do not change."""

    retention: Retention
    current: Mapping[str, Entry]
    keys: Sequence[str]
    log: Sequence[Event]
    expiries: Sequence[tuple[float, str, int]]
    revision: int
    compacted: int


class MemoryStore:
    """A `base.Store` over dicts. `retention` says how much history stays."""

    def __init__(self, clock: Clock, *, retention: Retention | None = None) -> None:
        self._clock = clock
        self._current: dict[str, Entry] = {}
        self._keys: list[str] = []
        self._log: deque[Event] = deque()
        self._revision = 1
        self._compacted = 0
        self._closed = False
        self._fanout = Fanout()
        self._expiries: list[tuple[float, str, int]] = []
        self._alarm = Alarm(clock, self._expire)
        self._retention = retention or Retention()
        self._history = History(self._retention, clock, self._forget)

    def image(self) -> Image:
        """What this store holds and remembers now."""
        return Image(
            self._retention,
            dict(self._current),
            tuple(self._keys),
            tuple(self._log),
            tuple(self._expiries),
            self._revision,
            self._compacted,
        )

    @classmethod
    def from_image(cls, image: Image, clock: Clock) -> MemoryStore:
        """A store of its own under `clock` that begins with `image`."""
        made = cls(clock, retention=image.retention)
        made._current = dict(image.current)
        made._keys = list(image.keys)
        made._log = deque(image.log)
        made._expiries = list(image.expiries)
        made._revision, made._compacted = image.revision, image.compacted
        if made._expiries:
            made._alarm.set_in(made._expiries[0][0] - clock.now().timestamp())
        made._history.start(made._compacted, made._revision)
        return made

    def copy(self, clock: Clock) -> MemoryStore:
        """A store of its own under `clock`, with what this one holds and remembers; watches stay here."""
        return self.from_image(self.image(), clock)

    @property
    def revision(self) -> int:
        """The revision of the latest write."""
        return self._revision

    @property
    def oldest(self) -> int:
        """See `base.Store.oldest`."""
        return self._compacted

    @property
    def is_full(self) -> bool:
        """See `base.Store.is_full`; what the machine has is its only bound."""
        return False

    async def get(self, key: str) -> Entry | None:
        """See `base.Store.get`."""
        self._check_open()
        return self._current.get(key)

    async def list(self, prefix: str, *, revision: int = 0, limit: int = 0, start_after: str = "") -> Page:
        """See `base.Store.list`."""
        self._check_open()
        if revision and revision != self._revision:
            self._check_kept(revision)
            state = self._state_at(revision)
            keys = sorted(state)
        else:
            state, keys = self._current, self._keys
        end = prefix_end(prefix)
        low = bisect_left(keys, prefix)
        if start_after >= prefix:
            low = max(low, bisect_right(keys, start_after))
        high = bisect_left(keys, end) if end else len(keys)
        stop = min(high, low + limit) if limit else high
        entries = [state[key] for key in keys[low:stop]]
        return Page(entries, revision or self._revision, max(high - stop, 0))

    async def create(self, key: str, value: bytes, *, ttl_s: int | None = None) -> Entry:
        """See `base.Store.create`."""
        return self._write(Write(key, value, None, self._expiry(ttl_s)))

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
        return self._write(Write(key, value, expected, self._expiry(ttl_s), is_mark=is_mark))

    async def delete(self, key: str, *, expected: int) -> Entry:
        """See `base.Store.delete`."""
        return self._write(Write(key, None, expected))

    async def transact(self, writes: Sequence[Write]) -> Sequence[Entry]:
        """See `base.TransactingStore.transact`."""
        return [written(event) for event in self._write_all(writes)]

    async def watch(
        self, prefix: str, after: int, sink: Sink, *, lost: Callable[[], None] | None = None
    ) -> Subscription:
        """See `base.Store.watch`."""
        self._check_open()
        self._check_kept(after)
        past = self._past(prefix, after)
        watch = self._fanout.add(prefix, sink, held=True, lost=lost)
        watch.release(past)
        return watch

    async def events(self, prefix: str, after: int, upto: int, *, limit_bytes: int) -> Sequence[Event]:
        """See `base.Store.events`."""
        self._check_open()
        self._check_kept(after)
        self._check_kept(upto)
        found = [event for event in self._past(prefix, after) if event.entry.revision <= upto]
        if sum(size_of(event) for event in found) > limit_bytes:
            raise Compacted(after, upto)
        return found

    async def compact(self, revision: int) -> None:
        """See `base.Store.compact`."""
        self._check_open()
        if revision > self._revision:
            raise FutureRevision(revision, self._revision)
        self._forget(revision)

    async def close(self) -> None:
        """See `base.Store.close`."""
        self._closed = True
        self._alarm.cancel()
        self._history.close()
        self._fanout.close()

    def _past(self, prefix: str, after: int) -> Sequence[Event]:
        past: list[Event] = []
        for event in reversed(self._log):
            if event.entry.revision <= after:
                break
            if event.entry.key.startswith(prefix):
                past.append(event)
        past.reverse()
        return past

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed("the store is closed")

    def _check_kept(self, revision: int) -> None:
        if revision < self._compacted:
            raise Compacted(revision, self._compacted)
        if revision > self._revision:
            raise FutureRevision(revision, self._revision)

    def _state_at(self, revision: int) -> dict[str, Entry]:
        state = dict(self._current)
        for event in reversed(self._log):
            if event.entry.revision <= revision:
                break
            if event.previous is None:
                state.pop(event.entry.key, None)
            else:
                state[event.entry.key] = event.previous
        return state

    def _expiry(self, ttl_s: int | None) -> float | None:
        return None if ttl_s is None else self._clock.now().timestamp() + ttl_s

    def _write(self, write: Write) -> Entry:
        return written(self._write_all((write,))[0])

    def _write_all(self, writes: Sequence[Write]) -> Sequence[Event]:
        self._check_open()
        events = apply_all(writes, self._current.get, self._revision)
        for write, event in zip(writes, events, strict=True):
            self._keep(write, event)
        self._fanout.publish(events)
        self._revision += len(events)
        self._history.wrote(self._revision)
        return events

    def _keep(self, write: Write, event: Event) -> None:
        if event.deleted:
            del self._current[write.key]
            del self._keys[bisect_left(self._keys, write.key)]
        else:
            if event.previous is None:
                insort(self._keys, write.key)
            self._current[write.key] = event.entry
        self._log.append(event)
        if write.expires_at is not None:
            heapq.heappush(self._expiries, (write.expires_at, write.key, event.entry.revision))
            self._alarm.set_in(write.expires_at - self._clock.now().timestamp())

    def _expire(self) -> None:
        now = self._clock.now().timestamp()
        while self._expiries and self._expiries[0][0] <= now:
            _, key, revision = heapq.heappop(self._expiries)
            entry = self._current.get(key)
            if entry is not None and entry.revision == revision:
                self._write(Write(key, None, revision))
        if self._expiries:
            self._alarm.set_in(self._expiries[0][0] - now)

    def _forget(self, revision: int) -> None:
        self._compacted = max(self._compacted, revision)
        while self._log and self._log[0].entry.revision <= self._compacted:
            self._log.popleft()
