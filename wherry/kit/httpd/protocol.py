"""One connection: requests in, answers out, in order.

The fast path is a straight line: the parser completes a request, the handler returns a `Response`,
one write sends head and body, and no task was made. Anything awaited gets one task, which is
cancelled when the peer goes away; requests sent meanwhile (pipelining) wait, and past a few of them
the connection is not read any more. One timer per connection covers idle and dawdling peers: it
looks at a deadline that requests move, instead of being set anew for each.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import cast

from wherry.kit.clock import Clock, Timer
from wherry.kit.httpd.message import (
    Answer,
    Connection,
    Handler,
    Response,
    StreamResponse,
    UpgradeResponse,
)
from wherry.kit.httpd.parsing import Exchange, Held, Limits, RequestReader
from wherry.kit.httpd.rendering import CONTINUE, DateLine, header_lines, status_lines, switching_head
from wherry.kit.httpd.streams import SLICE_BYTES, DuplexStream, Flow, StreamWriter, send

log = logging.getLogger(__name__)

_PIPELINE_HIGH = 32
_HELD_HIGH = 64 * 1024
_LINGER_S = 1.0
_NEVER = float("inf")


def plain_refusal(status: int) -> Response:
    """A refusal in a line of text."""
    return Response(f"{status} {HTTPStatus(status).phrase}\n".encode(), status, "text/plain; charset=utf-8")


@dataclass(eq=False, kw_only=True)
class Site:
    """What all connections of a server share; `refuse` words the server's own refusals."""

    handler: Handler
    clock: Clock
    limits: Limits
    keepalive_timeout_s: float
    header_timeout_s: float
    body_timeout_s: float
    held: Held
    refuse: Callable[[int], Response] = plain_refusal
    closing: bool = False
    protocols: set[HttpProtocol] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.date = DateLine(self.clock)


