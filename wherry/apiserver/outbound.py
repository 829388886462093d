"""Connections from the API server to others: kubelets, pods, webhooks, extension API servers.

Where to is a `Target`, never text: scheme, host and port are set apart from the path, and before anything
is sent it is held that the URL asked is the target's. Whom to believe, and who to be, is a `Trust`; its
files are read again when they change. What fails is one error, `Unreachable`, which callers put in words.
"""

from __future__ import annotations

import asyncio
import io
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from wherry.kit.httpd.message import RequestHeaders
from wherry.kit.sockets import client_socket, notice_dead_peer
from wherry.objects.errors import internal

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

CONNECT_TIMEOUT_S = 10.0
CONTEXTS_KEPT = 256
LARGE_B = 1024 * 1024
"""A body that is sent in pieces, so that nobody waits for it."""
HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that are about one connection (RFC 9110, 7.6.1), and those every server writes anew."""
SECRET = frozenset({"authorization", "host"})
IDENTITY_PREFIXES = ("impersonate-", "x-remote-")
MADE_UP = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Headers aiohttp would add by itself: what is sent is what the caller says."""

_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_NOT_IN_PATHS = re.compile(r"[\x00-\x20\x7f#?]")
_NOT_IN_QUERIES = re.compile(r"[\x00-\x20\x7f#]")
"""What would end the path or query, or the line they stand on."""


class Unreachable(Exception):
    """Nobody answered, or not to the end. `why` is what it failed of, the text also what was tried."""

    def __init__(self, why: str, attempt: str = "") -> None:
        super().__init__(f"{attempt}: {why}" if attempt else why)
        self.why = why


