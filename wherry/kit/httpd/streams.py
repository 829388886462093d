"""What a streamed or upgraded answer writes to and reads from: `Writer` and `Duplex` over a transport."""

from __future__ import annotations

import asyncio
from asyncio.constants import LOG_THRESHOLD_FOR_CONNLOST_WRITES

from wherry.kit.httpd.rendering import CHUNK_END, LAST_CHUNK, chunk, chunk_head

READ_HIGH = 256 * 1024
SLICE_BYTES = 128 * 1024
_SLICES = LOG_THRESHOLD_FOR_CONNLOST_WRITES - 2  # besides them, what stands before and behind


class Flow:
    """What is written to one connection: its back-pressure and its end, shared by whoever writes."""

    __slots__ = ("_closed", "_room", "closed", "paused", "transport", "written")

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.paused = False
        self.closed = False
        self.written = 0
        """Bytes in all."""
        self._room: list[asyncio.Future[None]] = []
        self._closed: list[asyncio.Future[None]] = []

    def write(self, data: bytes) -> None:
        """Write `data`, what is large in slices; nothing to a peer that went away: transports log each try.

        TLS copies what it is given several times on its way out. Slices let the same few buffers serve
        again and again; buffers of megabytes would be mapped anew for each copy, which takes longer than
        the encryption. There are few of them, since a transport complains of every further write to a
        peer that went away.
        """
        if self.closed or self.transport.is_closing():
            return
        size = len(data)
        if size <= SLICE_BYTES:
            self.written += size
            self.transport.write(data)
            return
        view = memoryview(data)
        step = max(SLICE_BYTES, -(-size // _SLICES))
        for start in range(0, size, step):
            part = view[start : start + step]
            self.written += len(part)
            self.transport.write(part)

    @property
    def taken(self) -> int:
        """Bytes the peer, or the kernel for it, has taken."""
        return self.written - self.transport.get_write_buffer_size()

    def pause(self) -> None:
        """The transport has enough."""
        self.paused = True

    def resume(self) -> None:
        """The transport takes more."""
        self.paused = False
        _wake(self._room)

    def close(self) -> None:
        """The peer is gone."""
        self.closed = True
        _wake(self._room)
        _wake(self._closed)

    async def drain(self) -> None:
        """Wait until the transport takes more or the peer is gone."""
        if self.paused and not self.closed:
            await _wait(self._room)

    async def wait_closed(self) -> None:
        """Wait until the peer is gone."""
        if not self.closed:
            await _wait(self._closed)


async def _wait(waiters: list[asyncio.Future[None]]) -> None:
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiters.append(waiter)
    try:
        await waiter
    finally:
        if waiter in waiters:
            waiters.remove(waiter)


def _wake(waiters: list[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
    waiters.clear()


class StreamWriter:
    """`message.Writer` for the body of one answer: chunked, or plain up to the connection's end."""

    __slots__ = ("_chunked", "_ended", "_flow")

    def __init__(self, flow: Flow, chunked: bool) -> None:
        self._flow = flow
        self._chunked = chunked
        self._ended = False

    def write(self, data: bytes) -> None:
        """See `message.Writer.write`."""
        if data and not self._ended and not self._flow.closed:
            flow = self._flow
            if not self._chunked:
                flow.write(data)
            elif len(data) <= SLICE_BYTES:
                flow.write(chunk(data))
            else:
                flow.write(chunk_head(data))
                flow.write(data)
                flow.write(CHUNK_END)

    async def drain(self) -> None:
        """See `message.Writer.drain`."""
        await self._flow.drain()

    @property
    def buffered(self) -> int:
        """See `message.Writer.buffered`."""
        return 0 if self._flow.closed else self._flow.transport.get_write_buffer_size()

    @property
    def closed(self) -> bool:
        """See `message.Writer.closed`."""
        return self._flow.closed or self._flow.transport.is_closing()

    async def wait_closed(self) -> None:
        """See `message.Writer.wait_closed`."""
        await self._flow.wait_closed()

    def abort(self) -> None:
        """See `message.Writer.abort`."""
        self._ended = True
        self._flow.transport.abort()

    def finish(self) -> None:
        """The body is complete; what is written later goes nowhere."""
        if not self._ended:
            self._ended = True
            if self._chunked and not self._flow.closed:
                self._flow.write(LAST_CHUNK)


class DuplexStream(StreamWriter):
    """`message.Duplex`: both sides of a connection that left HTTP.

    Reading from the peer pauses while more than `READ_HIGH` bytes wait to be read.
    """

    __slots__ = ("_eof", "_held", "_reader", "_waiting")

    def __init__(self, flow: Flow) -> None:
        super().__init__(flow, chunked=False)
        self._waiting: list[bytes] = []
        self._held = 0
        self._eof = False
        self._reader: asyncio.Future[None] | None = None

    async def read(self) -> bytes:
        """See `message.Duplex.read`. Only one reader at a time."""
        while not self._waiting:
            if self._eof or self._flow.closed:
                return b""
            if self._reader is not None:
                raise RuntimeError("another reader waits on this connection")
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        data = b"".join(self._waiting)
        self._waiting.clear()
        if self._held > READ_HIGH and not self._flow.closed:
            self._flow.transport.resume_reading()
        self._held = 0
        return data

    def feed(self, data: bytes) -> None:
        """The peer sent `data`."""
        if not data:
            return
        before = self._held
        self._waiting.append(data)
        self._held += len(data)
        if before <= READ_HIGH < self._held:
            self._flow.transport.pause_reading()
        self._wake_reader()

    def feed_eof(self) -> None:
        """The peer sends no more."""
        self._eof = True
        self._wake_reader()

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
