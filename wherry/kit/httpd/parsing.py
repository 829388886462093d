"""From bytes to requests: httptools' callbacks, with the limits that keep a stranger from filling memory.

One `RequestReader` reads one connection. It never answers anything itself: complete requests and
refusals come out of it in the order they were asked, and the connection sees to the rest. What comes
out does not depend on how the bytes were cut on their way here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

import httptools

from wherry.kit.httpd.message import Connection, Request, RequestHeaders
from wherry.kit.integers import parse_unsigned
from wherry.kit.remembered import LONGEST


@dataclass(frozen=True, slots=True)
class Limits:
    """The most a request may have: bytes of body, bytes and number of headers (target included).

    What stands between names and values is not counted.
    """

    body_bytes: int = 3 * 1024 * 1024
    head_bytes: int = 64 * 1024
    headers: int = 200


_HOST = re.compile(r"[A-Za-z0-9!$%&'()*+,\-.:;=\[\]_~]*")
_NO_HOST = "\n"
"""What no Host header says."""
_LINE_SLACK = 64
"""What may stand in a line beside what is counted of it: colon, blanks."""


class Held:
    """Bytes of requests that some peers sent and nobody has answered yet, and the most there may be.

    `within` holds the bytes of these and of others, and has a limit of its own.
    """

    __slots__ = ("bytes", "limit", "within")

    def __init__(self, limit: int, within: Held | None = None) -> None:
        self.bytes = 0
        self.limit = limit
        self.within = within

    def take(self, size: int) -> bool:
        """Count `size` more bytes; False when that is too much for these or for the others around them."""
        self.bytes += size
        around = self.within is None or self.within.take(size)
        return around and self.bytes <= self.limit

    def give_back(self, size: int) -> None:
        """`size` bytes less."""
        self.bytes -= size
        if self.within is not None:
            self.within.give_back(size)


HeldFor = Callable[[Connection, RequestHeaders], Held]
"""Where a request is counted, told from who sends it: the connection and the headers.

