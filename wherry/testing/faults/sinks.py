"""Watches that do not tell all, or not at once: sinks around a client's own."""

from __future__ import annotations

from collections.abc import Sequence

from wherry.apiserver.cacher import Cached, CachedEvent
from wherry.apiserver.call import EventSink
from wherry.apiserver.watcher import Making
from wherry.objects.meta import Object


class PassingSink:
    """Hands on what it is given."""

    def __init__(self, inner: EventSink) -> None:
        self.inner = inner

    @property
    def bookmark_every_s(self) -> float:
        """See `EventSink`."""
        return self.inner.bookmark_every_s

    def events(self, events: Sequence[CachedEvent]) -> None:
        """See `EventSink.events`."""
        self.inner.events(events)

    def makings(self, events: Sequence[CachedEvent]) -> Making | None:
        """See `EventSink.makings`."""
        return self.inner.makings(events)

    def control(self, event_type: str, obj: Object) -> None:
        """See `EventSink.control`."""
        self.inner.control(event_type, obj)

    async def initial(self, items: Sequence[Cached]) -> None:
        """See `EventSink.initial`."""
        await self.inner.initial(items)

    def end(self) -> None:
        """See `EventSink.end`."""
        self.inner.end()

    async def wait(self, timeout_s: float) -> bool:
        """See `EventSink.wait`."""
        return await self.inner.wait(timeout_s)


class StaleSink(PassingSink):
    """Holds events back: the latest `lag` of them, or all (0), until it is released."""

    def __init__(self, inner: EventSink, lag: int) -> None:
        super().__init__(inner)
        self._lag = lag
        self._held: list[CachedEvent] = []
        self._is_released = False

    def events(self, events: Sequence[CachedEvent]) -> None:
        """See `EventSink.events`."""
        if self._is_released:
            self.inner.events(events)
            return
        self._held += events
        if self._lag and len(self._held) > self._lag:
            due, self._held = self._held[: -self._lag], self._held[-self._lag :]
            self.inner.events(due)

    def control(self, event_type: str, obj: Object) -> None:
        """A bookmark would tell that there was more."""
        if event_type != "BOOKMARK" or not self._held:
            self.inner.control(event_type, obj)

    def release(self) -> None:
        """Tell all that was held back, and from now on everything at once."""
        self._is_released = True
        held, self._held = self._held, []
        if held:
            self.inner.events(held)


class CutSink(PassingSink):
    """Ends the watch after `count` events."""

    def __init__(self, inner: EventSink, count: int) -> None:
        super().__init__(inner)
        self._left = count

    def events(self, events: Sequence[CachedEvent]) -> None:
        """See `EventSink.events`."""
        told = events[: self._left]
        self._left -= len(told)
        if told:
            self.inner.events(told)
        if len(told) < len(events) or not self._left:
            self.inner.end()


class RepeatedSink(PassingSink):
    """Says each event twice, as a client sees it that watches again from before."""

    def events(self, events: Sequence[CachedEvent]) -> None:
        """See `EventSink.events`."""
        self.inner.events(events)
        self.inner.events(events)
