"""What a streamed or upgraded answer writes to and reads from: `Writer` and `Duplex` over a transport."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from wherry.kit.httpd.message import Connection
from wherry.kit.httpd.rendering import CHUNK_END, LAST_CHUNK, chunk, chunk_head
from wherry.kit.httpd.waiting import WaitingBudget
from wherry.kit.passes import Pass

READ_HIGH = 256 * 1024
SLICE_BYTES = 128 * 1024
WRITE_HIGH, WRITE_LOW = 256 * 1024, 32 * 1024
"""Between these the transport is full: TLS holds what it is given encrypted, in buffers that never shrink."""
NARROW_BYTES = 16 * 1024
NARROW_HIGH, NARROW_LOW = 32 * 1024, 8 * 1024
"""The same for those of whom too much waits already."""
HELD_HIGH, HELD_LOW = 1, 0
"""The same for those who lag although they were given little, as watchers that read nothing do."""
UNDER_TLS_BYTES = 64 * 1024
"""So much of what TLS was given waits below it, where nobody sees it, before anything waits in TLS."""
_AT_ONCE_BYTES = 8 * SLICE_BYTES
"""So much of one connection goes out in one pass of the event loop."""
_GIVEN_UP_BYTES = 256 * 1024
"""To end a connection costs a pass of the loop as much as writing this."""


def _nothing() -> None:
    """Nobody is left to be told."""


class Flow:
    """What is written to one connection: its back-pressure and its end, shared by whoever writes.

    The transport is given a slice at a time, and no more once it is full: the rest waits here as it came,
    shared with other connections that are sent the same. What waits for a peer that lags is told to `budget`,
    under the identity of `connection`, with what TLS holds for it; where that is much, the transport is given
    little at a time. One that is found to lag by what comes bit by bit, as events do, is given no more until
    it has taken all TLS holds: to encrypt for each watcher that reads nothing would take the time and the
    memory of those that do. What has to wait goes out as `turns`, which all connections share, has room in
    each pass of the loop; what is new begins at once, as nobody may lag before having been given something.
    """

    __slots__ = (
        "_budget",
        "_closed",
        "_connection",
        "_goes_on",
        "_is_finishing",
        "_is_full",
        "_is_held",
        "_is_narrow",
        "_is_tls",
        "_queue",
        "_queued",
        "_room",
        "_tell_paused",
        "_tell_resumed",
        "_tls_bytes",
        "_turns",
        "closed",
        "paused",
        "transport",
        "written",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        connection: Connection,
        budget: WaitingBudget,
        turns: Pass,
        paused: Callable[[], None],
        resumed: Callable[[], None],
    ) -> None:
        self.transport = transport
        transport.set_write_buffer_limits(WRITE_HIGH, WRITE_LOW)
        self._connection = connection
        self._budget = budget
        self._turns = turns
        self._is_tls = transport.get_extra_info("ssl_object") is not None
        self._tls_bytes = 0  # the most that ever was in its buffers
        self._is_narrow = False
        self._is_held = False  # given nothing as long as TLS holds something
        self._tell_paused = paused
        self._tell_resumed = resumed
        self.paused = False
        """Whether something waits that the transport did not take."""
        self.closed = False
        self.written = 0
        """Bytes in all."""
        self._queue: deque[bytes | memoryview] = deque()
        self._queued = 0
        self._is_full = False
        self._goes_on = False
        self._is_finishing = False
        self._room: list[asyncio.Future[None]] = []
        self._closed: list[asyncio.Future[None]] = []

    def write(self, data: bytes) -> None:
        """Write `data`, in slices; nothing to a peer that went away: transports log each try."""
        if self.closed or self._is_finishing or self.transport.is_closing():
            return
        size = len(data)
        self.written += size
        if not self.paused and (
            size <= NARROW_BYTES
            or (size <= SLICE_BYTES and not self._budget.is_much(self._connection.identity))
        ):
            self.transport.write(data)
            if self._is_full:  # now
                self._budget.note(self, self.waiting)
            elif self._is_tls:
                self._look_below()
            return
        self._queue.append(data)
        self._queued += size
        if self.paused:
            self._budget.note(self, self.waiting)
        else:
            self._give()
            self._see_to_it()

    def _look_below(self) -> None:
        """Whether the peer lags although the transport takes more; TLS keeps nothing of one that does not."""
        if self.transport.get_write_buffer_size():
            self._is_held = True
            self.transport.set_write_buffer_limits(HELD_HIGH, HELD_LOW)  # full, so it says when all is taken
            self._budget.note(self, self.waiting)

    def _go_on(self) -> None:
        """Give the transport what it takes, and tell who waits for that."""
        self._goes_on = False
        if self.closed:
            return
        if self._turns.is_spent:
            self._goes_on = True
            self._turns.later(self._go_on)
            return
        self._give()
        self._see_to_it()

    def _give(self) -> None:
        """Give the transport what it takes, up to as much as one pass of the loop is for."""
        self._fit()
        given = 0
        while self._queue and not self._is_full and not self.transport.is_closing():
            if given >= _AT_ONCE_BYTES:
                self._goes_on = True  # others have their turn first
                self._turns.later(self._go_on)
                break
            part = self._slice()
            given += len(part)
            self.transport.write(part)
        self._turns.spend(given)

    def _see_to_it(self) -> None:
        """Take note of what waits now, or tell who waited that nothing does."""
        was, self.paused = self.paused, self._is_full or bool(self._queue)
        if self.paused:
            self._budget.note(self, self.waiting)
            return
        self._budget.forget(self)
        if self._is_held:
            self._is_held = self._is_narrow = False
            self.transport.set_write_buffer_limits(WRITE_HIGH, WRITE_LOW)
        if self._is_finishing:
            self.end()
        _wake(self._room)
        if was:
            self._tell_resumed()

    def _fit(self) -> None:
        """Let the transport hold little where much waits, and more where it does not."""
        is_narrow = self._budget.is_much(self._connection.identity)
        if is_narrow != self._is_narrow and not self._is_held:
            self._is_narrow = is_narrow
            high, low = (NARROW_HIGH, NARROW_LOW) if is_narrow else (WRITE_HIGH, WRITE_LOW)
            self.transport.set_write_buffer_limits(high, low)

    def _slice(self) -> bytes | memoryview:
        """The next bytes of the queue: what is small together, what is large in parts."""
        parts, size = list[bytes | memoryview](), 0
        queue, most = self._queue, NARROW_BYTES if self._is_narrow or self._is_held else SLICE_BYTES
        while queue and size < most:
            part = queue.popleft()
            room = most - size
            if len(part) > room:
                view = memoryview(part)
                queue.appendleft(view[room:])
                part = view[:room]
            parts.append(part)
            size += len(part)
        self._queued -= size
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def pause(self) -> None:
        """The transport is full."""
        self._is_full = self.paused = True
        self._tell_paused()

    def resume(self) -> None:
        """The transport takes more."""
        self._is_full = False
        if not self._goes_on:
            self._go_on()

    @property
    def identity(self) -> str:
        """Who the peer is."""
        return self._connection.identity

    @property
    def waiting(self) -> int:
        """Bytes that are held because the peer, or the kernel for it, has not taken them.

        Buffers of TLS never shrink, so what was once in them counts for as long as the peer lags.
        """
        size = self.transport.get_write_buffer_size()
        if not self._is_tls or not size:
            return self._queued + size
        self._tls_bytes = max(self._tls_bytes, size)
        return self._queued + self._tls_bytes + UNDER_TLS_BYTES

    @property
    def untaken(self) -> int:
        """Bytes the peer, or the kernel for it, has not taken."""
        return self._queued + self.transport.get_write_buffer_size()

    @property
    def piece_bytes(self) -> int:
        """How much to write at once of what is long."""
        return self._budget.piece_bytes(self._connection.identity)

    @property
    def taken(self) -> int:
        """Bytes the peer, or the kernel for it, has taken."""
        return self.written - self.untaken

    @property
    def is_ending(self) -> bool:
        """Whether nothing more is written, nor read."""
        return self._is_finishing or self.transport.is_closing()

    def finish(self) -> None:
        """End the connection when its peer has taken what was written."""
        if not self._queue:
            self.end()
        self._is_finishing = True

    def end(self) -> None:
        """Close the transport, once: closed again, one over TLS cannot be aborted in Python 3.11.2."""
        if not self.transport.is_closing():
            self.transport.close()

    def cut_off(self) -> None:
        """Drop the connection at once, and what waits for its peer."""
        self.close()
        self.transport.abort()

    def give_up(self) -> None:
        """Let go of what waits for the peer at once, and drop the connection in a pass that has room for it.

        Hundreds are given up together.
        """
        self.close()
        self._turns.later(self._drop)

    def _drop(self) -> None:
        self._turns.spend(_GIVEN_UP_BYTES)
        self.transport.abort()

    def leave(self) -> None:
        """The connection is over: close, and know nobody any more."""
        self.close()
        self._tell_paused = self._tell_resumed = _nothing

    def close(self) -> None:
        """The peer is gone."""
        self.closed = True
        self._queue.clear()
        self._queued = 0
        self._budget.forget(self)
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


class _Chunks:
    """The last bytes as a chunk: watchers are sent the same in turn, and those that lag share it."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = (b"", b"")  # bytes and their chunk; replaced as one, for loops of several threads

    def of(self, data: bytes) -> bytes:
        """`data` as one chunk, the same for the same bytes."""
        known, made = self._last
        if data is not known:
            made = chunk(data)
            self._last = (data, made)
        return made


_chunks = _Chunks()


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
                flow.write(_chunks.of(data))
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
        return 0 if self._flow.closed else self._flow.untaken

    @property
    def piece_bytes(self) -> int:
        """See `message.Writer.piece_bytes`."""
        return self._flow.piece_bytes

    @property
    def closed(self) -> bool:
        """See `message.Writer.closed`."""
        return self._flow.closed or self._flow.is_ending

    async def wait_closed(self) -> None:
        """See `message.Writer.wait_closed`."""
        await self._flow.wait_closed()

    def abort(self) -> None:
        """See `message.Writer.abort`."""
        self._ended = True
        self._flow.cut_off()

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
