"""The recent changes of one resource: `Ring`, upstream's watch window (cacher/watch_cache.go).

Watches that resume are served from it, and lists of a moment not long ago: undoing what came since costs
less than reading the store. Like upstream's it is sized by age: what is younger than `FRESH_S` stays, as a
client that hears a bookmark every minute may come back with one; beyond that only some events do. Bytes
bound it before that. What it no longer holds the store may still know.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence

from wherry.apiserver.cached import CachedEvent
from wherry.store.base import Compacted

RING_EVENTS = 102_400
RING_BYTES = 16 * 1024 * 1024
FRESH_S = 75.0
STALE_EVENTS = 100
"""How many events stay however old they are."""


class Ring:
    """Events in revision order; every one above the revision `floor` is there.

    `now` tells seconds. At most `most_events` are held, and `most_bytes` of objects.
    """

    __slots__ = ("_bytes", "_events", "_most_bytes", "_most_events", "_now", "floor")

    def __init__(self, now: Callable[[], float], most_events: int, most_bytes: int) -> None:
        self._now = now
        self._most_events = most_events
        self._most_bytes = most_bytes
        self._events: deque[tuple[float, CachedEvent]] = deque()
        self._bytes = 0
        self.floor = 0

    def __len__(self) -> int:
        return len(self._events)

    @property
    def is_settled(self) -> bool:
        """Whether nothing of it goes by itself any more."""
        return len(self._events) <= STALE_EVENTS

    @property
    def newest(self) -> int:
        """The revision of the last change; nothing changed since, whatever the store's own revision."""
        return self._events[-1][1].object.revision if self._events else self.floor

    def begin(self, floor: int) -> None:
        """Start anew with nothing but the state at revision `floor`."""
        self._events.clear()
        self._bytes = 0
        self.floor = floor

    def add(self, event: CachedEvent) -> None:
        """There was a change."""
        now = self._now()
        self._events.append((now, event))
        self._bytes += event.object.held_bytes
        self._trim(now - FRESH_S)

    def recall(self, events: Sequence[CachedEvent], floor: int) -> None:
        """Before the first event here came `events`, which are all there were above `floor`."""
        now = self._now()
        self._events.extendleft((now, event) for event in reversed(events))
        self._bytes += sum(event.object.held_bytes for event in events)
        self.floor = floor

    def trim(self) -> None:
        """Let go of what is too old or too much."""
        if self._events:
            self._trim(self._now() - FRESH_S)

    def _trim(self, oldest_fresh: float) -> None:
        events = self._events
        while events and (
            len(events) > self._most_events
            or (self._bytes > self._most_bytes and len(events) > 1)
            or (len(events) > STALE_EVENTS and events[0][0] < oldest_fresh)
        ):
            oldest = events.popleft()[1].object
            self._bytes -= oldest.held_bytes
            self.floor = oldest.revision

    def since(self, revision: int) -> list[CachedEvent]:
        """The events above `revision`, in order. Raises Compacted when some of them are no longer here."""
        if revision < self.floor:
            raise Compacted(revision, self.floor)
        events = list(self._events)
        first = bisect_right(events, revision, key=_revision)
        return [event for _, event in events[first:]]


def _revision(entry: tuple[float, CachedEvent]) -> int:
    return entry[1].object.revision
