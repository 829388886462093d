"""A queue of keys that never hands out one key twice at once.

The heart of every controller (the idea is client-go's workqueue): adding a key that is waiting
changes nothing, adding one that is being worked on makes it wait until `done`. Failures are
retried with exponential back-off per key; `forget` resets it. Delays use the injected clock.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from wherry.kit.clock import Clock, Timer

K = TypeVar("K", bound=Hashable)

BASE_DELAY_S = 0.005
MAX_DELAY_S = 1000.0


class QueueClosed(Exception):
    """The queue was closed and is empty: workers end."""


class WorkQueue(Generic[K]):
    """Waiting keys in order of arrival, each at most once, none while it is being worked on."""

    def __init__(
        self, clock: Clock, base_delay_s: float = BASE_DELAY_S, max_delay_s: float = MAX_DELAY_S
    ) -> None:
        self._clock = clock
        self._base_delay_s = base_delay_s
        self._max_delay_s = max_delay_s
        self._waiting: deque[K] = deque()
        self._dirty: set[K] = set()
        self._working: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, tuple[float, Timer]] = {}
        self._getters: deque[asyncio.Future[None]] = deque()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: K) -> None:
        """Let `key` be worked on as soon as a worker is free."""
        if self._closed or key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._working:
            self._waiting.append(key)
            self._wake()

    def add_after(self, key: K, delay_s: float) -> None:
        """Add `key` after `delay_s` seconds; of several delays for one key the earliest wins."""
        if self._closed:
            return
        if delay_s <= 0:
            self.add(key)
            return
        due = self._clock.monotonic() + delay_s
        pending = self._timers.get(key)
        if pending is not None:
            if pending[0] <= due:
                return
            pending[1].cancel()
        self._timers[key] = (due, self._clock.call_later(delay_s, lambda: self._fire(key)))

    def add_failed(self, key: K) -> float:
        """Add `key` after its back-off, which doubles with each failure; the delay in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay_s: float = min(self._base_delay_s * 2.0 ** min(failures, 60), self._max_delay_s)
        self.add_after(key, delay_s)
        return delay_s

    def forget(self, key: K) -> None:
        """The key succeeded: its next failure starts from the shortest back-off again."""
        self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        """How often the key failed since it was last forgotten."""
        return self._failures.get(key, 0)

    async def get(self) -> K:
        """The next key; the caller must call `done` with it. Raises QueueClosed once closed."""
        while not self._waiting:
            if self._closed:
                raise QueueClosed
            getter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except asyncio.CancelledError:
                if getter.done() and not getter.cancelled():
                    self._wake()  # the wake-up was ours: pass it on
                raise
        key = self._waiting.popleft()
        self._dirty.discard(key)
        self._working.add(key)
        return key

    def done(self, key: K) -> None:
        """The worker is finished with `key`; if it was added meanwhile, it waits again."""
        self._working.discard(key)
        if key in self._dirty:
            self._waiting.append(key)
            self._wake()

    def close(self) -> None:
        """Take no more keys; workers end when the waiting ones are gone."""
        self._closed = True
        for _, timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        while self._getters:
            self._wake()

    def _fire(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _wake(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return
