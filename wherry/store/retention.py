"""How much history a store keeps, and when it is time to forget.

Replaced and deleted versions serve watches that resume and lists that continue; past some age
nobody asks for them. `History` is told of writes, remembers coarsely which revision was reached
when, and asks for a compaction when the oldest of them came of age, or at once when there are more
than enough. It sleeps on a timer; while nothing is written nothing runs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from wherry.kit.clock import Clock
from wherry.store.alarm import Alarm

_MARKS = 30


@dataclass(frozen=True, slots=True)
class Retention:
    """Versions stay for `age_s` seconds after the writes that replaced them.

    Under heavy writing only the last `revisions` writes can be looked back on, however young: this
    bounds the size of the file (memory, for the memory store).
    """

    age_s: float = 300.0
    revisions: int = 50_000


class History:
    """Calls `compact(revision)` on the event loop whenever everything up to there may be forgotten."""

    def __init__(self, retention: Retention, clock: Clock, compact: Callable[[int], None]) -> None:
        self._retention = retention
        self._clock = clock
        self._compact = compact
        self._alarm = Alarm(clock, self._ring)
        self._marks: deque[tuple[float, int]] = deque()  # (until when, revision reached by then)
        self._asked = 0

    def start(self, compacted: int, revision: int) -> None:
        """Begin with a store whose history reaches from `compacted` to `revision`."""
        self._asked = compacted
        if revision > compacted:
            self.wrote(revision)

    def wrote(self, revision: int) -> None:
        """The store reached `revision`."""
        now = self._clock.monotonic()
        if self._marks and now < self._marks[-1][0]:
            self._marks[-1] = (self._marks[-1][0], revision)
        else:
            self._marks.append((now + self._retention.age_s / _MARKS, revision))
            self._set_alarm()
        limit = self._retention.revisions
        if revision - self._asked > limit + limit // 10:  # a tenth at a time, not each write anew
            self._ask(revision - limit)

    def close(self) -> None:
        """Ask for nothing more."""
        self._alarm.cancel()

    def _set_alarm(self) -> None:
        if self._marks:
            self._alarm.set_in(self._marks[0][0] + self._retention.age_s - self._clock.monotonic())

    def _ring(self) -> None:
        now = self._clock.monotonic()
        aged = 0
        while self._marks and self._marks[0][0] + self._retention.age_s <= now:
            aged = self._marks.popleft()[1]
        self._set_alarm()
        if aged:
            self._ask(aged)

    def _ask(self, revision: int) -> None:
        if revision > self._asked:
            self._asked = revision
            self._compact(revision)
