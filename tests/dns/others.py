"""Another DNS server, on loopback, that knows what it is told."""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from wherry.dns.forward import Upstream

SHORT = 1232


class Other(asyncio.DatagramProtocol):
    """Answers questions for addresses by datagrams and streams, and counts them."""

    def __init__(self) -> None:
        self.records: dict[str, list[str]] = {}
        self.asked: Counter[str] = Counter()
        self.failing: set[str] = set()
        """Names it answers SERVFAIL for."""
        self.is_silent = False
        self.waiting: list[tuple[bytes, tuple[str, int]]] = []
        """Questions that are not answered yet, since it is silent."""
        self.forged = False
        """Whether each answer comes after three that are none.

        Another number, another question, not an answer.
        """
        self.upstream = Upstream("127.0.0.1", 0)
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    @asynccontextmanager
    async def listening(cls) -> AsyncIterator[Other]:
        """A server for the time of the block."""
        made = cls()
        server = await asyncio.start_server(made._stream, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        async with server:
            transport, _ = await loop.create_datagram_endpoint(lambda: made, ("127.0.0.1", port))
            made._transport = transport
            made.upstream = Upstream("127.0.0.1", port)
            yield made
            transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        if self.is_silent:
            self.waiting.append((data, addr))
            return
        if self.forged:
            true = self._answer(dns.message.from_wire(data), count=False)
            self._transport.sendto(bytes((true[0] ^ 1,)) + true[1:], addr)
            self._transport.sendto(true.replace(b"\x03www", b"\x03wwx"), addr)
            self._transport.sendto(data, addr)
        answer = self._answer(dns.message.from_wire(data))
        if len(answer) > SHORT:
            query = dns.message.from_wire(data)
            short = dns.message.make_response(query)
            short.flags |= dns.flags.TC
            answer = short.to_wire()
            self.asked[query.question[0].name.to_text()] -= 1
        self._transport.sendto(answer, addr)

    def speak(self) -> None:
        """Answer from now on, and what waits first."""
        self.is_silent = False
        for data, addr in self.waiting:
            self.datagram_received(data, addr)
        self.waiting.clear()

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        answer = self._answer(dns.message.from_wire(await reader.readexactly(length)))
        writer.write(struct.pack("!H", len(answer)) + answer)
        await writer.drain()
        writer.close()

    def _answer(self, query: dns.message.Message, *, count: bool = True) -> bytes:
        name = query.question[0].name.to_text()
        self.asked[name] += count
        response = dns.message.make_response(query)
        found = self.records.get(name)
        if name in self.failing:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif found is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif query.question[0].rdtype == 1:
            response.answer.append(dns.rrset.from_text(name, 300, "IN", "A", *found))
        return response.to_wire(max_size=65535)
