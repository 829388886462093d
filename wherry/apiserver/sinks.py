"""Where a watch ends: the frames of an HTTP answer, or events handed over in process.

Both never hold up whoever feeds them; a client too slow to take what is written is cut off, and
watches again from where it was.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Protocol

from wherry.apiserver.beside import LARGE
from wherry.apiserver.cacher import Cached, CachedEvent
from wherry.apiserver.call import Piece
from wherry.apiserver.metrics import WatchCount
from wherry.apiserver.registry import Served
from wherry.apiserver.threads import WATCHERS, Threads
from wherry.apiserver.watcher import Making
from wherry.client.transport import WatchEvent
from wherry.kit.clock import Clock
from wherry.kit.httpd.message import Writer
from wherry.kit.portions import Work, others
from wherry.objects.meta import Object

BUFFERED_EVENTS = 50_000
WRITE_TOGETHER = 500
PATIENCE_S = 60.0


class Sink:
    """What all sinks have: an end, and waiting for it."""

    bookmark_every_s = 60.0

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

    def makings(self, events: Sequence[CachedEvent]) -> Making | None:
        """What has to be made for `events` that takes long; None when nothing has."""
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
    ) -> None:
        super().__init__(clock)
        self._count = count or WatchCount()
        self._writer = writer
        self._limit_bytes = limit_bytes
        self._lens = lens

    def events(self, events: Sequence[CachedEvent]) -> int:
        """See `EventSink.events`."""
        if self.ended:
            return 0
        lines = self._lens.events(events)
        self._count.events += len(events)
        self._count.sent_b += len(lines)
        self._writer.write(lines)
        if self._writer.buffered > self._limit_bytes:
            self.cut_off()
        return len(lines)

    def makings(self, events: Sequence[CachedEvent]) -> Making | None:
        """See `EventSink.makings`."""
        return None if self.ended else self._lens.makings(events)

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
        for portion in portions(items, lambda: self._writer.piece_bytes):
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


Beside = Callable[[Callable[[], bytes]], Awaitable[bytes]]
"""Has a thread make bytes."""


async def write_all(pieces: Iterable[Piece], writer: Writer, beside: Beside = asyncio.to_thread) -> bool:
    """Send pieces, each made when the client has taken the one before; whether it took them.

    What takes long to make is made `beside` the loop. A client that takes nothing for `PATIENCE_S` seconds is
    dropped: what it is to be sent may be a state of long ago, which nobody else needs in memory.
    """
    for piece in pieces:
        if writer.closed:
            return False
        writer.write(piece if isinstance(piece, bytes) else await beside(piece))
        if not await _taken(writer):
            return False
    return True


async def _taken(writer: Writer) -> bool:
    """Wait until the client has taken what was written; one that does not is dropped, and False is said."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await writer.drain()
    except TimeoutError:
        writer.abort()
        return False
    await others(Work.REQUESTS)  # a client that takes all at once must not keep others waiting
    return True


def portions(items: Sequence[Cached], piece_bytes: Callable[[], int]) -> Iterator[Sequence[Cached]]:
    """`items` in order, cut at `WRITE_TOGETHER` of them, or at the bytes `piece_bytes` then asks for."""
    start = size = 0
    most = piece_bytes()
    for end, item in enumerate(items, 1):
        size += item.served_bytes
        if end - start >= WRITE_TOGETHER or size >= most:
            yield items[start:end]
            start, size, most = end, 0, piece_bytes()
    if start < len(items):
        yield items[start:]


class LocalSink(Sink):
    """Hands events over to a task of the same process; the decoded objects are shared.

    Such a task's watch ends when it wants it to, or with the server: to be told shortly before is enough.
    `served` is the version they are shown in, None for that they are stored in. Large objects are
    decoded by `threads`.
    """

    bookmark_every_s = math.inf

    def __init__(self, clock: Clock, threads: Threads, served: Served | None = None) -> None:
        super().__init__(clock)
        self._threads = threads
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

    def makings(self, events: Sequence[CachedEvent]) -> Making | None:
        """See `EventSink.makings`: an object is decoded once, for all."""
        missing = [event for event in events if event.object.served_bytes >= LARGE and not self._has(event)]
        if not missing:
            return None

        async def begin() -> None:
            for event in missing:
                decoded = await self._threads.run(WATCHERS, partial(self._decoded, event.object))
                if self._served is None:
                    event.foresee(decoded)
                else:
                    event.keep(self._served, decoded)

        return Making((self._served, *missing), begin)

    def _has(self, event: CachedEvent) -> bool:
        return event.is_decoded if self._served is None else event.found(self._served) is not None

    def _decoded(self, item: Cached) -> Object:
        return item.decode() if self._served is None else self._served.decode(item)

    def control(self, event_type: str, obj: Object) -> None:
        """See `EventSink.control`."""
        self._waiting.append(WatchEvent(event_type, obj))
        self._arrived()

    async def initial(self, items: Sequence[Cached]) -> None:
        """See `EventSink.initial`."""
        for number, item in enumerate(items, 1):
            if number % WRITE_TOGETHER == 0:
                self._arrived()
                await others(Work.REQUESTS)
            self._waiting.append(WatchEvent("ADDED", self._decoded(item)))
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
