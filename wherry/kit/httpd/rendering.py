"""The bytes of an answer's head: status line, date and headers, put together once where they repeat."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import formatdate
from http import HTTPStatus

from wherry.kit.clock import Clock
from wherry.kit.httpd.message import Headers
from wherry.kit.remembered import remembered

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CHUNK_END = b"\r\n"
LAST_CHUNK = b"0\r\n\r\n"


class DateLine:
    """The `Date:` header line, written anew at most once a second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = float("-inf")
        self._line = b""

    def line(self) -> bytes:
        """`Date: ...` with its line end, for now."""
        now = self._clock.monotonic()
        if now >= self._until:
            moment = self._clock.now().timestamp()
            self._line = f"Date: {formatdate(moment, usegmt=True)}\r\n".encode()
            self._until = now + 1.0 - moment % 1.0
        return self._line


@remembered(256)
def status_lines(status: int, content_type: str) -> bytes:
    """Status line and `Content-Type:` (left out when empty). Raises ValueError for a bad type."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Status"  # a code without a registered name is allowed
    head = f"HTTP/1.1 {status} {phrase}\r\n".encode()
    return head + (header_lines([("Content-Type", content_type)]) if content_type else b"")


def header_lines(headers: Headers) -> bytes:
    """Header lines, each with its end. Raises ValueError for a name or value that would break out."""
    return _line(*headers[0]) if len(headers) == 1 else _lines(headers)


@remembered(64)
def _line(name: str, value: str) -> bytes:
    return _lines(((name, value),))


def _lines(headers: Headers) -> bytes:
    text = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if text.count("\n") != len(headers) or text.count("\r") != len(headers) or "\0" in text:
        raise ValueError("a header contains a line break or a zero byte")
    return text.encode("latin-1", "replace")


def chunk(data: bytes) -> bytes:
    """`data` as one chunk of a chunked body; `data` must not be empty."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def chunk_head(data: bytes) -> bytes:
    """What precedes `data` when it is sent as a chunk; `CHUNK_END` follows it."""
    return b"%x\r\n" % len(data)


def switching_head(date: bytes, headers: Sequence[tuple[str, str]]) -> bytes:
    """The head of a 101 answer; `headers` tell the protocol."""
    return b"HTTP/1.1 101 Switching Protocols\r\n" + date + header_lines(headers) + b"\r\n"
