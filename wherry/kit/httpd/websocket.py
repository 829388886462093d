"""The server side of a WebSocket, on an upgraded connection; wsproto knows the frames.

`accept` checks the handshake, picks the subprotocol and gives the answer to return from a handler;
its run gets a `WebSocket`. Pings are answered and the closing handshake is done here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError, generate_accept_token

from wherry.kit.clock import Clock, SystemClock
from wherry.kit.httpd.message import Duplex, Request, Response, UpgradeResponse
from wherry.kit.httpd.upgrades import is_websocket

MESSAGE_LIMIT = 16 * 1024 * 1024
CLOSE_TIMEOUT_S = 5.0

NORMAL, GOING_AWAY, PROTOCOL_ERROR, TOO_BIG, INTERNAL = 1000, 1001, 1002, 1009, 1011


def accept(
    request: Request,
    protocols: Sequence[str],
    run: Callable[[WebSocket], Awaitable[None]],
    *,
    message_limit: int = MESSAGE_LIMIT,
    clock: Clock | None = None,
) -> UpgradeResponse | Response:
    """The answer that makes `request` a WebSocket and hands it to `run`; it closes when `run` ends.

    Of the client's subprotocols the first that is among `protocols` is spoken; a client that asks
    for none gets none. A request that cannot be upgraded is answered with 400 or 426.
    """
    headers = request.headers
    key = headers.get("sec-websocket-key", "")
    if request.method != "GET" or not is_websocket(request) or not key:
        return _refusal("a WebSocket handshake was expected")
    if headers.get("sec-websocket-version", "") != "13":
        return _refusal("only WebSocket version 13 is spoken", 426, [("Sec-WebSocket-Version", "13")])
    asked = [name.strip() for name in headers.get("sec-websocket-protocol", "").split(",") if name.strip()]
    chosen = next((name for name in asked if name in protocols), "")
    if asked and protocols and not chosen:
        return _refusal(f"requested protocol(s) are not supported: {asked}; supports {list(protocols)}")
    answer = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", generate_accept_token(key.encode("latin-1")).decode("ascii")),
    ]
    if chosen:
        answer.append(("Sec-WebSocket-Protocol", chosen))

    async def serve(duplex: Duplex) -> None:
        socket = WebSocket(duplex, chosen, message_limit)
        try:
            await run(socket)
        except Exception:
            await socket.close(INTERNAL)
            raise
        finally:
            await socket.finish(clock or SystemClock())

    return UpgradeResponse(serve, answer)


def _refusal(text: str, status: int = 400, headers: Sequence[tuple[str, str]] = ()) -> Response:
    return Response(text.encode() + b"\n", status, "text/plain; charset=utf-8", headers)


class WebSocket:
    """An open WebSocket. One task may receive while others send."""

    def __init__(self, duplex: Duplex, subprotocol: str = "", message_limit: int = MESSAGE_LIMIT) -> None:
        self.subprotocol = subprotocol
        self._duplex = duplex
        self._limit = message_limit
        self._frames = Connection(ConnectionType.SERVER)
        self._ready: deque[bytes | str] = deque()
        self._parts: list[bytes | str] = []
        self._size = 0
        self._ended = False

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._duplex.closed or self._frames.state is not ConnectionState.OPEN

    @property
    def buffered(self) -> int:
        """Bytes sent and not yet taken by the kernel."""
        return self._duplex.buffered

    @property
    def piece_bytes(self) -> int:
        """How many bytes to send at once of what is long."""
        return self._duplex.piece_bytes

    async def receive(self) -> bytes | str | None:
        """The next message, bytes or text as it was sent; None at the end."""
        while not self._ready:
            if self._ended:
                return None
            self._take(await self._duplex.read())
        return self._ready.popleft()

    async def send(self, message: bytes | str) -> None:
        """Send one message and wait while too much is queued. Nothing happens once closed."""
        self.post(message)
        await self._duplex.drain()

    def post(self, message: bytes | str) -> None:
        """Queue one message without waiting. Nothing happens once closed."""
        if isinstance(message, str):
            self._write(TextMessage(data=message))
        else:
            self._write(BytesMessage(data=message))

    async def drain(self) -> None:
        """Wait until the peer took enough that more may be queued."""
        await self._duplex.drain()

    async def wait_closed(self) -> None:
        """Return when the peer is gone."""
        await self._duplex.wait_closed()

    def abort(self) -> None:
        """Drop the connection without a closing handshake."""
        self._duplex.abort()

    async def ping(self, payload: bytes = b"") -> None:
        """Send a ping; the peer's pong is taken in by `receive`."""
        self._write(Ping(payload=payload))
        await self._duplex.drain()

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Tell the peer the end. What it still sends can be received; `run` should end soon."""
        self._write(CloseConnection(code=code, reason=reason or None))
        await self._duplex.drain()

    async def finish(self, clock: Clock, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Close if still open, and give the peer `timeout_s` seconds to close too; `accept` does this.

        Hanging up on unread data would reset the connection and lose what was sent last.
        """
        await self.close()
        if self._ended or self._duplex.closed:
            return
        drained = asyncio.ensure_future(self._read_to_end())

        def give_up() -> None:
            drained.cancel()

        timer = clock.call_later(timeout_s, give_up)
        try:
            await asyncio.wait([drained])
        finally:
            timer.cancel()
            drained.cancel()

    async def _read_to_end(self) -> None:
        while await self.receive() is not None:
            pass

    def _write(self, event: Event) -> None:
        if not self.closed:
            self._duplex.write(self._frames.send(event))

    def _take(self, data: bytes) -> None:
        if not data:
            self._ended = True
            return
        try:
            self._frames.receive_data(data)
            for event in self._frames.events():
                self._on_event(event)
        except RemoteProtocolError as error:
            reply = error.event_hint
            self._fail(reply.code if isinstance(reply, CloseConnection) else PROTOCOL_ERROR)

    def _on_event(self, event: Event) -> None:
        if self._ended:
            return
        if isinstance(event, (BytesMessage, TextMessage)):
            self._on_part(event)
        elif isinstance(event, Ping):
            self._write(event.response())
        elif isinstance(event, CloseConnection):
            self._ended = True
            with contextlib.suppress(LocalProtocolError):  # both sides closed at once
                self._duplex.write(self._frames.send(event.response()))
        elif not isinstance(event, Pong):
            self._fail(PROTOCOL_ERROR)

    def _on_part(self, event: BytesMessage | TextMessage) -> None:
        self._size += len(event.data)
        if self._size > self._limit:
            self._fail(TOO_BIG)
            return
        self._parts.append(bytes(event.data) if isinstance(event, BytesMessage) else event.data)
        if event.message_finished:
            empty: bytes | str = b"" if isinstance(event, BytesMessage) else ""
            self._ready.append(empty.join(self._parts))  # type: ignore[arg-type]
            self._parts = []
            self._size = 0

    def _fail(self, code: int) -> None:
        self._ended = True
        self._ready.clear()
        self._write(CloseConnection(code=code))
