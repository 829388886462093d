"""Where a watch ends: the frames of an HTTP answer, or events handed over in process.

Both never hold up whoever feeds them; a client too slow to take what is written is cut off, and
watches again from where it was.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from wherry.apiserver.cacher import Cached, CachedEvent
from wherry.apiserver.metrics import WatchCount
from wherry.apiserver.registry import Served
from wherry.client.transport import WatchEvent
from wherry.kit.clock import Clock
from wherry.kit.httpd.message import Writer
from wherry.objects.meta import Object

BUFFERED_EVENTS = 50_000
WRITE_TOGETHER = 500
WRITE_TOGETHER_BYTES = 4 * 1024 * 1024
PATIENCE_S = 60.0


class Sink:
    """What all sinks have: an end, and waiting for it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._over: asyncio.Future[bool] | None = None
        self.ended = False

    def end(self) -> None:
        """The watch is over: the client is gone, or was cut off, or the server closes."""
        self.ended = True
        self._wake(True)

    async def wait(self, timeout_s: float) -> bool:
        """See `EventSink.wait`."""
        if self.ended:
            return True
        self._over = asyncio.get_running_loop().create_future()
        timer = self._clock.call_later(timeout_s, lambda: self._wake(False))
        try:
            return await self._over
        finally:
            timer.cancel()
            self._over = None

    def _wake(self, gone: bool) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_result(gone)


class Lens(Protocol):
    """How events become lines for one watcher."""

    def events(self, events: Sequence[CachedEvent]) -> bytes:
        """Lines of some events."""
        ...

    def initial(self, items: Sequence[Cached]) -> bytes:
        """ADDED lines of objects."""
        ...

    def control(self, event_type: str, obj: Object) -> bytes:
        """The line of a BOOKMARK or ERROR."""
        ...


class HttpSink(Sink):
    """Writes lines to a streamed answer, and cuts off a client that leaves too many bytes waiting."""

    def __init__(
        self,
        clock: Clock,
        writer: Writer,
        limit_bytes: int,
        lens: Lens,
        count: WatchCount | None = None,
        budget: WatchBudget | None = None,
    ) -> None:
        super().__init__(clock)
        self._budget = budget
        self._count = count or WatchCount()
        self._writer = writer
        self._limit_bytes = limit_bytes
        self._lens = lens

    def events(self, events: Sequence[CachedEvent]) -> None:
        """See `EventSink.events`."""
        if self.ended:
            return
        lines = self._lens.events(events)
        self._count.events += len(events)
        self._count.sent_b += len(lines)
        self._writer.write(lines)
        buffered = self._writer.buffered
        if buffered > self._limit_bytes:
            self.cut_off()
        elif self._budget is not None:
            self._budget.note(self, buffered)

    @property
    def buffered(self) -> int:
        """How many bytes wait for the client."""
        return self._writer.buffered

    def cut_off(self) -> None:
        """Let go of a client that does not take what is written, and of what waits for it."""
        self.end()
        self._writer.abort()

    def control(self, event_type: str, obj: Object) -> None:
        """See `EventSink.control`."""
        if not self.ended:
            self._writer.write(self._lens.control(event_type, obj))

    async def initial(self, items: Sequence[Cached]) -> None:
        """See `EventSink.initial`. Only one portion at a time waits for the client to take it."""
        is_first = True
        for portion in portions(items):
            if not is_first and not await _taken(self._writer):
                self.end()
                return
            is_first = False
            if self.ended or self._writer.closed:
                return
            lines = self._lens.initial(portion)
            self._count.events += len(portion)
            self._count.sent_b += len(lines)
            self._writer.write(lines)