class HttpProtocol(asyncio.Protocol):
    """HTTP/1.1 on one connection of a `Site`."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._pending: deque[Exchange] = deque()
        self._task: asyncio.Task[None] | None = None
        self._duplex: DuplexStream | None = None
        self._held: bytearray | None = None  # sent behind an upgrade request that is not answered yet
        self._reading_paused = False
        self._owes_continue = False
        self._discarding = False
        self._deadline = self._body_deadline = _NEVER
        self._timer: Timer | None = None

    @property
    def idle(self) -> bool:
        """Whether no request is being read, waiting or answered."""
        return self._task is None and not self._pending and not self._reader.in_message

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's TLS transport is one by behaviour, not by class.
        self._transport = cast(asyncio.Transport, transport)
        self._flow = Flow(self._transport)
        tls = transport.get_extra_info("ssl_object")
        address = transport.get_extra_info("peername")
        peer = (address[0], address[1]) if isinstance(address, tuple) else None
        certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        self._tls = tls is not None
        connection = Connection(peer, certificate)
        self._reader = RequestReader(
            connection, self._site.limits, self._site.held, self._arrived, self._wants_body
        )
        self._site.protocols.add(self)
        self._expect_within(self._site.header_timeout_s)
        self._timer = self._site.clock.call_later(self._site.header_timeout_s, self._look_at_deadline)

    def connection_lost(self, exc: Exception | None) -> None:
        self._site.protocols.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        self._pending.clear()
        self._reader.let_go()
        self._flow.close()
        if self._duplex is not None:
            self._duplex.feed_eof()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._flow.pause()

    def resume_writing(self) -> None:
        self._flow.resume()

    def eof_received(self) -> bool:
        if self._duplex is None:
            return False  # like Go's server: who stops sending is gone
        self._duplex.feed_eof()
        return not self._tls

    def data_received(self, data: bytes) -> None:
        if self._duplex is not None:
            self._duplex.feed(data)
        elif self._held is not None:
            self._held += data
            self._hold_reading(len(self._held) > _HELD_HIGH)
        elif not self._discarding:
            self._read_requests(data)

    def finish(self) -> None:
        """The server closes: end now if idle, else with the answer under way."""
        if self.idle:
            self._transport.close()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._transport.abort()

    def _read_requests(self, data: bytes) -> None:
        reader = self._reader
        began = not reader.in_message
        rest = reader.feed(data)
        while rest is not None:
            if self._duplex is not None:
                self._duplex.feed(rest)
                return
            if self._task is not None or self._pending:
                self._held = bytearray(rest)
                return
            reader.restart()
            rest = reader.feed(rest) if rest else None
        if began:
            self._body_deadline = self._site.clock.monotonic() + self._site.body_timeout_s
        if self._task is None:
            if reader.in_message and (began or not reader.in_head):
                self._expect_within(self._site.header_timeout_s)
                self._deadline = min(self._deadline, self._body_deadline)
        elif self._read_ahead_bytes() > _HELD_HIGH:
            self._hold_reading(True)  # large bodies wait in the kernel for the answers before them

    def _read_ahead_bytes(self) -> int:
        waiting = sum(len(exchange.request.body) for exchange in self._pending)
        return waiting + self._reader.body_size

    def _hold_reading(self, hold: bool) -> None:
        if hold != self._reading_paused and not self._transport.is_closing():
            self._reading_paused = hold
            if hold:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _wants_body(self) -> None:
        if self._task is None and not self._pending:
            self._transport.write(CONTINUE)
        else:
            self._owes_continue = True  # the answers before it come first

    def _arrived(self, exchange: Exchange) -> None:
        if self._transport.is_closing() or self._discarding:
            return
        self._owes_continue = False
        if self._task is None and not self._pending:
            self._begin(exchange)
        else:
            self._pending.append(exchange)
            self._hold_reading(len(self._pending) >= _PIPELINE_HIGH)

    def _begin(self, exchange: Exchange) -> None:
        self._deadline = _NEVER
        if exchange.refusal:
            self._respond(exchange, self._site.refuse(exchange.refusal))
            return
        try:
            answer = self._site.handler(exchange.request)
        except Exception:
            log.exception("the handler failed over %s %s", exchange.request.method, exchange.request.path)
            answer = self._site.refuse(500)
        if isinstance(answer, Response):
            self._respond(exchange, answer)
            return
        task = asyncio.get_running_loop().create_task(self._answer(exchange, answer))
        self._task = task
        self._site.tasks.add(task)
        task.add_done_callback(self._answered)

    async def _answer(self, exchange: Exchange, answer: Answer | Awaitable[Answer]) -> None:
        request = exchange.request
        begun = False
        try:
            if not isinstance(answer, (Response, StreamResponse, UpgradeResponse)):
                answer = await answer
            begun = not isinstance(answer, Response)
            if isinstance(answer, Response):
                self._respond(exchange, answer)
            elif isinstance(answer, StreamResponse):
                await self._stream(exchange, answer)
            else:
                await self._upgrade(exchange, answer)
        except Exception:
            log.exception("the handler failed over %s %s", request.method, request.path)
            if begun:
                self._transport.abort()  # the head is out; only breaking off tells the peer
            else:
                self._respond(exchange, self._site.refuse(500))

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._task = None
        self._site.tasks.discard(task)
        if task.cancelled() and not self._flow.closed:
            self._transport.abort()
        self._advance()

    def _advance(self) -> None:
        """Go on with what waited behind the answer that was just finished."""
        while self._pending and self._task is None and not self._transport.is_closing():
            self._begin(self._pending.popleft())
        if self._task is not None or self._transport.is_closing():
            return
        if self._held is not None:
            held, self._held = bytes(self._held), None
            self._reader.restart()
            self._read_requests(held)
        self._hold_reading(len(self._pending) >= _PIPELINE_HIGH)
        if self._owes_continue:
            self._owes_continue = False
            self._transport.write(CONTINUE)

    def _head(self, exchange: Exchange, status: int, content_type: str, headers: bytes) -> bytes:
        if not exchange.keep_alive or self._site.closing:
            headers += b"Connection: close\r\n"
        elif exchange.old:
            headers += b"Connection: keep-alive\r\n"
        return status_lines(status, content_type) + self._site.date.line() + headers

    def _respond(self, exchange: Exchange, answer: Response) -> None:
        if self._flow.closed:
            return
        body = answer.body
        try:
            headers = header_lines(answer.headers) if answer.headers else b""
            head = self._head(exchange, answer.status, answer.content_type, headers)
        except ValueError:
            log.exception("an answer to %s has unusable headers", exchange.request.path)
            answer = self._site.refuse(500)
            body = answer.body
            head = self._head(exchange, answer.status, answer.content_type, b"")
        if answer.status in (204, 304) or answer.status < 200:
            self._transport.write(head + b"\r\n")
        elif exchange.request.method == "HEAD":
            self._transport.write(b"%bContent-Length: %d\r\n\r\n" % (head, len(body)))
        elif len(body) <= SLICE_BYTES:
            self._transport.write(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body))
        else:
            self._transport.write(b"%bContent-Length: %d\r\n\r\n" % (head, len(body)))
            send(self._transport, body)
        self._ended(exchange)

    async def _stream(self, exchange: Exchange, answer: StreamResponse) -> None:
        chunked = not exchange.old
        if not chunked:
            exchange.keep_alive = False  # only the connection's end tells the body's end
        headers = header_lines(answer.headers)
        if chunked:
            headers += b"Transfer-Encoding: chunked\r\n"
        self._transport.write(self._head(exchange, answer.status, answer.content_type, headers) + b"\r\n")
        if exchange.request.method != "HEAD":
            writer = StreamWriter(self._flow, chunked)
            await answer.run(writer)
            writer.finish()
        self._ended(exchange)

    async def _upgrade(self, exchange: Exchange, answer: UpgradeResponse) -> None:
        if not exchange.upgrade:
            raise RuntimeError("an upgrade was answered that the request did not ask for")
        duplex = DuplexStream(self._flow)
        self._transport.write(switching_head(self._site.date.line(), answer.headers))
        self._hold_reading(False)
        held, self._held = self._held, None
        self._duplex = duplex
        if held:
            duplex.feed(bytes(held))
        try:
            await answer.run(duplex)
        finally:
            self._transport.close()

    def _ended(self, exchange: Exchange) -> None:
        if exchange.refusal:
            self._linger()
        elif exchange.keep_alive and not self._site.closing:
            self._expect_within(self._site.keepalive_timeout_s)
        else:
            self._transport.close()

    def _linger(self) -> None:
        """Close, but read on a little: closing on unread data would reset what was just sent."""
        self._discarding = True
        self._pending.clear()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._site.clock.call_later(_LINGER_S, self._transport.close)

    def _expect_within(self, timeout_s: float) -> None:
        self._deadline = self._site.clock.monotonic() + timeout_s

    def _look_at_deadline(self) -> None:
        now = self._site.clock.monotonic()
        if now < self._deadline:
            wait_s = min(self._deadline - now, self._site.keepalive_timeout_s)
            self._timer = self._site.clock.call_later(wait_s, self._look_at_deadline)
        elif self._reader.in_message:
            self._reader.time_out()
        else:
            self._transport.close()
