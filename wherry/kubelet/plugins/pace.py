"""How often something may happen: a token bucket."""

from __future__ import annotations

from wherry.kit.clock import Clock


class Pace:
    """`per_s` times a second in the long run, `burst` times at once (golang.org/x/time/rate, Limiter)."""

    def __init__(self, clock: Clock, per_s: float, burst: int) -> None:
        self._clock = clock
        self._per_s = per_s
        self._burst = burst
        self._left = float(burst)
        self._at = clock.monotonic()

    def is_within(self) -> bool:
        """Whether it may happen now; it counts then."""
        self._fill()
        if self._left < 1:
            return False
        self._left -= 1
        return True

    async def wait(self) -> None:
        """Return when it may happen; it counts then."""
        while not self.is_within():
            await self._clock.sleep((1 - self._left) / self._per_s)

    def _fill(self) -> None:
        now = self._clock.monotonic()
        self._left = min(self._left + (now - self._at) * self._per_s, self._burst)
        self._at = now