Of a request whose head is not complete there are none.
"""


class Exchange:
    """A request and how its answer must be framed.

    `refusal` is the status code (0: none) with which the request is refused instead of handled;
    after it nothing more is read. `held` counts `held_bytes` of the request until the answer is made.
    """

    __slots__ = ("held", "held_bytes", "keep_alive", "old", "refusal", "request", "upgrade")

    def __init__(
        self, request: Request, *, keep_alive: bool, old: bool, upgrade: bool = False, refusal: int = 0
    ) -> None:
        self.request = request
        self.keep_alive = keep_alive
        self.old = old
        """The peer speaks HTTP/1.0: it knows no chunks."""
        self.upgrade = upgrade
        self.refusal = refusal
        self.held: Held | None = None
        self.held_bytes = 0

    def let_go(self) -> None:
        """The request is not held any more, or soon will not be."""
        if self.held is not None:
            self.held.give_back(self.held_bytes)
            self.held = None


class Refused(Exception):
    """The request breaks a limit; raised through the parser to stop it."""


class RequestReader:
    """Reads requests off one connection and hands each to `arrived` the moment it is complete.

    `wants_body` is called when the peer waits for `100 Continue` before it sends the body. A request that
    does not come at once is counted where `held_for` says: its head, and its body.
    """

    def __init__(
        self,
        connection: Connection,
        limits: Limits,
        held_for: HeldFor,
        arrived: Callable[[Exchange], None],
        wants_body: Callable[[], None],
    ) -> None:
        self.connection = connection
        self._limits = limits
        self._held_for = held_for
        self._held: Held | None = None
        self._held_bytes = 0
        self._is_held_for_peer = False
        """Whose the request is was told without its headers."""
        self.body_size = 0
        """Bytes of the body that is being read."""
        self._arrived = arrived
        self._wants_body = wants_body
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._refusal = 0
        self.broken = False
        """Nothing more can be read: a refusal was handed out."""
        self.at_upgrade = False
        """A request asked to upgrade; what follows is no HTTP, or `restart` says that it is."""
        self.in_head = False
        """A request has begun and its headers are not complete."""
        self.in_message = False
        """A request has begun and is not complete."""
        self._count = self._size = self._line = 0
        self._bodies = 0
        """Bytes of bodies among those that are being taken."""
        self._host = _NO_HOST
        """The host that was last found to be one: mostly all requests of a connection name the same."""
        self.begun = 0
        """How many requests have begun."""
        self.on_message_begin()
        self.in_head = self.in_message = False

    def feed(self, data: bytes | memoryview) -> int:
        """Take bytes; how many of them. Not all behind a request that asks to upgrade (`at_upgrade`).

        Then the connection decides: `restart` and feed the rest again, or hand it to the new protocol.
        """
        if self._parser is None:
            return len(data)
        self._bodies = 0
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.at_upgrade = True
            taken: int = upgrade.args[0]
            return taken
        except httptools.HttpParserError:
            self._refuse(self._refusal or 400)
            return len(data)
        if self.in_head:
            size = self._head_so_far(bytes(data))
            if size > self._limits.head_bytes + _LINE_SLACK:
                self._refuse(431)
            else:
                self._hold(size)
        elif self.in_message:
            self._hold(self._size + len(self._url) + self.body_size)
        return len(data)

    def _head_so_far(self, data: bytes) -> int:
        """How large a head is that ends with `data` so far; of its last line the parser tells nothing yet."""
        end = data.rfind(b"\n")
        line = len(data) - end - 1 if end >= 0 else self._line + len(data)
        # Of a body before it, in the same bytes, nothing is the head's.
        self._line = min(line, len(data) - self._bodies) if self._bodies else line
        # The first line is the target's, of which the parser tells piece by piece.
        told = self._size + len(self._url) if self._count else 0
        return told + self._line

    def _hold(self, size: int) -> None:
        """Count what is there, `size` bytes, of a request that does not come at once.

        Before its head is complete it is its peer's, then whose it says it is.
        """
        if self._held is not None and self._is_held_for_peer and not self.in_head:
            self._give_back()
        if self._held is None:
            self._held = self._held_for(self.connection, RequestHeaders() if self.in_head else self._headers)
            self._is_held_for_peer = self.in_head
        more = size - self._held_bytes
        self._held_bytes = size
        if not self._held.take(more):
            self._refuse(429)

    def _give_back(self) -> None:
        if self._held is not None:
            self._held.give_back(self._held_bytes)
            self._held = None
        self._held_bytes = 0

    def restart(self) -> None:
        """Go on reading requests behind one that asked to upgrade and was answered plainly."""
        self._parser = httptools.HttpRequestParser(self)
        self.at_upgrade = False

    def let_go(self) -> None:
        """Forget the request that is being read, and read nothing more.

        The parser keeps the beginning of what it cannot tell yet, and knows its reader: neither is left to
        the garbage collector, which comes seldom.
        """
        self._give_back()
        self._parser = None
        self._url = b""
        self._headers = RequestHeaders()
        self.body_size = 0
        self._body.clear()

    def end(self) -> None:
        """The connection is over: know nobody any more."""
        self.let_go()
        self._arrived, self._wants_body, self._held_for = _nobody_cares, _nothing, _nobodys

    def time_out(self) -> None:
        """The peer took too long over a request."""
        self._refuse(408)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url = b""
        self._headers = RequestHeaders()
        self._count = self._size = self._line = 0
        self._body: list[bytes] = []
        self.body_size = self._held_bytes = 0
        self._held = None
        self._version = ""
        self.in_head = self.in_message = True
        self.begun += 1

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self._url += url
        if len(self._url) > self._limits.head_bytes:
            self._stop(431)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or a trailer behind a chunked body, which is not kept."""
        self._count += 1
        self._size += len(name) + len(value)
        if self._count > self._limits.headers or self._size + len(self._url) > self._limits.head_bytes:
            self._stop(431)
        if not self.in_head:
            return
        headers, key = self._headers, name.decode("latin-1").lower()
        if key in headers:
            headers.add(key, value.decode("latin-1"))
        else:
            headers[key] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The head is complete: refuse a body that is announced too large before it is sent."""
        self.in_head = False
        headers = self._headers
        self._version = self._parsed.get_http_version()
        if self._version not in ("1.1", "1.0"):
            self._stop(400)
        if headers.get("host") != self._host or headers.is_repeated("host"):
            self._check_host()
        if "transfer-encoding" in headers:
            self._check_coding()
        if "content-length" in headers:
            length = parse_unsigned(headers["content-length"])
            if length is not None and length > self._limits.body_bytes:
                self._stop(413)
        if "expect" in headers and headers["expect"].lower() == "100-continue":
            self._wants_body()

    def _check_host(self) -> None:
        """Refuse a head as Go's net/http does: HTTP/1.1 has one Host, none has two, or what is no host."""
        hosts = self._headers.every("host")
        is_missed = not hosts and self._version == "1.1" and self._parsed.get_method() != b"CONNECT"
        if is_missed or len(hosts) > 1 or not _HOST.fullmatch(self._headers.get("host", "")):
            self._stop(400)
        self._host = hosts[0] if hosts and len(hosts[0]) <= LONGEST else _NO_HOST

    def _check_coding(self) -> None:
        """Refuse bodies that are coded otherwise than in chunks (net/http's parseTransferEncoding).

        HTTP/1.0 knows no codings. Go passes over them there; whoever stands between may not.
        """
        codings = self._headers.every("transfer-encoding")
        if self._version == "1.0":
            self._stop(400)
        if [coding.lower() for coding in codings] != ["chunked"]:
            self._stop(501)

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self.body_size += len(body)
        self._bodies += len(body)
        if self.body_size > self._limits.body_bytes:
            self._stop(413)
        self._body.append(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self.in_message = False
        parser = self._parsed
        exchange = Exchange(
            self._request(parser.get_method().decode("ascii")),
            keep_alive=parser.should_keep_alive(),
            old=self._version == "1.0",
            upgrade=parser.should_upgrade(),
        )
        if self._held is not None:
            exchange.held, exchange.held_bytes = self._held, self._held_bytes
            self._held = None
        self.body_size = self._held_bytes = 0
        self._arrived(exchange)

    def _request(self, method: str) -> Request:
        target = self._url.decode("latin-1")
        if not target.startswith("/"):
            target = _origin_form(target)
        raw_path, _, query = target.partition("?")
        path = unquote(raw_path, errors="strict") if "%" in raw_path else raw_path
        parts = self._body
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        return Request(method, path, raw_path, query, self._headers, body, self.connection)

    @property
    def _parsed(self) -> httptools.HttpRequestParser:
        """The parser, which is there while it calls."""
        assert self._parser is not None
        return self._parser

    def _stop(self, refusal: int) -> None:
        self._refusal = refusal
        raise Refused

    def _refuse(self, refusal: int) -> None:
        self.broken = True
        self.let_go()
        self.in_head = self.in_message = False
        request = Request("", "", "", "", RequestHeaders(), b"", self.connection)
        self._arrived(Exchange(request, keep_alive=False, old=False, refusal=refusal))


def _nobody_cares(exchange: Exchange) -> None:
    """Whoever waited for requests is gone."""
    exchange.let_go()


def _nothing() -> None:
    """Whoever would have asked for the body is gone."""


_ENDED = Held(0)


def _nobodys(*_: object) -> Held:
    """Nothing more is read."""
    return _ENDED


def _origin_form(target: str) -> str:
    """`/path?query` out of a target a proxy would be sent; "*" and anything else stays as it is."""
    scheme, separator, rest = target.partition("://")
    if not separator or scheme.lower() not in ("http", "https"):
        return target
    slash = rest.find("/")
    return rest[slash:] if slash >= 0 else "/"
