"""A client that asks by a stream (RFC 7766): `Stream`. It may ask on before it is answered, up to a bound."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable

from wherry.dns.wire import LARGEST_MESSAGE

IDLE_S = 10.0
"""For the next question, for what a client is to take, and for its last answers."""
MOST_PENDING = 32
"""Questions that are not answered yet: what is answered later is not waited for before it is written."""
LENGTH = struct.Struct("!H")

Ask = Callable[[bytes, Callable[[bytes], None]], None]
"""Asks a question; calls what it is given once with the answer, b"" for none."""


class Stream:
    """One connection; `ask` is called with each question."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ask: Ask) -> None:
        self._reader = reader
        self._writer = writer
        self._ask = ask
        self._pending = 0
        self._answered = asyncio.Event()

    async def serve(self) -> None:
        """Answer until the client ends, takes nothing or is silent. The connection is gone afterwards."""
        try:
            while (data := await self._next()) is not None:
                self._pending += 1
                self._ask(data, self._reply)
                async with asyncio.timeout(IDLE_S):
                    await self._writer.drain()
                    await self._until_below(MOST_PENDING)
                await asyncio.sleep(
                    0
                )  # one question a turn: what it sent at once is no reason to hold others
            async with asyncio.timeout(IDLE_S):
                await self._until_below(1)
                self._writer.close()
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            return  # it broke, or takes nothing
        finally:
            # Not closed alone: that waits for a client that reads, for ever.
            self._writer.transport.abort()

    async def _next(self) -> bytes | None:
        """The next question, None when there is none any more. Raises OSError."""
        try:
            async with asyncio.timeout(IDLE_S):
                (length,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
                return await self._reader.readexactly(length)
        except (EOFError, TimeoutError):
            return None

    async def _until_below(self, number: int) -> None:
        while self._pending >= number:
            self._answered.clear()
            await self._answered.wait()

    def _reply(self, answer: bytes) -> None:
        self._pending -= 1
        self._answered.set()
        if answer and not self._writer.is_closing():
            self._writer.write(LENGTH.pack(min(len(answer), LARGEST_MESSAGE)) + answer[:LARGEST_MESSAGE])
