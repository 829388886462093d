"""One connection: requests in, answers out, in order.

The fast path is a straight line: the parser completes a request, the handler returns a `Response`,
one write sends head and body, and no task was made. Anything awaited gets one task, which is
cancelled when the peer goes away; requests sent meanwhile (pipelining) wait, and past a few of them
the connection is not read any more. No request begins while the peer has not taken the answers before
it, and none in a pass of the loop in which many of this connection's did.

One timer per connection covers peers that are idle, dawdle, or do not take what they are sent: it looks
at a deadline that requests move, instead of being set anew for each. Peers of streams that are followed, and
of connections that left HTTP, may pause: those are bounded by the bytes that wait (`waiting`).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import islice
from typing import cast

from wherry.kit.clock import Clock, Timer
from wherry.kit.httpd.gone import GONE
from wherry.kit.httpd.message import (
    Answer,
    Connection,
    Handler,
    Response,
    StreamResponse,
    UpgradeResponse,
)
from wherry.kit.httpd.parsing import Exchange, HeldFor, Limits, RequestReader
from wherry.kit.httpd.rendering import CONTINUE, DateLine, header_lines, status_lines, switching_head
from wherry.kit.httpd.streams import SLICE_BYTES, DuplexStream, Flow, StreamWriter
from wherry.kit.httpd.waiting import WaitingBudget
from wherry.kit.passes import Pass
from wherry.kit.sockets import hold_unsent, let_pause, set_user_timeout
from wherry.kit.tasks import others_end
from wherry.kit.tls import authority_of, end_of, subject_of

log = logging.getLogger(__name__)

_PIPELINE_HIGH = 32
_UNREAD_HIGH = 64 * 1024
_HEADS_BYTES, _BODY_BYTES = 8 * 1024, 64 * 1024
"""How much is parsed at once where heads may come, so that few requests come out of it; and of bodies."""
_TOGETHER = 64
"""So many requests of one connection may begin in one pass of the event loop."""
_TAKEN_BYTES = 256 * 1024
"""What a peer must take in each `write_timeout_s`, unless that is everything: 4 KB a second are enough."""
_UNSENT_BYTES = 128 * 1024
"""So much of what is live the kernel may hold unsent: that a peer takes nothing is noticed then."""
_LINGER_S, _PARTING_S = 1.0, 4.0
"""How long one that was refused is listened to, and then has for its part of TLS' end."""
_LOOKED_AT = 64
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
    write_timeout_s: float
    held_for: HeldFor
    waiting: WaitingBudget
    connection_limit: int
    refuse: Callable[[int], Response] = plain_refusal
    closing: bool = False
    protocols: dict[HttpProtocol, None] = field(default_factory=dict)
    """All connections; those whose turn it is to go when there are too many stand first."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    writing: Pass = field(default_factory=Pass)
    """What writing has of each pass of the event loop."""

    def __post_init__(self) -> None:
        self.date = DateLine(self.clock)

    def make_room(self) -> bool:
        """Whether one more connection may be; one of a stranger ends for it, else one that is idle.

        Only a few are looked at, others the next time.
        """
        if len(self.protocols) < self.connection_limit:
            return True
        spare = None
        for protocol in list(islice(self.protocols, _LOOKED_AT)):
            del self.protocols[protocol]
            self.protocols[protocol] = None
            if protocol.is_strangers:
                spare = protocol
                break
            if spare is None and protocol.idle:
                spare = protocol
        if spare is not None:
            spare.abort()
        return spare is not None


class HttpProtocol(asyncio.Protocol):
    """HTTP/1.1 on one connection of a `Site`."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._pending: deque[Exchange] = deque()
        self._task: asyncio.Task[None] | None = None
        self._unawaited: Answer | Awaitable[Answer] | None = None
        """The answer the task is to wait for, until it does."""
        self._duplex: DuplexStream | None = None
        self._unread: bytearray | None = None  # what cannot be parsed yet, for what came before it
        self._reading_paused = False
        self._begun = 0  # requests, in this pass of the event loop
        self._goes_on = False  # in the next one
        self._taken = 0  # by the peer, when it was last looked at
        self._user_timeout_ms = 0
        self._may_pause = False  # what is written comes as it comes, and is written as it is taken
        self._owes_continue = False
        self._discarding = False
        self._deadline = self._body_deadline = self._write_deadline = _NEVER
        self._looked_at = _NEVER
        self._timer: Timer | None = None

    @property
    def idle(self) -> bool:
        """Whether no request is being read, waiting or answered."""
        return not (
            self._task
            or self._pending
            or self._unread
            or self._reader.in_message
            or self._flow.paused
            or self._duplex
        )

    @property
    def is_strangers(self) -> bool:
        """Whether the peer showed no certificate and waits for no answer."""
        return self._task is None and self._reader.connection.peer_certificate is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's TLS transport is one by behaviour, not by class.
        self._transport = cast(asyncio.Transport, transport)
        tls = transport.get_extra_info("ssl_object")
        address = transport.get_extra_info("peername")
        peer = (address[0], address[1]) if isinstance(address, tuple) else None
        certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        self._tls = tls is not None
        connection = (
            Connection(peer, certificate, authority_of(tls), subject_of(tls), end_of(tls))
            if certificate
            else Connection(peer, None)
        )
        self._flow = Flow(
            self._transport,
            connection,
            self._site.waiting,
            self._site.writing,
            self._writing_paused,
            self._writing_resumed,
        )
        self._reader = RequestReader(
            connection, self._site.limits, self._site.held_for, self._arrived, self._wants_body
        )
        if not self._site.make_room():
            self._discarding = True
            self._transport.abort()
            return
        self._site.protocols[self] = None
        self._expect_within(self._site.header_timeout_s)
        self._look_again(self._site.header_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._site.protocols.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
        self._forget_waiting()
        self._reader.end()
        self._flow.leave()
        if self._duplex is not None:
            self._duplex.feed_eof()
        if self._task is not None:
            self._task.cancel()
        self._transport = self._flow.transport = GONE

    def pause_writing(self) -> None:
        self._flow.pause()

    def resume_writing(self) -> None:
        self._flow.resume()

    def _writing_paused(self) -> None:
        """The peer does not take what is written as fast as that is."""
        if not self._may_pause:
            self._expect_taking()

    def _writing_resumed(self) -> None:
        """It has taken everything but what the transport holds."""
        self._write_deadline = _NEVER
        if self._deadline != _NEVER and not self._flow.is_ending:
            self._expect_next()
        if self._pending or self._unread:
            self._go_on_soon()

    def eof_received(self) -> bool:
        if self._duplex is None:
            self._flow.close()
            return False  # like Go's server: who stops sending is gone
        self._duplex.feed_eof()
        return not self._tls

    def data_received(self, data: bytes) -> None:
        if self._duplex is not None:
            self._duplex.feed(data)
        elif self._unread is not None:
            self._unread += data
            self._hold_reading(True)
        elif not self._discarding and not self._flow.is_ending:
            self._read_requests(data)

    def finish(self) -> None:
        """The server closes: end now if idle, else with the answer under way."""
        if self.idle:
            self._flow.finish()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._flow.cut_off()

    def _read_requests(self, data: bytes) -> None:
        reader, size, begun, at = self._reader, len(data), self._reader.begun, 0
        if not self._goes_on:
            self._begun = 0
        while at < size:
            if self._begun >= _TOGETHER or self._flow.paused or self._is_full():
                self._unread = bytearray(memoryview(data)[at:])
                if self._task is None and not self._flow.paused:
                    self._go_on_soon()
                break
            step = _BODY_BYTES if reader.in_message and not reader.in_head else _HEADS_BYTES
            at += reader.feed(data if size <= step and not at else memoryview(data)[at : at + step])
            if reader.at_upgrade and self._task is None and not self._pending:
                reader.restart()  # it was answered plainly
        if reader.in_message and self._task is None:
            now = self._site.clock.monotonic()
            if reader.begun != begun:
                self._body_deadline = now + self._site.body_timeout_s
            if reader.begun != begun or not reader.in_head:
                self._deadline = min(now + self._site.header_timeout_s, self._body_deadline)
        elif self._task is not None or self._pending or self._unread:
            self._hold_reading(self._flow.paused or self._is_full())

    def _is_full(self) -> bool:
        """Whether enough waits for the answer that is being made."""
        if self._unread is not None or self._reader.at_upgrade or len(self._pending) >= _PIPELINE_HIGH:
            return True
        if self._task is None or not (self._pending or self._reader.body_size):
            return False
        # Large bodies wait in the kernel for the answers before them.
        waiting = sum(len(exchange.request.body) for exchange in self._pending)
        return waiting + self._reader.body_size > _UNREAD_HIGH

    def _hold_reading(self, hold: bool) -> None:
        if hold != self._reading_paused and not self._transport.is_closing():
            self._reading_paused = hold
            if hold:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _wants_body(self) -> None:
        if self._task is None and not self._pending:
            self._flow.write(CONTINUE)
        else:
            self._owes_continue = True  # the answers before it come first

    def _arrived(self, exchange: Exchange) -> None:
        if self._flow.is_ending or self._discarding:
            exchange.let_go()
            return
        self._owes_continue = False
        if self._may_begin() and not self._pending:
            self._begin(exchange)
        else:
            self._pending.append(exchange)
            if self._task is None:
                self._hold_reading(True)
                if not self._flow.paused:
                    self._go_on_soon()

    def _may_begin(self) -> bool:
        return self._task is None and not self._flow.paused and self._begun < _TOGETHER

    def _go_on_soon(self) -> None:
        """Let others have their turn before the requests that wait."""
        if not self._goes_on:
            self._goes_on = True
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._goes_on = False
        self._begun = 0
        if self._task is None:
            self._advance()

    def _begin(self, exchange: Exchange) -> None:
        self._deadline = _NEVER
        self._begun += 1
        if exchange.refusal:
            self._respond(exchange, self._site.refuse(exchange.refusal))
            return
        try:
            answer = self._site.handler(exchange.request)
        except Exception:
            log.exception("the handler failed over %s %s", exchange.request.method, exchange.request.path)
            answer = self._site.refuse(500)
        if isinstance(answer, Response):
            exchange.let_go()
            self._respond(exchange, answer)
            return
        task = asyncio.get_running_loop().create_task(self._answer(exchange, answer))
        self._task, self._unawaited = task, answer
        self._site.tasks.add(task)
        task.add_done_callback(self._answered)

    async def _answer(self, exchange: Exchange, answer: Answer | Awaitable[Answer]) -> None:
        request = exchange.request
        begun = False
        self._unawaited = None
        try:
            with others_end(f"the answer to {request.path}"):
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
                self._flow.cut_off()  # the head is out; only breaking off tells the peer
            else:
                self._respond(exchange, self._site.refuse(500))
        finally:
            exchange.let_go()

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if self._unawaited is not None:  # cancelled before it began: what it holds is given back
            close = getattr(self._unawaited, "close", None)
            self._unawaited = None
            if close is not None:
                close()
        self._site.tasks.discard(task)
        if task.cancelled() and not self._flow.closed:
            self._flow.cut_off()
        self._advance()

    def _advance(self) -> None:
        """Go on with what waited behind the answer that was just finished."""
        while self._pending and self._may_begin() and not self._flow.is_ending:
            self._begin(self._pending.popleft())
        if self._task is not None or self._flow.is_ending:
            return
        if self._flow.paused:
            self._hold_reading(bool(self._pending or self._unread))
            return
        if self._pending:
            self._go_on_soon()
            return
        if self._reader.at_upgrade:
            self._reader.restart()
        if self._unread is not None:
            unread, self._unread = bytes(self._unread), None
            self._read_requests(unread)
        self._hold_reading(self._is_full())
        if self._owes_continue and self._task is None:
            self._owes_continue = False
            self._flow.write(CONTINUE)

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
            self._flow.write(head + b"\r\n")
        elif exchange.request.method == "HEAD":
            self._flow.write(b"%bContent-Length: %d\r\n\r\n" % (head, len(body)))
        elif len(body) <= SLICE_BYTES:
            self._flow.write(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body))
        else:
            self._flow.write(b"%bContent-Length: %d\r\n\r\n" % (head, len(body)))
            self._flow.write(body)
        self._ended(exchange)

    async def _stream(self, exchange: Exchange, answer: StreamResponse) -> None:
        chunked = not exchange.old
        if not chunked:
            exchange.keep_alive = False  # only the connection's end tells the body's end
        headers = header_lines(answer.headers)
        has_body = answer.status not in (204, 304)
        if chunked and has_body:
            headers += b"Transfer-Encoding: chunked\r\n"
        self._flow.write(self._head(exchange, answer.status, answer.content_type, headers) + b"\r\n")
        if has_body and exchange.request.method != "HEAD":
            writer = StreamWriter(self._flow, chunked)
            self._let_pause(answer.is_followed)
            if answer.is_live:
                self._hold_unsent(_UNSENT_BYTES)
            await answer.run(writer)
            writer.finish()
            if not self._flow.closed:
                self._let_pause(False)
                if answer.is_live:
                    self._hold_unsent(0)
        self._ended(exchange)

    async def _upgrade(self, exchange: Exchange, answer: UpgradeResponse) -> None:
        if not exchange.upgrade:
            raise RuntimeError("an upgrade was answered that the request did not ask for")
        duplex = DuplexStream(self._flow)
        self._let_pause(True)
        self._flow.write(switching_head(self._site.date.line(), answer.headers))
        self._hold_reading(False)
        unread, self._unread = self._unread, None
        self._duplex = duplex
        if unread:
            duplex.feed(bytes(unread))
        try:
            await answer.run(duplex)
        finally:
            if not self._flow.closed:
                self._let_pause(False)
            self._flow.finish()

    def _ended(self, exchange: Exchange) -> None:
        if exchange.refusal:
            self._linger()
        elif exchange.keep_alive and not self._site.closing:
            self._expect_next()
        else:
            self._expect_within(self._site.write_timeout_s)
            self._flow.finish()

    def _linger(self) -> None:
        """Close, but read on a little: closing on unread data would reset what was just sent."""
        self._discarding = True
        self._forget_waiting()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._site.clock.call_later(_LINGER_S, self._end_lingering)

    def _end_lingering(self) -> None:
        """Part in order, but not with peers that do not: TLS would wait half a minute for their goodbye."""
        self._flow.finish()
        self._timer = self._site.clock.call_later(_PARTING_S, self._flow.cut_off)

    def _expect_next(self) -> None:
        """The peer has its answer: the next request may take its time to come."""
        site, now = self._site, self._site.clock.monotonic()
        if self._reader.in_message:
            self._deadline = now + site.header_timeout_s
            self._body_deadline = now + site.body_timeout_s
        else:
            self._deadline = now + site.keepalive_timeout_s

    def _expect_taking(self) -> None:
        """The peer has to take what was written, at some speed."""
        self._taken = self._flow.taken
        self._write_deadline = self._site.clock.monotonic() + self._site.write_timeout_s
        self._look_again(self._site.write_timeout_s)

    def _let_pause(self, may_pause: bool) -> None:
        """Whether the peer may take nothing for as long as it likes, as far as we and the kernel go."""
        if may_pause == self._may_pause:
            return
        self._may_pause = may_pause
        sock = self._transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            if may_pause:
                self._user_timeout_ms = let_pause(sock)
            else:
                set_user_timeout(sock, self._user_timeout_ms)
        self._write_deadline = _NEVER
        if self._flow.paused and not may_pause:
            self._expect_taking()

    def _hold_unsent(self, size: int) -> None:
        sock = self._transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            hold_unsent(sock, size)

    def _expect_within(self, timeout_s: float) -> None:
        self._deadline = self._site.clock.monotonic() + timeout_s

    def _forget_waiting(self) -> None:
        for exchange in self._pending:
            exchange.let_go()
        self._pending.clear()
        self._unread = None

    def _look_again(self, wait_s: float) -> None:
        """Look at the deadlines after `wait_s` seconds, if not before."""
        at = self._site.clock.monotonic() + wait_s
        if at < self._looked_at and not self._discarding:
            if self._timer is not None:
                self._timer.cancel()
            self._looked_at = at
            self._timer = self._site.clock.call_later(wait_s, self._look_at_deadline)

    def _look_at_deadline(self) -> None:
        now = self._site.clock.monotonic()
        self._looked_at = _NEVER
        if now >= self._write_deadline:
            if self._flow.taken - self._taken < _TAKEN_BYTES:
                self._flow.cut_off()
                return
            self._taken = self._flow.taken
            self._write_deadline = now + self._site.write_timeout_s
        deadline = _NEVER if self._flow.paused else self._deadline
        if now < deadline:
            wait_s = min(deadline, self._write_deadline) - now
            self._look_again(min(wait_s, self._site.keepalive_timeout_s))
        elif self._reader.in_message:
            self._reader.time_out()
        elif self._flow.waiting:
            self._flow.cut_off()  # to close would be to wait until the peer takes that
        else:
            self._flow.end()
