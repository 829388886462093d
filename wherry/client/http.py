"""The transport that speaks HTTPS to any API server, this project's or another.

aiohttp keeps the connections; JSON goes through orjson. Every failure comes out as an `ApiError`:
the server's own `v1.Status` if it sent one, else 503 with a sentence that says what could not be
reached, so callers have one thing to catch and retry.
"""

from __future__ import annotations

import asyncio
import copy
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import aiohttp
import orjson
from yarl import URL

from wherry.api.foreign import status_error
from wherry.client.admittance import UNKNOWN, Admittance, Standing
from wherry.client.request_metrics import RequestMetrics
from wherry.client.transport import JSON, WatchEvent
from wherry.kit.sockets import client_socket
from wherry.objects.errors import ApiError, service_unavailable
from wherry.objects.meta import Object

CONNECT_TIMEOUT_S = 5.0
CALL_TIMEOUT_S = 60.0
WATCH_SILENCE_S = 90.0
"""A watch that says nothing for so long is dead: API servers send a bookmark about every minute."""
READ_CHUNK_BYTES = 1 << 16


class TokenSource(Protocol):
    """Where a client has its tokens from."""

    async def token(self) -> str:
        """The bearer token for a request now, "" for none. Raises OSError or ApiError."""
        ...

    def refused(self, token: str) -> None:
        """The server answered 401 to a request with that token: it must not be shown again."""
        ...


class Identity(TokenSource, Protocol):
    """How a client proves who it is, and how it knows the server."""

    @property
    def has_token(self) -> bool:
        """Whether requests carry a token."""
        ...

    @property
    def server_name(self) -> str:
        """The name the server's certificate must have, "" for that of its address."""
        ...

    def ssl_context(self) -> ssl.SSLContext:
        """Whom it trusts, and the certificate it shows. Raises OSError or ssl.SSLError."""
        ...

    def standing(self) -> Standing:
        """Who that is, for people. Raises OSError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpIdentity:
    """How a client proves who it is, and how it knows the server: paths of PEM files; how to renew them."""

    ca_file: Path
    cert_file: Path | None = None
    key_file: Path | None = None
    remedy: str = "make it anew"

    @property
    def has_token(self) -> bool:
        """No: the certificate says it."""
        return False

    @property
    def server_name(self) -> str:
        """That of the address."""
        return ""

    def ssl_context(self) -> ssl.SSLContext:
        """A context that trusts `ca_file` alone. Raises OSError or ssl.SSLError for unusable files."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        if self.cert_file is not None:
            context.load_cert_chain(str(self.cert_file), str(self.key_file or self.cert_file))
        return context

    async def token(self) -> str:
        """None: the certificate says it."""
        return ""

    def refused(self, token: str) -> None:
        """Nothing to forget."""

    def standing(self) -> Standing:
        """The certificate, by its file. Raises OSError."""
        if self.cert_file is None:
            return Standing(who="nobody", remedy=self.remedy)
        pem = self.cert_file.read_text()
        return Standing(who=f"who {self.cert_file} says", remedy=self.remedy, certificate_pem=pem)


