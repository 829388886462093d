"""A timer for the earliest of many moments: what expiry and compaction sleep on instead of polling."""

from __future__ import annotations

from collections.abc import Callable

from wherry.kit.clock import Clock, Timer


class Alarm:
    """Calls `ring` once, at the earliest of the moments it was set to; then it must be set again."""

    def __init__(self, clock: Clock, ring: Callable[[], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._due: float | None = None
        self._timer: Timer | None = None

    def set_in(self, delay_s: float) -> None:
        """Ring in `delay_s` seconds, unless it rings sooner anyway. Needs a running event loop."""
        due = self._clock.monotonic() + max(delay_s, 0.0)
        if self._due is not None and self._due <= due:
            return
        self.cancel()
        self._due = due
        self._timer = self._clock.call_later(max(delay_s, 0.0), self._fire)

    def cancel(self) -> None:
        """Do not ring until it is set again."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._due = None

    def _fire(self) -> None:
        self._timer = self._due = None
        self._ring()
