"""Watches over a WebSocket, as browsers and the Java client ask for them: a message for each event.

What the client says is not looked at; it only ends the watch by closing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from wherry.kit.httpd.message import Request, Response, UpgradeResponse, Writer
from wherry.kit.httpd.websocket import WebSocket, accept


def watch_socket(
    request: Request, run: Callable[[Writer], Awaitable[None]], *, is_text: bool
) -> UpgradeResponse | Response:
    """The answer that lets `run` write its lines as messages; `is_text` tells that they are JSON."""

    async def serve(socket: WebSocket) -> None:
        await until_closed(socket, run(MessageWriter(socket, is_text=is_text)))

    return accept(request, (), serve)


async def until_closed(socket: WebSocket, work: Awaitable[None]) -> None:
    """Do the work while the client has not closed the socket; what it says meanwhile is not looked at."""
    tasks = [asyncio.ensure_future(work), asyncio.ensure_future(_ignore_messages(socket))]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        task.result()


async def _ignore_messages(socket: WebSocket) -> None:
    while await socket.receive() is not None:
        pass


class MessageWriter:
    """A `Writer` whose lines become messages of a WebSocket."""

    def __init__(self, socket: WebSocket, *, is_text: bool) -> None:
        self._socket = socket
        self._is_text = is_text

    def write(self, data: bytes) -> None:
        """Send every line as a text message, or all as a binary one."""
        if not self._is_text:
            self._socket.post(data)
            return
        for line in data.split(b"\n"):
            if line:
                self._socket.post(line.decode() + "\n")

    async def drain(self) -> None:
        """See `Writer.drain`."""
        await self._socket.drain()

    @property
    def buffered(self) -> int:
        """See `Writer.buffered`."""
        return self._socket.buffered

    @property
    def piece_bytes(self) -> int:
        """See `Writer.piece_bytes`."""
        return self._socket.piece_bytes

    @property
    def closed(self) -> bool:
        """See `Writer.closed`."""
        return self._socket.closed

    async def wait_closed(self) -> None:
        """See `Writer.wait_closed`."""
        await self._socket.wait_closed()

    def abort(self) -> None:
        """See `Writer.abort`."""
        self._socket.abort()
