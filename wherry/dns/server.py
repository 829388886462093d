"""Listening for questions: `Listener`, by datagrams and by streams (RFC 7766).

Datagrams are taken in portions, so that nobody who asks much holds the loop: the socket is read again in the
next turn. Whoever is not `allowed` gets no answer.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections import Counter
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any, Protocol

from wherry.dns.streams import Stream
from wherry.dns.wire import Code, write_error

log = logging.getLogger(__name__)

TURN_S = 0.002
"""Datagrams are taken so long in one turn of the loop."""
RECEIVE_BYTES = 4 * 1024 * 1024
MOST_STREAMS, MOST_STREAMS_PER_CLIENT = 200, 20
LARGEST = 65535
TRIES = 10

Reply = Callable[[bytes], None]


class Handler(Protocol):
    """Answers questions."""

    def handle(self, data: bytes, source: str, reply: Reply, *, is_stream: bool) -> None:
        """Call `reply` once with the answer, now or later: b"" where there is none.

        `source` is the client's address. Never blocks.
        """
        ...


class Listener:
    """One address and port."""

    def __init__(self, handler: Handler, is_allowed: Callable[[str], bool]) -> None:
        self._handler = handler
        self._is_allowed = is_allowed
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._streams: set[asyncio.Task[None]] = set()
        self._of_client: Counter[str] = Counter()
        """How many streams each client has."""
        self._has_failed = False

    @property
    def streams(self) -> int:
        """How many there are."""
        return len(self._streams)

    async def start(self, host: str, port: int) -> int:
        """Listen; the port, which `port` 0 leaves to the kernel. Raises OSError."""
        for left in reversed(range(TRIES)):
            try:
                return await self._listen(host, port)
            except OSError as error:
                # One that is free for datagrams need not be for streams.
                if port or not left or error.errno != errno.EADDRINUSE:
                    raise
        raise AssertionError("unreachable")

    async def _listen(self, host: str, port: int) -> int:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            # Before the address is the machine's, which it is once the pods' network is laid.
            opened.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
            opened.bind((host, port))
            bound: int = opened.getsockname()[1]
            streams = _stream_socket(family, host, bound)
            self._server = await asyncio.start_server(self._accepted, sock=streams)
        except OSError:
            opened.close()
            raise
        self._socket = opened
        asyncio.get_running_loop().add_reader(opened, self._readable)
        return bound

    async def close(self) -> None:
        """Listen no more; who is connected is cut off."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._streams:
            task.cancel()
        await asyncio.gather(*self._streams, return_exceptions=True)

    def _readable(self) -> None:
        opened, end = self._socket, perf_counter() + TURN_S
        if opened is None:
            return
        while True:
            try:
                data, source = opened.recvfrom(LARGEST)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue  # what the kernel says of an answer that did not arrive
            if self._is_allowed(source[0]):
                self._ask(data, source[0], _Datagram(opened, source), is_stream=False)
            if perf_counter() > end:
                return

    def _ask(self, data: bytes, source: str, reply: Reply, *, is_stream: bool) -> None:
        """Have a question answered, by a failure where that goes wrong: it ends nobody else's."""
        try:
            self._handler.handle(data, source, reply, is_stream=is_stream)
        except Exception:
            log.log(logging.DEBUG if self._has_failed else logging.ERROR, "a question", exc_info=True)
            self._has_failed = True  # who sends many of that kind does not fill the log
            reply(write_error(data, Code.SERVFAIL))

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        source = str((writer.get_extra_info("peername") or ("",))[0])
        task = asyncio.current_task()
        has_room = len(self._streams) < MOST_STREAMS and self._of_client[source] < MOST_STREAMS_PER_CLIENT
        if task is None or not has_room or not self._is_allowed(source):
            writer.transport.abort()
            return
        self._streams.add(task)
        self._of_client[source] += 1
        try:
            await Stream(reader, writer, partial(self._ask_by_stream, source)).serve()
        finally:
            self._streams.discard(task)
            self._of_client[source] -= 1
            if not self._of_client[source]:
                del self._of_client[source]

    def _ask_by_stream(self, source: str, data: bytes, reply: Reply) -> None:
        self._ask(data, source, reply, is_stream=True)


class _Datagram:
    """Where an answer to a datagram goes."""

    __slots__ = ("_opened", "_to")

    def __init__(self, opened: socket.socket, to: tuple[Any, ...]) -> None:
        self._opened = opened
        self._to = to

    def __call__(self, answer: bytes) -> None:
        if not answer:
            return
        try:
            self._opened.sendto(answer, self._to)
        except OSError as error:
            # Full, or the client is gone: it asks again.
            log.debug("an answer to %s is lost: %s", self._to, error)


_IP_FREEBIND = 15
"""linux/in.h; Python does not name it."""


def _stream_socket(family: int, host: str, port: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        opened.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
        opened.listen(MOST_STREAMS)
    except OSError:
        opened.close()
        raise
    return opened
