"""Asking other servers: `Forwarder`. By datagrams from a port of each question's own, by TCP where those are
too short.

Source: RFC 5452 (what an answer must have to be believed); CoreDNS, plugin/forward, for times and bounds.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from wherry.dns.wire import EDNS_SIZE, HEADER, RD, TC, Code, Malformed, Query, Type, question_of
from wherry.kit.clock import Clock
from wherry.kit.tasks import shared

TRY_S = 2.0
"""For one server's answer."""
ROUNDS = 2
"""How often each server is asked."""
PAUSE_S = 5.0
"""A server that did not answer is asked last for so long."""
MOST_AT_ONCE = 1000
"""Questions under way; further ones are refused (`max_concurrent`)."""
LARGEST = 65535


class Unanswered(Exception):
    """No server answered; the text says which were asked."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """A server that is asked."""

    host: str
    port: int = 53

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Forwarder:
    """Asks `servers` in turn until one answers."""

    def __init__(self, servers: Sequence[Upstream], clock: Clock) -> None:
        self.servers = tuple(servers)
        self._clock = clock
        self._silent_until: dict[Upstream, float] = {}
        self._under_way: dict[bytes, asyncio.Task[bytes]] = {}
        self._first = 0

    async def ask(self, query: Query) -> bytes:
        """The answer as it came, its number 0. Raises Unanswered.

        Who asks the same while a question is under way waits for the same answer.
        """
        asked = _question(query)
        task = self._under_way.get(asked)
        if task is None:
            if len(self._under_way) >= MOST_AT_ONCE:
                raise Unanswered(f"{MOST_AT_ONCE} questions are under way")
            task = asyncio.create_task(self._ask(asked, query.key))
            self._under_way[asked] = task
            task.add_done_callback(lambda done: self._done(asked, done))
        return await shared(task, "a question")

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, asked: bytes, task: asyncio.Task[bytes]) -> None:
        self._under_way.pop(asked, None)
        if not task.cancelled():
            task.exception()  # those who wait for it get it

    async def _ask(self, asked: bytes, key: bytes) -> bytes:
        if not self.servers:
            raise Unanswered("there is no server to ask")
        failures: dict[Upstream, str] = {}
        for _ in range(ROUNDS):
            for server in self._in_order():
                try:
                    async with asyncio.timeout(TRY_S):
                        answer = await _ask_by_datagram(server, asked, key)
                        if HEADER.unpack_from(answer)[1] & TC:
                            answer = await _ask_by_stream(server, asked, key)
                except (OSError, TimeoutError, Malformed, EOFError) as error:
                    failures[server] = str(error) or type(error).__name__
                    self._silent_until[server] = self._clock.monotonic() + PAUSE_S
                    continue
                self._silent_until.pop(server, None)
                if HEADER.unpack_from(answer)[1] & 0xF in (Code.SERVFAIL, Code.REFUSED):
                    failures[server] = "it cannot say"
                    last = answer
                    continue
                return answer
            if failures and all(text == "it cannot say" for text in failures.values()):
                return last
        raise Unanswered("; ".join(f"{server}: {text}" for server, text in failures.items()))

    def _in_order(self) -> list[Upstream]:
        """Each server once: another first each time, those that were silent lately last."""
        self._first = (self._first + 1) % len(self.servers)
        turned = [*self.servers[self._first :], *self.servers[: self._first]]
        now = self._clock.monotonic()
        return sorted(turned, key=lambda server: self._silent_until.get(server, 0.0) > now)


def _question(query: Query) -> bytes:
    """What is sent, without its number: the question in lower case, with an OPT record."""
    size, wants = EDNS_SIZE, 0x8000 if query.is_dnssec else 0
    opt = b"\x00" + struct.pack("!HHIH", Type.OPT, size, wants, 0)
    flags = (query.flags & 0x0010) | RD
    return HEADER.pack(0, flags, 1, 0, 0, 1) + query.key + opt


async def _ask_by_datagram(server: Upstream, asked: bytes, key: bytes) -> bytes:
    number = secrets.token_bytes(2)
    loop = asyncio.get_running_loop()
    transport, waiting = await loop.create_datagram_endpoint(
        lambda: _Waiting(number, key), remote_addr=(server.host, server.port)
    )
    try:
        transport.sendto(number + asked[2:])
        return await waiting.answer
    finally:
        transport.close()


async def _ask_by_stream(server: Upstream, asked: bytes, key: bytes) -> bytes:
    number = secrets.token_bytes(2)
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        writer.write(struct.pack("!H", len(asked)) + number + asked[2:])
        await writer.drain()
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        answer = await reader.readexactly(length)
    finally:
        writer.close()
    if not _is_answer(answer, number, key):
        raise Malformed("an answer to another question")
    return b"\x00\x00" + answer[2:]


class _Waiting(asyncio.DatagramProtocol):
    """Waits for the datagram that answers; others are nobody's."""

    def __init__(self, number: bytes, key: bytes) -> None:
        self._number = number
        self._key = key
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not self.answer.done() and _is_answer(data, self._number, self._key):
            self.answer.set_result(b"\x00\x00" + data[2:])

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


def _is_answer(data: bytes, number: bytes, key: bytes) -> bool:
    if len(data) < HEADER.size or data[:2] != number or not data[2] & 0x80:
        return False
    try:
        return question_of(data) == key
    except Malformed:
        return False