class WatchBudget:
    """What may wait for all watchers together; past it the slowest are cut off, and watch again.

    Only those that lag are known here, by what waited when they were last written to; so an event costs a
    dict access more, however many watchers there are.
    """

    LAGGING_BYTES = 64 * 1024
    RELIEF = 0.75

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._lagging: dict[HttpSink, int] = {}
        self.total = 0
        """Bytes that wait for those that lag."""

    def note(self, sink: HttpSink, buffered: int) -> None:
        """This much waits for the client of `sink` now."""
        if buffered < self.LAGGING_BYTES:
            if sink in self._lagging:
                self.forget(sink)
            return
        self.total += buffered - self._lagging.get(sink, 0)
        self._lagging[sink] = buffered
        if self.total > self._limit_bytes:
            self._relieve()

    def forget(self, sink: HttpSink) -> None:
        """The watch is over, or has caught up."""
        self.total -= self._lagging.pop(sink, 0)

    def _relieve(self) -> None:
        """Look what really waits, and cut off the slowest until there is room again."""
        self._lagging = {sink: sink.buffered for sink in self._lagging}
        self.total = sum(self._lagging.values())
        if self.total <= self._limit_bytes:
            return
        for sink in sorted(self._lagging, key=self._lagging.__getitem__, reverse=True):
            sink.cut_off()
            self.forget(sink)
            if self.total <= self._limit_bytes * self.RELIEF:
                return


async def write_all(pieces: Iterable[bytes], writer: Writer) -> bool:
    """Send pieces, made one ahead of what the client takes; whether it took them.

    A client that takes nothing for `PATIENCE_S` seconds is dropped: what it is to be sent may be a
    state of long ago, which nobody else needs in memory.
    """
    is_first = True
    for piece in pieces:
        if not is_first and not await _taken(writer):
            return False
        is_first = False
        if writer.closed:
            return False
        writer.write(piece)
    return True


async def _taken(writer: Writer) -> bool:
    """Wait until the client has taken what was written; one that does not is dropped, and False is said."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await writer.drain()
    except TimeoutError:
        writer.abort()
        return False
    await asyncio.sleep(0)  # a client that takes all at once must not keep others waiting
    return True


def portions(items: Sequence[Cached]) -> Iterator[Sequence[Cached]]:
    """`items` in order, cut where `WRITE_TOGETHER` of them or `WRITE_TOGETHER_BYTES` are reached."""
    start = size = 0
    for end, item in enumerate(items, 1):
        size += item.served_bytes
        if end - start >= WRITE_TOGETHER or size >= WRITE_TOGETHER_BYTES:
            yield items[start:end]
            start, size = end, 0
    if start < len(items):
        yield items[start:]


class LocalSink(Sink):
    """Hands events over to a task of the same process; the decoded objects are shared.

    `served` is the version they are shown in, None for that they are stored in.
    """

    def __init__(self, clock: Clock, served: Served | None = None) -> None:
        super().__init__(clock)
        self._waiting: deque[WatchEvent] = deque()
        self._served = served
        self._reader: asyncio.Future[None] | None = None

    def events(self, events: Sequence[CachedEvent]) -> None:
        """See `EventSink.events`."""
        served = self._served
        for event in events:
            obj = event.decoded if served is None else event.made(served, lambda e: served.decode(e.object))
            self._waiting.append(WatchEvent(event.type, obj))
        if len(self._waiting) > BUFFERED_EVENTS:
            self.end()
        self._arrived()

    def control(self, event_type: str, obj: Object) -> None:
        """See `EventSink.control`."""
        self._waiting.append(WatchEvent(event_type, obj))
        self._arrived()

    async def initial(self, items: Sequence[Cached]) -> None:
        """See `EventSink.initial`."""
        served = self._served
        for number, item in enumerate(items, 1):
            if number % WRITE_TOGETHER == 0:
                self._arrived()
                await asyncio.sleep(0)
            self._waiting.append(
                WatchEvent("ADDED", item.decode() if served is None else served.decode(item))
            )
        self._arrived()

    def end(self) -> None:
        """See `Sink.end`."""
        super().end()
        self._arrived()

    async def next(self) -> WatchEvent | None:
        """The next event, None once the watch is over and all were taken."""
        while not self._waiting:
            if self.ended:
                return None
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        return self._waiting.popleft()

    def _arrived(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
