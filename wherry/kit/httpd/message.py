"""What a handler gets and gives: requests, and three kinds of answer.

A handler is called with a complete request (body read, its size limited). It either returns a
`Response` at once, without any task being made (the fast path), or an awaitable of an answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Protocol

PeerSubject = Sequence[tuple[str, str]]
FOREVER = datetime.max.replace(tzinfo=UTC)


class Connection:
    """What requests on one connection share.

    `peer_certificate` is the client's verified certificate in DER, None without one, and `peer_authority`
    that of the authority it leads to (None when `kit.tls.authority_of` cannot know);
    `peer_subject` is whom it is for, attributes in their order by OpenSSL's long names, such as
    ("commonName", "admin"); `peer_until` the last moment it is good; `peer` its address (host, port), None
    over a Unix socket; `memo` is free for the application to remember things about the connection, such as
    who its certificate says it is. `identity` is who asked last, as the application says it: what waits for
    that peer is counted under it.
    """

    __slots__ = (
        "identity",
        "memo",
        "peer",
        "peer_authority",
        "peer_certificate",
        "peer_subject",
        "peer_until",
    )

    def __init__(
        self,
        peer: tuple[str, int] | None,
        peer_certificate: bytes | None,
        peer_authority: bytes | None = None,
        peer_subject: PeerSubject = (),
        peer_until: datetime = FOREVER,
    ) -> None:
        self.peer = peer
        self.peer_authority = peer_authority
        self.peer_certificate = peer_certificate
        self.peer_subject = peer_subject
        self.peer_until = peer_until
        self.memo: dict[str, Any] = {}
        self.identity = ""

    def has_ended(self, now: datetime) -> bool:
        """Whether the peer's certificate was good when it was shown, and is no more: it says nothing now.

        Source: k8s.io/apiserver, pkg/authentication/request/x509: each request is judged by its own time.
        """
        return now > self.peer_until


class RequestHeaders(dict[str, str]):
    """A request's headers by lower-case name.

    As a dict it joins a repeated header's values by ", ", which is right for headers that are lists
    (RFC 9110, section 5.3: Accept, Connection, Upgrade) and for no others. A header whose values may hold
    a comma themselves is read with `every`, one that means one thing with `first`; neither cuts a value up.
    """

    _repeated: Mapping[str, Sequence[str]] = MappingProxyType({})
    """The values of those that came more than once; of most requests none did, and each has all of this."""

    def add(self, name: str, value: str) -> None:
        """One more header, as it was sent."""
        known = self.get(name)
        if known is None:
            self[name] = value
            return
        self._repeated = {**self._repeated, name: (*self.every(name), value)}
        self[name] = f"{known}, {value}"

    def every(self, name: str) -> Sequence[str]:
        """The values of all headers of that name, each whole."""
        if name in self._repeated:
            return self._repeated[name]
        return (self[name],) if name in self else ()

    def is_repeated(self, name: str) -> bool:
        """Whether more than one header has that name."""
        return name in self._repeated

    def first(self, name: str) -> str:
        """The value of the first header of that name, "" without one (Go's Header.Get)."""
        if not self._repeated:
            return self.get(name, "")
        return next(iter(self.every(name)), "")

    def lines(self) -> Iterator[tuple[str, str]]:
        """Every header as it was sent: those of one name in their order."""
        for name in self:
            for value in self.every(name):
                yield name, value

    def replaced(self, name: str, value: str) -> RequestHeaders:
        """The same with one header of that name, or with none when `value` is ""."""
        made = RequestHeaders()
        for known, text in self.lines():
            if known != name:
                made.add(known, text)
        if value:
            made.add(name, value)
        return made


class Request:
    """One complete request.

    `path` is percent-decoded, `raw_path` as sent, `query` the text behind "?" as sent.
    """

    __slots__ = ("body", "connection", "headers", "method", "path", "query", "raw_path")

    def __init__(
        self,
        method: str,
        path: str,
        raw_path: str,
        query: str,
        headers: RequestHeaders,
        body: bytes,
        connection: Connection,
    ) -> None:
        self.method = method
        self.path = path
        self.raw_path = raw_path
        self.query = query
        self.headers = headers
        self.body = body
        self.connection = connection


Headers = Sequence[tuple[str, str]]


class Response:
    """A whole answer: status code, body, content type, further headers."""

    __slots__ = ("body", "content_type", "headers", "status")

    def __init__(
        self,
        body: bytes = b"",
        status: int = 200,
        content_type: str = "application/json",
        headers: Headers = (),
    ) -> None:
        self.body = body
        self.status = status
        self.content_type = content_type
        self.headers = headers


class Writer(Protocol):
    """The sending side of a streamed answer."""

    def write(self, data: bytes) -> None:
        """Queue `data`; never blocks. Nothing happens once the peer is gone."""
        ...

    async def drain(self) -> None:
        """Wait until the peer took enough that more may be queued; at once if it is gone."""
        ...

    @property
    def buffered(self) -> int:
        """Bytes queued and not yet taken by the kernel."""
        ...

    @property
    def piece_bytes(self) -> int:
        """How many bytes to write at once of what is long: fewer where much waits for many peers."""
        ...

    @property
    def closed(self) -> bool:
        """Whether the peer is gone or `abort` was called."""
        ...

    async def wait_closed(self) -> None:
        """Return when the peer is gone."""
        ...

    def abort(self) -> None:
        """Drop the connection without finishing the answer."""
        ...


class StreamResponse:
    """An answer sent piece by piece, chunked: `run(writer)` writes it and returns at its end.

    When the peer goes away the task running `run` is cancelled. What `is_followed` comes when it comes (a
    log, another server's answer): its peer may pause for as long as it likes, and `run` awaits `drain`, so
    that little waits meanwhile. Upstream has no time limit for writing there. Of what `is_live` little is
    left to the kernel, since nothing but a peer that lags makes any of it wait.
    """

    __slots__ = ("content_type", "headers", "is_followed", "is_live", "run", "status")

    def __init__(
        self,
        run: Callable[[Writer], Awaitable[None]],
        status: int = 200,
        content_type: str = "application/json",
        headers: Headers = (),
        *,
        is_followed: bool = False,
        is_live: bool = False,
    ) -> None:
        self.run = run
        self.is_followed = is_followed
        self.is_live = is_live
        self.status = status
        self.content_type = content_type
        self.headers = headers


class Duplex(Writer, Protocol):
    """Both sides of an upgraded connection."""

    async def read(self) -> bytes:
        """The next bytes the peer sent, b"" at its end."""
        ...


class UpgradeResponse:
    """Answers 101 Switching Protocols with `headers`, then hands both sides to `run(duplex)`.

    The connection closes when `run` returns; its task is cancelled when the peer goes away.
    """

    __slots__ = ("headers", "run")

    def __init__(self, run: Callable[[Duplex], Awaitable[None]], headers: Headers) -> None:
        self.run = run
        self.headers = headers


Answer = Response | StreamResponse | UpgradeResponse
Handler = Callable[[Request], Answer | Awaitable[Answer]]
"""Must turn its own errors into answers; whatever it still raises is logged and answered with 500."""
