"""The way to servers behind the API server: extension API servers and webhooks, named by service or URL.

A service is reached at one of its ready endpoints, over TLS for the name `<service>.<namespace>.svc`, so
it need not be reachable by its ClusterIP from where the API server runs.
"""

from __future__ import annotations

import base64
import binascii
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from wherry.api.core.services import SERVICES
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.apiserver.core import Core
from wherry.apiserver.subresources.proxies import ready_endpoints
from wherry.objects.errors import internal, service_unavailable

if TYPE_CHECKING:
    import aiohttp

CONNECT_TIMEOUT_S = 10.0


class Unreachable(Exception):
    """A backend could not be talked to; says why."""


@dataclass(frozen=True, slots=True)
class Backend:
    """Where to send requests: the URL's front part, and the name its certificate must be for."""

    base_url: str
    server_name: str


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom to trust, and who to be: PEM of the CAs ("" for the system's), or no check at all."""

    ca_pem: str = ""
    insecure: bool = False
    cert_file: Path | None = None
    key_file: Path | None = None


@lru_cache(256)
def tls_of(trust: Trust) -> ssl.SSLContext:
    """The client side's TLS. Raises OSError or ssl.SSLError when it cannot be set up."""
    context = ssl.create_default_context(cadata=trust.ca_pem or None)
    if trust.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if trust.cert_file is not None:
        context.load_cert_chain(str(trust.cert_file), str(trust.key_file or trust.cert_file))
    return context


def pem_of(ca_bundle: str | None) -> str:
    """A caBundle field as PEM, "" without one. Raises Unreachable for what is no base64."""
    try:
        # What is not ASCII can only be a remark beside the certificates.
        return base64.b64decode(ca_bundle or "").decode("ascii", "backslashreplace")
    except (binascii.Error, ValueError) as error:
        raise Unreachable(f"unable to load root certificates: {error}") from error


async def read_answer(response: aiohttp.ClientResponse, limit_b: int) -> bytes:
    """The body of an answer. Raises Unreachable for one of more than `limit_b` bytes, not read to its end."""
    data = bytearray()
    async for piece in response.content.iter_any():
        data += piece
        if len(data) > limit_b:
            raise Unreachable(f"the answer has more than {limit_b} bytes")
    return bytes(data)


async def service_backend(core: Core, namespace: str, name: str, port: int) -> Backend:
    """A ready endpoint of a service's port. Raises ApiError (503)."""
    services = core.registry.of(SERVICES)
    await services.source.open()
    cached = services.get(namespace, name)
    if cached is None:
        raise service_unavailable(f'service "{name}" not found')
    spec = cached.decode().get("spec") or {}
    server_name = f"{name}.{namespace}.svc"
    if spec.get("type") == "ExternalName":
        return Backend(f"https://{spec.get('externalName')}:{port}", server_name)
    declared = next((item for item in spec.get("ports") or () if item.get("port") == port), None)
    if declared is None:
        raise service_unavailable(f'no service port {port} found for service "{name}"')
    slices = core.registry.of(ENDPOINT_SLICES)
    await slices.source.open()
    found = [
        endpoint
        for item in slices.cacher.list(
            namespace, match=lambda cached: cached.labels.get("kubernetes.io/service-name") == name
        )[0]
        for endpoint in ready_endpoints(item.decode(), declared.get("name") or "")
    ]
    if not found:
        raise service_unavailable(f'no endpoints available for service "{name}"')
    address, number = core.random.choice(found)
    host = f"[{address}]" if ":" in address else address
    return Backend(f"https://{host}:{number}", server_name)


async def webhook_backend(core: Core, client_config: Mapping[str, Any]) -> Backend:
    """Where a webhook's clientConfig leads, path included. Raises ApiError (503)."""
    if url := client_config.get("url"):
        return Backend(url, urlsplit(url).hostname or "")
    service = client_config.get("service") or {}
    found = await service_backend(
        core, service.get("namespace") or "", service.get("name") or "", service.get("port") or 443
    )
    return Backend(found.base_url + (service.get("path") or "/"), found.server_name)


class Backends:
    """Connections to backends, kept for reuse."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: str,
        *,
        trust: Trust,
        server_name: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
        timeout_s: float | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send one request; the answer is not read yet. Raises Unreachable, ApiError (500)."""
        import aiohttp
        from yarl import URL

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), auto_decompress=False
            )
        try:
            context = tls_of(trust)
        except OSError as error:
            raise internal(f"the certificates for {url} cannot be used: {error}") from error
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S)
        try:
            async with self._session.request(
                method,
                URL(url, encoded=True),
                headers=headers,
                data=body,
                allow_redirects=False,
                ssl=context,
                server_hostname=None if trust.insecure else server_name,
                timeout=timeout,
            ) as response:
                yield response
        except (aiohttp.ClientError, TimeoutError, UnicodeError) as error:  # the last for impossible hosts
            raise Unreachable(f"{method} {url}: {str(error) or type(error).__name__}") from error

    async def close(self) -> None:
        """Give up connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
