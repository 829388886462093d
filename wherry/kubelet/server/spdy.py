"""The client half of SPDY/3.1, as far as streaming to a container runtime needs it.

Runtimes speak exec and attach over SPDY streams: one each for stdin, stdout, stderr, errors and
terminal sizes. Their library has no flow control, so neither has this; headers the server sends are
not needed and not unpacked.
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY = 1, 2, 3, 6, 7
_CONTROL = 0x80030000
_FIN = 0x01
_MAX_DATA = 64 * 1024
_NUMBER = 4
"""How many bytes a stream's number takes."""

# fmt: off
_NAMES = (
    "options", "head", "post", "put", "delete", "trace", "accept", "accept-charset",
    "accept-encoding", "accept-language", "accept-ranges", "age", "allow", "authorization",
    "cache-control", "connection", "content-base", "content-encoding", "content-language",
    "content-length", "content-location", "content-md5", "content-range", "content-type", "date",
    "etag", "expect", "expires", "from", "host", "if-match", "if-modified-since", "if-none-match",
    "if-range", "if-unmodified-since", "last-modified", "location", "max-forwards", "pragma",
    "proxy-authenticate", "proxy-authorization", "range", "referer", "retry-after", "server", "te",
    "trailer", "transfer-encoding", "upgrade", "user-agent", "vary", "via", "warning",
    "www-authenticate", "method", "get", "status", "200 OK", "version", "HTTP/1.1", "url",
    "public", "set-cookie", "keep-alive", "origin",
)
# fmt: on
_REST = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request"
    "401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
    "503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 "
    "Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,"
    "application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age="
    "gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = b"".join(struct.pack(">I", len(name)) + name.encode() for name in _NAMES) + _REST.encode()
"""What the standard has both sides prime their compression of headers with."""


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of a stream; `fin` when they are its last."""

    stream: int
    data: bytes
    fin: bool


class SpdyClient:
    """One connection on which this side opens all streams."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._deflate = zlib.compressobj(zdict=DICTIONARY)
        self._next_stream = 1

    async def open(self, headers: Mapping[str, str]) -> int:
        """Open a stream with `headers` (lower-case names); its number."""
        number = self._next_stream
        self._next_stream += 2
        body = struct.pack(">IIBB", number, 0, 0, 0) + self._pack(headers)
        self._write_control(_SYN_STREAM, 0, body)
        await self._writer.drain()
        return number

    async def send(self, stream: int, data: bytes, *, fin: bool = False) -> None:
        """Send `data` on a stream, and with `fin` the end of this side of it."""
        pieces = [data[at : at + _MAX_DATA] for at in range(0, len(data), _MAX_DATA)] or [b""]
        for index, piece in enumerate(pieces):
            flags = _FIN if fin and index == len(pieces) - 1 else 0
            self._writer.write(struct.pack(">II", stream, flags << 24 | len(piece)) + piece)
            await self._writer.drain()

    async def frames(self) -> AsyncIterator[Data]:
        """What the peer sends on streams, until it closes the connection or says goodbye.

        A stream that is reset has ended like any other. A frame too short to name its stream is no SPDY: what
        follows means nothing either, and the connection counts as broken.
        """
        while True:
            try:
                head, size = struct.unpack(">II", await self._reader.readexactly(8))
                body = await self._reader.readexactly(size & 0xFFFFFF)
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            if not head >> 31:
                yield Data(head, body, bool(size >> 24 & _FIN))
                continue
            kind = head & 0xFFFF
            if kind in (_SYN_REPLY, _RST_STREAM) and len(body) < _NUMBER:
                return
            # A reset is how containerd ends streams it has no more use for.
            if kind == _RST_STREAM or (kind == _SYN_REPLY and size >> 24 & _FIN):
                yield Data(int.from_bytes(body[:_NUMBER], "big"), b"", True)
            elif kind == _PING:
                self._write_control(_PING, 0, body)
            elif kind == _GOAWAY:
                return

    async def close(self) -> None:
        """Drop the connection."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            # The other side closed first, which is as good.
            return

    def _pack(self, headers: Mapping[str, str]) -> bytes:
        block = struct.pack(">I", len(headers))
        for pair in headers.items():
            for text in pair:
                block += struct.pack(">I", len(text.encode())) + text.encode()
        return self._deflate.compress(block) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def _write_control(self, kind: int, flags: int, body: bytes) -> None:
        self._writer.write(struct.pack(">II", _CONTROL | kind, flags << 24 | len(body)) + body)
