"""Many moments, one timer: callbacks by the time they are due, on an injected clock."""

from __future__ import annotations

import heapq
import itertools
import logging
from collections.abc import Callable

from wherry.kit.clock import Clock, Timer

log = logging.getLogger(__name__)

PORTION = 200
"""Callbacks in one go; others have their turn between."""

SWEEP = 1000
"""Entries beyond twice those that wait before alarms called off are looked for."""


class Alarm:
    """A callback that waits for its time and can be called off."""

    __slots__ = ("callback", "due")

    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due = due
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Never call; what was called already stays so."""
        self.callback = None


class Timers:
    """A heap of alarms; those of one moment go off in the order they were set."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Alarm]] = []
        self._order = itertools.count()
        self._timer: Timer | None = None
        self._timer_due = 0.0
        self._is_closed = False
        self._sweep_at = SWEEP

    def __len__(self) -> int:
        return sum(alarm.callback is not None for _, _, alarm in self._heap)

    @property
    def size(self) -> int:
        """Entries kept, those called off included."""
        return len(self._heap)

    def at(self, due: float, callback: Callable[[], None]) -> Alarm:
        """Call `callback` when the clock's `monotonic` has reached `due`, from the event loop."""
        alarm = Alarm(due, callback)
        heapq.heappush(self._heap, (due, next(self._order), alarm))
        if len(self._heap) >= self._sweep_at:
            self._sweep()
        self._arm()
        return alarm

    def close(self) -> None:
        """Call nothing any more."""
        self._is_closed = True
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        """Let go of alarms called off long before their time, so that the heap is as large as what waits."""
        self._heap = [entry for entry in self._heap if entry[2].callback is not None]
        heapq.heapify(self._heap)
        self._sweep_at = 2 * len(self._heap) + SWEEP

    def _arm(self) -> None:
        while self._heap and self._heap[0][2].callback is None:
            heapq.heappop(self._heap)
        if not self._heap or self._is_closed:
            return
        due = self._heap[0][0]
        if self._timer is not None:
            if self._timer_due <= due:
                return
            self._timer.cancel()
        self._timer_due = due
        self._timer = self._clock.call_later(max(due - self._clock.monotonic(), 0.0), self._go_off)

    def _go_off(self) -> None:
        self._timer = None
        now = self._clock.monotonic()
        for _ in range(PORTION):
            if not self._heap or self._heap[0][0] > now:
                break
            callback = heapq.heappop(self._heap)[2].callback
            if callback is None:
                continue
            try:
                callback()
            except Exception:
                # One object's fault must not cost the others their time.
                log.exception("a timer failed")
        self._arm()
