"""Time as an argument.

Every component is handed a `Clock`, so a test moves time by hand and two clusters in one process
never share a notion of now. `SystemClock` is the real thing; `FakeClock` stands still until
`advance` is called, and then fires what fell due, in order.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Timer(Protocol):
    """A call that was scheduled and can still be called off."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """What a component may ask of time."""

    def now(self) -> datetime:
        """The wall clock: an aware datetime in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards, for measuring durations."""
        ...

    async def sleep(self, delay_s: float) -> None:
        """Return after `delay_s` seconds."""
        ...

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Run `callback` on the event loop after `delay_s` seconds, unless cancelled."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(delay_s, callback)


def _nothing() -> None:
    """What a cancelled timer calls."""


class _FakeTimer:
    __slots__ = ("callback", "cancelled")

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True
        self.callback = _nothing  # what it would have called may hold much, and is let go as asyncio does


class FakeClock:
    """A clock that moves only when told to."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 1, 1, tzinfo=UTC)
        self._monotonic = 0.0
        self._timers: list[tuple[float, int, _FakeTimer]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, delay_s: float) -> None:
        done = asyncio.get_running_loop().create_future()
        timer = self.call_later(delay_s, lambda: None if done.done() else done.set_result(None))
        try:
            await done
        finally:
            timer.cancel()

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        timer = _FakeTimer(callback)
        heapq.heappush(self._timers, (self._monotonic + max(delay_s, 0.0), next(self._order), timer))
        return timer

    async def advance(self, seconds: float) -> None:
        """Move time on, fire every timer that falls due in order, and let woken tasks run."""
        end = self._monotonic + seconds
        while self._timers and self._timers[0][0] <= end:
            due, _, timer = heapq.heappop(self._timers)
            self._move_to(due)
            if not timer.cancelled:
                timer.callback()
                await settle()
        self._move_to(end)
        await settle()

    def set_wall(self, now: datetime) -> None:
        """Somebody sets the wall clock (or the machine slept): no timer notices."""
        self._now = now

    def _move_to(self, monotonic: float) -> None:
        step = max(monotonic - self._monotonic, 0.0)
        self._monotonic += step
        self._now += timedelta(seconds=step)


async def settle(turns: int = 50) -> None:
    """Let every task that is ready run until nothing but timers and I/O is left, within `turns`."""
    for _ in range(turns):
        await asyncio.sleep(0)
