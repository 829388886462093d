"""The listening side: sockets, and an orderly end.

One `Server` may listen on several addresses and Unix sockets; all share a handler, limits and the
connections that a `close` has to see off.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

from wherry.kit.clock import Clock, SystemClock
from wherry.kit.httpd.message import Handler, Response
from wherry.kit.httpd.parsing import Limits
from wherry.kit.httpd.protocol import HttpProtocol, Site, plain_refusal

BODY_LIMIT = 3 * 1024 * 1024
KEEPALIVE_TIMEOUT_S = 90.0
HEADER_TIMEOUT_S = 32.0


class Server:
    """Serves `handler` over HTTP/1.1, with TLS when given an `ssl_context`.

    `body_limit` in bytes; what is larger is answered with `too_large(limit)`. `head_limit` bounds
    target and headers in bytes. A connection may be idle for `keepalive_timeout_s`, and a request's
    head, or the next piece of its body, may take `header_timeout_s`.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        ssl_context: ssl.SSLContext | None = None,
        body_limit: int = BODY_LIMIT,
        head_limit: int = 64 * 1024,
        keepalive_timeout_s: float = KEEPALIVE_TIMEOUT_S,
        header_timeout_s: float = HEADER_TIMEOUT_S,
        too_large: Callable[[int], Response] | None = None,
        clock: Clock | None = None,
    ) -> None:
        def refuse(status: int) -> Response:
            if status == 413 and too_large is not None:
                return too_large(body_limit)
            return plain_refusal(status)

        self._ssl_context = ssl_context
        self._clock = clock or SystemClock()
        self._site = Site(
            handler=handler,
            clock=self._clock,
            limits=Limits(body_bytes=body_limit, head_bytes=head_limit),
            keepalive_timeout_s=keepalive_timeout_s,
            header_timeout_s=header_timeout_s,
            refuse=refuse,
        )
        self._listeners: list[asyncio.AbstractServer] = []
        self._paths: list[Path] = []

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._site.protocols)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen on an address; the port, chosen by the system when 0. Raises OSError."""
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(
            self._protocol, host, port, ssl=self._ssl_context, backlog=1024, reuse_address=True
        )
        self._listeners.append(listener)
        bound: int = listener.sockets[0].getsockname()[1]
        return bound

    async def start_unix(self, path: Path | str) -> None:
        """Listen on a Unix socket, without TLS; a stale socket file is replaced. Raises OSError."""
        place = Path(path)
        _remove_socket(place)
        loop = asyncio.get_running_loop()
        self._listeners.append(await loop.create_unix_server(self._protocol, str(place)))
        self._paths.append(place)

    async def close(self, grace_s: float = 0.0) -> None:
        """Accept no more, let answers under way finish for `grace_s` seconds, then cut them off."""
        self._site.closing = True
        for listener in self._listeners:
            listener.close()
        for path in self._paths:
            _remove_socket(path)
        for protocol in list(self._site.protocols):
            protocol.finish()
        if grace_s > 0 and self._site.tasks:
            await self._wait_for_answers(grace_s)
        for protocol in list(self._site.protocols):
            protocol.abort()
        tasks = list(self._site.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for listener in self._listeners:
            await listener.wait_closed()
        self._listeners.clear()

    async def _wait_for_answers(self, grace_s: float) -> None:
        waiting = asyncio.ensure_future(_all_done(self._site.tasks))

        def give_up() -> None:
            waiting.cancel()

        timer = self._clock.call_later(grace_s, give_up)
        try:
            await asyncio.wait([waiting])
        finally:
            timer.cancel()
            waiting.cancel()

    def _protocol(self) -> HttpProtocol:
        return HttpProtocol(self._site)


async def _all_done(tasks: set[asyncio.Task[None]]) -> None:
    while tasks:
        await asyncio.wait(list(tasks))


def _remove_socket(path: Path) -> None:
    if path.is_socket():
        path.unlink()
