"""Watches as their clients are to see them: `WatchSink` around a client's own sink, `OpenWatches` for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from wherry.apiserver.cacher import Cached, CachedEvent
from wherry.apiserver.call import Call, EventSink, WatchOutcome
from wherry.apiserver.watcher import Making
from wherry.kit.clock import Clock, Timer
from wherry.objects.errors import expired
from wherry.objects.meta import Object
from wherry.testing.faults.fault import Fault, What


class WatchSink:
    """Hands on what it is given, until a fault takes hold of it: then as that says, from there on.

    A lagging watch holds the latest events back (all, when the fault counts none): each for as long as the
    fault lasts at most, for then it catches up, and lags again; where no time is said, until it is released.
    One that is cut ends after the fault's events, and one that is expired says 410 before it does. One that
    repeats says each event twice, as a client sees it that watches again from before.
    """

    def __init__(self, inner: EventSink, call: Call, clock: Clock) -> None:
        self.inner = inner
        self.call = call
        self._clock = clock
        self.fault: Fault | None = None
        self._left = 0
        self._has_ended = False
        self._held: list[CachedEvent] = []
        self._catches_up: Timer | None = None

    @property
    def bookmark_every_s(self) -> float:
        """See `EventSink`."""
        return self.inner.bookmark_every_s

    def take(self, fault: Fault) -> None:
        """From now on as `fault` says; its events are counted from here."""
        self.fault, self._left = fault, fault.events
        if fault.what in ENDS and not fault.events:
            self._finish(fault)

    def release(self) -> None:
        """No fault any more: all that was held back is told, and from now on everything as it happens."""
        self.fault = None
        self._catch_up()

    def close(self) -> None:
        """The watch has ended: nothing is told any more."""
        self._held = []
        self._stop_waiting()

    def _catch_up(self) -> None:
        self._stop_waiting()
        held, self._held = self._held, []
        if held:
            self.inner.events(held)

    def _stop_waiting(self) -> None:
        if self._catches_up is not None:
            self._catches_up.cancel()
            self._catches_up = None

    def events(self, events: Sequence[CachedEvent]) -> int | None:
        """See `EventSink.events`."""
        if self._has_ended:
            return None
        fault = self.fault
        if fault is None:
            return self.inner.events(events)
        if fault.what is What.STALE:
            return self._late(fault, events)
        if fault.what in ENDS:
            return self._as_many_as_are_left(fault, events)
        self.inner.events(events)
        return self.inner.events(events)

    def _late(self, fault: Fault, events: Sequence[CachedEvent]) -> int | None:
        self._held += events
        if fault.lasts_s and self._catches_up is None:
            self._catches_up = self._clock.call_later(fault.lasts_s, self._catch_up)
        if not fault.events or len(self._held) <= fault.events:
            return None
        due, self._held = self._held[: -fault.events], self._held[-fault.events :]
        return self.inner.events(due)

    def _as_many_as_are_left(self, fault: Fault, events: Sequence[CachedEvent]) -> int | None:
        told = events[: self._left]
        self._left -= len(told)
        written = self.inner.events(told) if told else None
        if not self._left:
            self._finish(fault)
        return written

    def _finish(self, fault: Fault) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        if fault.what is What.EXPIRED:
            self.inner.control("ERROR", expired("too old resource version: 1 (2)").status())
        self.inner.end()

    def makings(self, events: Sequence[CachedEvent]) -> Making | None:
        """See `EventSink.makings`."""
        return self.inner.makings(events)

    def control(self, event_type: str, obj: Object) -> None:
        """See `EventSink.control`. A bookmark would tell of what is held back that there was more."""
        if not self._has_ended and (event_type != "BOOKMARK" or not self._held):
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


ENDS = (What.CUT, What.EXPIRED)


class OpenWatches:
    """All watches that run, in the order they began: also those that began before anybody thought of faults.

    `meet`, once there is somebody to ask, says which fault a watch begins with.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[WatchSink, None] = {}
        self.meet: Callable[[Call], Fault | None] | None = None

    def __iter__(self) -> Iterator[WatchSink]:
        return iter(tuple(self._open))

    def around(self, call: Call, outcome: WatchOutcome) -> WatchOutcome:
        """The same watch, where faults can take hold of it; an `apiserver.core.WatchTap`."""

        async def run(sink: EventSink) -> None:
            wrapped = WatchSink(sink, call, self._clock)
            self._open[wrapped] = None
            try:
                fault = self.meet(call) if self.meet is not None else None
                if fault is not None:
                    wrapped.take(fault)
                await outcome.run(wrapped)
            finally:
                del self._open[wrapped]
                wrapped.close()

        return WatchOutcome(run, outcome.served)
