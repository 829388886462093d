"""From bytes to requests: httptools' callbacks, with the limits that keep a stranger from filling memory.

One `RequestReader` reads one connection. It never answers anything itself: complete requests and
refusals come out of it in the order they were asked, and the connection sees to the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

import httptools

from wherry.kit.httpd.message import Connection, Request


@dataclass(frozen=True, slots=True)
class Limits:
    """The most a request may have: bytes of body, bytes and number of headers (target included)."""

    body_bytes: int = 3 * 1024 * 1024
    head_bytes: int = 64 * 1024
    headers: int = 200


class Held:
    """Bytes of bodies that are not complete yet, of all connections together, and the most there may be."""

    __slots__ = ("bytes", "limit")

    def __init__(self, limit: int) -> None:
        self.bytes = 0
        self.limit = limit


class Exchange:
    """A request and how its answer must be framed.

    `refusal` is the status code (0: none) with which the request is refused instead of handled;
    after it nothing more is read.
    """

    __slots__ = ("keep_alive", "old", "refusal", "request", "upgrade")

    def __init__(
        self, request: Request, *, keep_alive: bool, old: bool, upgrade: bool = False, refusal: int = 0
    ) -> None:
        self.request = request
        self.keep_alive = keep_alive
        self.old = old
        """The peer speaks HTTP/1.0: it knows no chunks."""
        self.upgrade = upgrade
        self.refusal = refusal


class Refused(Exception):
    """The request breaks a limit; raised through the parser to stop it."""


class RequestReader:
    """Reads requests off one connection and hands each to `arrived` the moment it is complete.

    `wants_body` is called when the peer waits for `100 Continue` before it sends the body.
    """

    def __init__(
        self,
        connection: Connection,
        limits: Limits,
        held: Held,
        arrived: Callable[[Exchange], None],
        wants_body: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._limits = limits
        self._held = held
        self.body_size = 0
        """Bytes of the body that is being read."""
        self._arrived = arrived
        self._wants_body = wants_body
        self._parser = httptools.HttpRequestParser(self)
        self._refusal = 0
        self.broken = False
        """Nothing more can be read: a refusal was handed out."""
        self.in_head = False
        """A request has begun and its headers are not complete."""
        self.in_message = False
        """A request has begun and is not complete."""
        self.on_message_begin()
        self.in_head = self.in_message = False

    def feed(self, data: bytes) -> bytes | None:
        """Take bytes. Returns None, or, behind a request that asks to upgrade, what followed it.

        Then the connection decides: `restart` and feed the rest again, or hand it to the new protocol.
        """
        if self.broken:
            return None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return data[upgrade.args[0] :]
        except httptools.HttpParserError:
            self._refuse(self._refusal or 400)
            return None
        if self.in_head:
            self._fed += len(data)
            if self._fed > self._limits.head_bytes:
                self._refuse(431)
        return None

    def restart(self) -> None:
        """Go on reading requests behind one that asked to upgrade and was answered plainly."""
        self._parser = httptools.HttpRequestParser(self)

    def let_go(self) -> None:
        """Forget the body that is being read; the connection is over."""
        self._held.bytes -= self.body_size
        self.body_size = 0
        self._body.clear()

    def time_out(self) -> None:
        """The peer took too long over a request."""
        self._refuse(408)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url = b""
        self._headers: dict[str, str] = {}
        self._count = self._size = self._fed = 0
        self._body: list[bytes] = []
        self.body_size = 0
        self._version = ""
        self.in_head = self.in_message = True

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self._url += url
        if len(self._url) > self._limits.head_bytes:
            self._stop(431)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or a trailer behind a chunked body, which is not kept."""
        self._count += 1
        self._size += len(name) + len(value)
        if self._count > self._limits.headers or self._size > self._limits.head_bytes:
            self._stop(431)
        if not self.in_head:
            return
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        known = self._headers.get(key)
        self._headers[key] = text if known is None else f"{known}, {text}"

    def on_headers_complete(self) -> None:
        """The head is complete: refuse a body that is announced too large before it is sent."""
        self.in_head = False
        self._version = self._parser.get_http_version()
        if self._version not in ("1.1", "1.0"):
            self._stop(400)
        length = self._headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._limits.body_bytes:
            self._stop(413)
        if self._headers.get("expect", "").lower() == "100-continue":
            self._wants_body()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self.body_size += len(body)
        self._held.bytes += len(body)
        if self.body_size > self._limits.body_bytes:
            self._stop(413)
        if self._held.bytes > self._held.limit:
            self._stop(429)
        self._body.append(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self.in_message = False
        self._held.bytes -= self.body_size
        self.body_size = 0
        parser = self._parser
        self._arrived(
            Exchange(
                self._request(parser.get_method().decode("ascii")),
                keep_alive=parser.should_keep_alive(),
                old=self._version == "1.0",
                upgrade=parser.should_upgrade(),
            )
        )

    def _request(self, method: str) -> Request:
        target = self._url.decode("latin-1")
        if not target.startswith("/"):
            target = _origin_form(target)
        raw_path, _, query = target.partition("?")
        path = unquote(raw_path, errors="strict") if "%" in raw_path else raw_path
        parts = self._body
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        return Request(method, path, raw_path, query, self._headers, body, self._connection)

    def _stop(self, refusal: int) -> None:
        self._refusal = refusal
        raise Refused

    def _refuse(self, refusal: int) -> None:
        self.broken = True
        self.let_go()
        self.in_head = self.in_message = False
        request = Request("", "", "", "", {}, b"", self._connection)
        self._arrived(Exchange(request, keep_alive=False, old=False, refusal=refusal))


def _origin_form(target: str) -> str:
    """`/path?query` out of a target a proxy would be sent; "*" and anything else stays as it is."""
    scheme, separator, rest = target.partition("://")
    if not separator or scheme.lower() not in ("http", "https"):
        return target
    slash = rest.find("/")
    return rest[slash:] if slash >= 0 else "/"
