"""Letting an upgraded connection through to the runtime's streaming server, byte by byte.

`connect` asks the runtime to upgrade; `pump` then copies both ways. What is spoken inside (SPDY, or
a WebSocket protocol the runtime knows) is the two ends' business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from wherry.kit.httpd.message import Duplex
from wherry.kit.integers import parse_unsigned
from wherry.kit.tasks import Tasks

_CHUNK = 64 * 1024
_HEAD_LIMIT = 64 * 1024
HOP_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "authorization"})


class UpgradeRefused(Exception):
    """The runtime answered with something other than 101."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"status {status}: {body.decode(errors='replace').strip()}")
        self.status = status
        self.body = body


@dataclass(frozen=True, slots=True)
class Upstream:
    """An upgraded connection to the runtime, and what it answered."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    headers: Sequence[tuple[str, str]]

    async def close(self) -> None:
        """Drop the connection."""
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            # The runtime closed first, which is as good.
            return


async def connect(url: str, method: str, headers: Mapping[str, str]) -> Upstream:
    """Ask the server at `url` (http) to upgrade with `headers`. Raises UpgradeRefused, OSError."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80, limit=_HEAD_LIMIT)
    try:
        lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}"]
        lines += [f"{name}: {value}" for name, value in headers.items() if name.lower() not in HOP_HEADERS]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        await writer.drain()
        status, answer = _parse_head(await reader.readuntil(b"\r\n\r\n"))
        if status != 101:
            raise UpgradeRefused(status, await reader.read(_HEAD_LIMIT))
    except BaseException:
        writer.close()
        raise
    return Upstream(reader, writer, answer)


async def pump(duplex: Duplex, upstream: Upstream) -> None:
    """Copy both ways until either side ends; the runtime's last bytes are delivered."""
    tasks = Tasks("tunnel")
    try:
        inward = tasks.spawn(_inward(duplex, upstream.writer), "inward")
        outward = tasks.spawn(_outward(upstream.reader, duplex), "outward")
        await asyncio.wait((inward, outward), return_when=asyncio.FIRST_COMPLETED)
    finally:
        upstream.writer.close()  # at once: whoever is told to end here may be told so again
        await tasks.close()
        await upstream.close()


async def _inward(duplex: Duplex, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await duplex.read():
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        return


async def _outward(reader: asyncio.StreamReader, duplex: Duplex) -> None:
    try:
        while data := await reader.read(_CHUNK):
            duplex.write(data)
            await duplex.drain()
    except ConnectionError:
        return


def _parse_head(head: bytes) -> tuple[int, list[tuple[str, str]]]:
    first, *rest = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in rest if line)
    status = parse_unsigned(first.split(" ", 2)[1] if " " in first else "", 16) or 0
    return status, [(name.strip(), value.strip()) for name, _, value in pairs]
