"""The listening side: sockets, and an orderly end.

One `Server` may listen on several addresses and Unix sockets; all share a handler, limits and the
connections that a `close` has to see off. The kernel finds out which peers are gone without a word: it
probes silent ones, and gives up what is not acknowledged (tcp(7)).
"""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from wherry.kit.clock import Clock, SystemClock
from wherry.kit.httpd.message import Handler, Response
from wherry.kit.httpd.parsing import Held, HeldFor, Limits
from wherry.kit.httpd.protocol import HttpProtocol, Site, plain_refusal
from wherry.kit.httpd.waiting import WaitingBudget
from wherry.kit.sockets import ask_when_silent, set_user_timeout

BODY_LIMIT = 3 * 1024 * 1024
KEEPALIVE_TIMEOUT_S = 90.0
HEADER_TIMEOUT_S = 32.0
BODY_TIMEOUT_S = 60.0
WRITE_TIMEOUT_S = 60.0
HELD_LIMIT = 128 * 1024 * 1024
BACKLOG = 1024
HANDSHAKE_TIMEOUT_S = 10.0
SILENT_S, PROBE_EVERY_S, PROBES = 30, 15, 3
USER_TIMEOUT_MS = (SILENT_S + PROBE_EVERY_S * PROBES) * 1000
MOST_CONNECTIONS = 16_384
IP_FREEBIND = 15
"""Linux's socket option (ip(7)); the socket module names it only from Python 3.12 on."""


class Server:
    """Serves `handler` over HTTP/1.1, with TLS when given an `ssl_context`.

    `body_limit` bounds bodies, `head_limit` target and headers, in bytes. What the server refuses by
    itself (400, 408, 413, 429, 431, 500) is answered with `refuse(status)`. A connection may be idle for
    `keepalive_timeout_s`; a request's head, or the next piece of its body, may take
    `header_timeout_s`, and head and body together `body_timeout_s`. A peer that takes next to nothing of
    what it is sent for `write_timeout_s` is cut off. Bodies that do not come at once may have `held_limit`
    bytes, all connections together, until they are answered; `held_for` tells whose they are instead.
    What peers do not take is bounded by `waiting`, all together and by identity.
    Past `connection_limit` connections (0: what the open files the process may have leave room for) an
    idle one ends for each new one.
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
        body_timeout_s: float = BODY_TIMEOUT_S,
        write_timeout_s: float = WRITE_TIMEOUT_S,
        held_limit: int = HELD_LIMIT,
        held_for: HeldFor | None = None,
        waiting: WaitingBudget | None = None,
        connection_limit: int = 0,
        refuse: Callable[[int], Response] = plain_refusal,
        clock: Clock | None = None,
    ) -> None:
        self._ssl_context = ssl_context
        self._clock = clock or SystemClock()
        self._held = Held(held_limit)
        self._site = Site(
            handler=handler,
            clock=self._clock,
            limits=Limits(body_bytes=body_limit, head_bytes=head_limit),
            keepalive_timeout_s=keepalive_timeout_s,
            header_timeout_s=header_timeout_s,
            body_timeout_s=body_timeout_s,
            write_timeout_s=write_timeout_s,
            held_for=held_for or (lambda *_: self._held),
            waiting=waiting or WaitingBudget(),
            connection_limit=connection_limit or _most_connections(),
            refuse=refuse,
        )
        self._listeners: list[asyncio.AbstractServer] = []
        self._paths: list[Path] = []

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._site.protocols)

    @property
    def held_bytes(self) -> int:
        """Bytes of bodies that did not come at once and are not answered yet; 0 with a `held_for`."""
        return self._held.bytes

    async def start(self, host: str = "127.0.0.1", port: int = 0, *, freebind: bool = False) -> int:
        """Listen on an address; the port, chosen by the system when 0. Raises OSError.

        With `freebind` the address need not exist yet: it is served from when it does (IPv4 only).
        """
        if self._ssl_context is not None:
            _keep_read_buffers()
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(
            self._protocol,
            sock=_bound(host, port, freebind=freebind),
            ssl=self._ssl_context,
            ssl_handshake_timeout=None if self._ssl_context is None else HANDSHAKE_TIMEOUT_S,
            backlog=BACKLOG,
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


def _bound(host: str, port: int, *, freebind: bool) -> socket.socket:
    """A socket to listen on; what is set here holds for every connection it accepts. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, for asyncio sends small writes at once (TCP_NODELAY) only where it is.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ask_when_silent(sock, SILENT_S, PROBE_EVERY_S, PROBES)
        set_user_timeout(sock, USER_TIMEOUT_MS)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if freebind:
            sock.setsockopt(socket.SOL_IP, IP_FREEBIND, 1)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def _most_connections() -> int:
    """How many connections leave a quarter of the open files the process may have to everything else."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else soft * 3 // 4
    return min(room, MOST_CONNECTIONS)


def _keep_read_buffers() -> None:
    """Make glibc's malloc serve TLS read buffers from its heap.

    uvloop reads TLS into a fresh buffer of 256 KiB each time. By default malloc maps and unmaps
    memory for that, with the page faults this takes two thirds of the requests per second. It stops
    doing so for sizes up to the largest mapped block it ever saw freed, so it is shown one.
    """
    block = bytearray(1024 * 1024)
    del block
