"""How long to wait before trying again: doubling per failure, forgotten after a good while.

The delay runs from the moment of the failure (a container's end, a pull's error), so that time spent
elsewhere counts, and from the first time it is asked for by a clock that nobody sets. An entry is as good as
new when nothing failed for twice the longest delay.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from wherry.kit.clock import Clock

FIRST_DELAY_S = 10.0
LONGEST_DELAY_S = 300.0


@dataclass(slots=True)
class _Entry:
    delay_s: float
    updated: datetime
    since: datetime | None = None
    """The failure somebody waits after, and until when (monotonic)."""
    until: float = 0.0


class BackOff:
    """Delays by key, in seconds."""

    def __init__(
        self, clock: Clock, first_s: float = FIRST_DELAY_S, longest_s: float = LONGEST_DELAY_S
    ) -> None:
        self._clock = clock
        self._first_s = first_s
        self._longest_s = longest_s
        self._entries: dict[str, _Entry] = {}

    def remaining_s(self, key: str, since: datetime) -> float:
        """Seconds still to wait after a failure at `since`; 0 when it may be tried now."""
        entry = self._entries.get(key)
        if entry is None or self._is_stale(entry, since):
            return 0.0
        now = self._clock.monotonic()
        if entry.since != since:
            # The wall clock is asked once: one that is set back meanwhile makes nobody wait longer.
            passed_s = max((self._clock.now() - since).total_seconds(), 0.0)
            entry.since, entry.until = since, now + entry.delay_s - passed_s
        return max(0.0, entry.until - now)

    def remaining_since_tried_s(self, key: str) -> float:
        """Seconds still to wait since it was last tried (`advance`): for failures without a time."""
        entry = self._entries.get(key)
        return self.remaining_s(key, entry.updated) if entry is not None else 0.0

    def delay_s(self, key: str) -> float:
        """The whole delay in force for `key`, 0 without one."""
        entry = self._entries.get(key)
        return entry.delay_s if entry is not None else 0.0

    def advance(self, key: str, since: datetime) -> None:
        """It is tried again after a failure at `since`: the next wait is twice as long."""
        entry = self._entries.get(key)
        if entry is None or self._is_stale(entry, since):
            self._entries[key] = _Entry(self._first_s, self._clock.now())
        else:
            entry.delay_s = min(entry.delay_s * 2, self._longest_s)
            entry.updated = self._clock.now()
            entry.since = None

    def forget(self, prefix: str) -> None:
        """Drop every key that begins with `prefix`."""
        for key in [key for key in self._entries if key.startswith(prefix)]:
            del self._entries[key]

    def _is_stale(self, entry: _Entry, since: datetime) -> bool:
        return (since - entry.updated).total_seconds() > 2 * self._longest_s