class Target(NamedTuple):
    """A server: scheme ("http" or "https"), name or address (IPv6 without brackets), port."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """`host:port` as it stands in a URL."""
        return f"{_bracketed(self.host)}:{self.port}"

    def shown(self, path: str = "", query: str = "") -> str:
        """The URL for people to read."""
        return f"{self.scheme}://{self.authority}{path}{f'?{query}' if query else ''}"

    def url(self, path: str, query: str = "") -> URL:
        """The URL of `path` and `query`, both as they go on the wire, at this target and nowhere else.

        Raises Unreachable for a path that does not begin with "/", and for a host or port that is none.
        """
        from yarl import URL

        self.check()
        if not path.startswith("/") or _NOT_IN_PATHS.search(path) or _NOT_IN_QUERIES.search(query):
            raise Unreachable(f"{path!r} is no path that could be asked for")
        try:
            url = URL.build(
                scheme=self.scheme,
                host=_bracketed(self.host),
                port=self.port,
                path=path,
                query_string=query,
                encoded=True,
            )
            is_same = (url.scheme, url.raw_host, url.port) == self and url.raw_user is None
        except ValueError as error:
            raise Unreachable(str(error)) from error
        if not is_same or url.raw_path != path:
            raise Unreachable(f"the URL {url} leads elsewhere than to {self.authority}")
        return url

    def check(self) -> None:
        """Raise Unreachable for a host or port that is none, in the words of Go's dialer."""
        if not 0 < self.port < 65536:
            raise Unreachable(f"dial tcp: address {self.port}: invalid port")
        if not _HOST.fullmatch(self.host):
            raise Unreachable(f"dial tcp: lookup {self.host}: no such host")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom to believe, and who to be.

    `ca_pem` or `ca_file` are the CAs (neither: the system's), `server_name` is whom the certificate must be
    for ("": whoever those CAs vouch for); `insecure` takes any certificate. `cert_file` and `key_file`
    (None: the same file) are shown to the server; without them nothing is.
    """

    ca_pem: str = ""
    ca_file: Path | None = None
    insecure: bool = False
    server_name: str = ""
    cert_file: Path | None = None
    key_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """The client side's TLS, from the files as they are now. Raises OSError, ssl.SSLError."""
        if self.insecure:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            context = ssl.create_default_context(
                cafile=str(self.ca_file) if self.ca_file is not None else None, cadata=self.ca_pem or None
            )
            context.check_hostname = bool(self.server_name)
        if self.cert_file is not None:
            context.load_cert_chain(str(self.cert_file), str(self.key_file or self.cert_file))
        return context

    def stamp(self) -> tuple[tuple[int, int, int], ...]:
        """What changes when one of the files does. Raises OSError for a missing one."""
        found = []
        for path in (self.ca_file, self.cert_file, self.key_file):
            if path is not None:
                stat = path.stat()
                found.append((stat.st_mtime_ns, stat.st_ino, stat.st_size))
        return tuple(found)


ANYBODY = Trust(insecure=True)
"""Any certificate will do and none is shown: what pods serve is their affair."""


class Outbound:
    """The connections of one API server, kept for reuse."""

    def __init__(self) -> None:
        self.waiting: Callable[[], AbstractContextManager[None]] = nullcontext
        """Entered while somebody is waited for who has a deadline: simulated time stands still then."""
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[Trust, tuple[object, ssl.SSLContext]] = {}

    @asynccontextmanager
    async def request(
        self,
        method: str,
        target: Target,
        path: str,
        query: str = "",
        *,
        trust: Trust = ANYBODY,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
        timeout_s: float | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send one request with these headers and no others; the answer is not read yet, nor unpacked.

        Redirects are not followed, cookies not kept. `timeout_s` is for all of it, None for ever.
        Raises Unreachable, also while the answer is read in the block; ApiError (500) for unusable files.
        """
        import aiohttp

        url = target.url(path, query)
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S)
        context = self._tls(trust, target) if target.scheme == "https" else False
        patience = nullcontext() if timeout_s is None else self.waiting()
        try:
            with patience:
                async with self._opened().request(
                    method,
                    url,
                    headers=headers,
                    data=io.BytesIO(body) if body is not None and len(body) > LARGE_B else body,
                    allow_redirects=False,
                    skip_auto_headers=MADE_UP,
                    ssl=context,
                    server_hostname=None if trust.insecure else trust.server_name or None,
                    timeout=timeout,
                ) as response:
                    yield response
        except (aiohttp.ClientError, TimeoutError, UnicodeError) as error:  # the last for impossible hosts
            raise Unreachable(str(error) or type(error).__name__, f"{method} {url}") from error

    async def connect(
        self, target: Target, trust: Trust = ANYBODY
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection of one's own. Raises Unreachable, ApiError (500) for unusable files."""
        target.check()
        context = self._tls(trust, target) if target.scheme == "https" else None
        name = trust.server_name or target.host if context is not None else None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(
                    target.host, target.port, ssl=context, server_hostname=name
                )
        except (OSError, TimeoutError, UnicodeError) as error:
            raise Unreachable(str(error) or type(error).__name__, f"dial tcp {target.authority}") from error
        notice_dead_peer(writer.get_extra_info("socket"))
        return reader, writer

    def _opened(self) -> aiohttp.ClientSession:
        import aiohttp

        from wherry.apiserver.heads import bounded

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=bounded(aiohttp.TCPConnector(limit=0, socket_factory=client_socket)),
                # What one client was given must not be shown with another's request.
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session

    def _tls(self, trust: Trust, target: Target) -> ssl.SSLContext:
        try:
            stamp = trust.stamp()
            known = self._contexts.get(trust)
            if known is not None and known[0] == stamp:
                return known[1]
            context = trust.context()
        except OSError as error:
            raise internal(f"the certificates for {target.shown()} cannot be used: {error}") from error
        if len(self._contexts) >= CONTEXTS_KEPT:
            self._contexts.pop(next(iter(self._contexts)))
        self._contexts[trust] = (stamp, context)
        return context

    async def close(self) -> None:
        """Give up connections."""
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # aiohttp closes TLS transports one loop turn later
            self._session = None


def passed_headers(headers: RequestHeaders) -> list[tuple[str, str]]:
    """Of a client's request (lower-case names) what may go on to another server.

    A header that came several times goes on so. Left out are what is about the connection, credentials,
    and whatever tells other servers who asks.
    """
    about_connection = {name.strip().lower() for name in headers.get("connection", "").split(",")}
    passed = [
        (name, header_text(value))
        for name, value in headers.lines()
        if name not in HOP_BY_HOP
        and name not in SECRET
        and name not in about_connection
        # Some servers take "_" for "-": an identity must not slip in that way either.
        and not name.replace("_", "-").startswith(IDENTITY_PREFIXES)
    ]
    if "accept-encoding" not in headers:
        # Whatever the server would choose by itself is not what the client asked for.
        passed.append(("accept-encoding", "identity"))
    return passed


def header_bytes(value: str) -> str:
    """A header's value as aiohttp read it (UTF-8), as this server writes it: a character for each byte."""
    return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("latin-1")


def header_text(value: str) -> str:
    """The other way round, for what is sent on; bytes that are no UTF-8 stay the characters of Latin-1."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def kept_headers(response: aiohttp.ClientResponse) -> list[tuple[str, str]]:
    """Of an answer's headers what may go on to the client; its Content-Type is told apart."""
    return [
        (name, header_bytes(value))
        for name, value in response.headers.items()
        if name.lower() not in HOP_BY_HOP and name.lower() != "content-type"
    ]


async def read_answer(response: aiohttp.ClientResponse, limit_b: int) -> bytes:
    """The body of an answer. Raises Unreachable for one of more than `limit_b` bytes, not read to its end."""
    data = bytearray()
    async for piece in response.content.iter_any():
        data += piece
        if len(data) > limit_b:
            raise Unreachable(f"the answer has more than {limit_b} bytes")
    return bytes(data)