class HttpTransport:
    """A `Transport` over HTTPS. Make it on the event loop that uses it."""

    def __init__(self, server: str, identity: Identity, *, user_agent: str = "wherry") -> None:
        self._server = server.rstrip("/")
        self._is_owner = True
        self._proves = identity.has_token
        self._tokens: TokenSource = identity
        self._server_name = identity.server_name or None
        self._admittance = Admittance(self._server, identity.standing())
        self._host = URL(self._server).authority
        self.requests = RequestMetrics()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=identity.ssl_context(), limit=0, socket_factory=client_socket),
            headers={"User-Agent": user_agent, "Accept": JSON},
            timeout=aiohttp.ClientTimeout(total=CALL_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S),
            auto_decompress=True,
        )

    def acting(self, tokens: TokenSource, standing: Standing) -> HttpTransport:
        """The same connections, as whom the tokens are for (`standing`). They are closed with this transport.

        Only for an identity without a certificate: that would be believed before the token.
        """
        other = copy.copy(self)
        other._tokens, other._proves, other._is_owner = tokens, True, False
        other._admittance = Admittance(self._server, standing)
        return other

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | list[Any] | None = None,
        content_type: str = JSON,
    ) -> Object:
        """See `Transport.call`."""
        data = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": content_type} if data is not None else {}
        token = await self._shown_token() if self._proves else ""
        if token:
            headers["Authorization"] = f"Bearer {token}"
        began, status = time.monotonic(), None
        try:
            async with self._session.request(
                method,
                self._url(path),
                params=query or None,
                data=data,
                headers=headers,
                server_hostname=self._server_name,
            ) as response:
                payload = await response.read()
                status = response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error) from error
        finally:
            self.requests.answered(method, self._host, status, time.monotonic() - began)
        return self._heard(response.status, payload, token)

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[WatchEvent]:
        """See `Transport.watch`."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=WATCH_SILENCE_S)
        token = await self._shown_token() if self._proves else ""
        headers = {"Authorization": f"Bearer {token}"} if token else None
        began, status = time.monotonic(), None
        try:
            async with self._session.get(
                self._url(path),
                params=dict(query),
                headers=headers,
                timeout=timeout,
                server_hostname=self._server_name,
            ) as response:
                status = response.status
                self.requests.answered("GET", self._host, status, time.monotonic() - began)
                if status != 200:
                    self._heard(response.status, await response.read(), token)
                    return
                self._admittance.entered()
                try:
                    async for line in _lines(response.content):
                        event = orjson.loads(line)
                        yield WatchEvent(event["type"], event["object"])
                finally:
                    _abort(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            if status is None:
                self.requests.answered("GET", self._host, None, time.monotonic() - began)
            raise self._unreachable(error) from error

    async def close(self) -> None:
        """Close all connections."""
        if not self._is_owner:
            return
        await self._session.close()
        # aiohttp closes TLS transports one loop turn later; without it the loop warns of open ones.
        await asyncio.sleep(0)

    async def _shown_token(self) -> str:
        try:
            return await self._tokens.token()
        except OSError as error:
            where = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            raise service_unavailable(f"there is no token to prove who we are: {where}") from error

    def _url(self, path: str) -> URL:
        return URL(self._server + quoted_path(path), encoded=True)

    def _heard(self, status: int, payload: bytes, token: str) -> Object:
        """The decoded body of a good answer to a request with that token. Raises ApiError for a bad one."""
        if status == UNKNOWN and token:
            self._tokens.refused(token)
        try:
            body = _decode(status, payload)
        except ApiError as error:
            self._admittance.refused(error)
            raise
        self._admittance.entered()
        return body

    def _unreachable(self, error: BaseException) -> ApiError:
        reason = str(error) or type(error).__name__
        made = service_unavailable(f"the API server at {self._server} cannot be reached: {reason}")
        is_cut_off = isinstance(error, aiohttp.ServerDisconnectedError)
        self._admittance.unreachable(made, error, is_cut_off=is_cut_off)
        return made


def quoted_path(path: str) -> str:
    """A path as it goes over the wire. Whoever asks gives it as it reads (`Transport.call`): whatever a name
    has in it stays in the name, be it `?`, `#` or `%`."""
    return quote(path, safe="/:@!$&'()*+,;=-._~")


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Whole lines of any length (StreamReader's own readline has a limit objects can exceed)."""
    pending = bytearray()
    while chunk := await content.read(READ_CHUNK_BYTES):
        pending += chunk
        end = pending.rfind(b"\n")
        if end < 0:
            continue
        for line in bytes(pending[:end]).split(b"\n"):
            if line:
                yield line
        del pending[: end + 1]


def _decode(status: int, payload: bytes) -> Object:
    """The decoded body of a good answer. Raises ApiError for a bad one."""
    try:
        body: Object = orjson.loads(payload) if payload else {}
    except orjson.JSONDecodeError as error:
        text = payload[:200].decode(errors="replace").strip()
        raise ApiError(
            status if status >= 400 else 502, "", f"not JSON from the API server: {text}"
        ) from error
    if status >= 400:
        raise status_error(body, status, f"the API server answered {status}")
    return body


def _abort(response: aiohttp.ClientResponse) -> None:
    """Let go of the connection at once if the answer is still under way: nobody says farewell to a watch."""
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
