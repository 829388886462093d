"""The way to the kubelets: TLS connections shown the API server's client certificate.

Ordinary requests go through an aiohttp session; upgraded ones (exec, attach, port-forward) get a
connection of their own, over which bytes pass both ways untouched.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wherry.apiserver.config import ApiServerConfig
from wherry.objects.errors import ApiError, internal, service_unavailable
from wherry.objects.meta import Object

if TYPE_CHECKING:
    import aiohttp

CONNECT_TIMEOUT_S = 10.0
DEFAULT_KUBELET_PORT = 10250
PREFERRED_ADDRESS_TYPES = ("InternalIP", "ExternalIP", "Hostname", "InternalDNS", "ExternalDNS")


@dataclass(frozen=True, slots=True)
class KubeletAddress:
    """Where a node's kubelet listens."""

    host: str
    port: int

    @property
    def authority(self) -> str:
        """`host:port` as it stands in a URL."""
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def kubelet_address(node: Object) -> KubeletAddress:
    """Where the node says its kubelet is. Raises ApiError (503) when it does not say."""
    status = node.get("status") or {}
    addresses = {item.get("type"): item.get("address") for item in status.get("addresses") or ()}
    host = next((addresses[kind] for kind in PREFERRED_ADDRESS_TYPES if addresses.get(kind)), None)
    if not host:
        raise service_unavailable(
            f"no preferred addresses found; known addresses: {status.get('addresses') or []}"
        )
    endpoint = (status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}
    return KubeletAddress(str(host), int(endpoint.get("Port") or DEFAULT_KUBELET_PORT))


class Unreachable(ApiError):
    """500: nobody answered; `why` is what the connection failed of."""

    def __init__(self, attempt: str, error: BaseException) -> None:
        self.why = str(error) or type(error).__name__
        super().__init__(500, "", f"{attempt}: {self.why}")


class KubeletGate:
    """Connections to kubelets, as the API server."""

    def __init__(self, config: ApiServerConfig) -> None:
        self._config = config
        self._context: ssl.SSLContext | None = None
        self._session: aiohttp.ClientSession | None = None

    def tls(self) -> ssl.SSLContext:
        """The client side's TLS. Raises ApiError (500) when its files cannot be used."""
        if self._context is None:
            config = self._config
            ca_file = config.kubelet_ca_file or config.client_ca_file
            try:
                context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
                context.check_hostname = False  # nodes are known by address; the CA vouches for them
                if config.kubelet_client_cert_file is not None:
                    key = config.kubelet_client_key_file or config.kubelet_client_cert_file
                    context.load_cert_chain(str(config.kubelet_client_cert_file), str(key))
            except OSError as error:
                raise internal(f"the kubelet client certificate cannot be used: {error}") from error
            self._context = context
        return self._context

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        verify: bool = True,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send one request; the response is not read yet. Raises Unreachable.

        Without `verify` any certificate will do and none is shown: what pods serve is their affair.
        """
        import aiohttp
        from yarl import URL

        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S)
            connector = aiohttp.TCPConnector(limit=0)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False)
        try:
            async with self._session.request(
                method,
                URL(url, encoded=True),
                headers=headers,
                data=body,
                allow_redirects=False,
                ssl=self.tls() if verify else False,
            ) as response:
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unreachable(f'{method.capitalize()} "{url}"', error) from error

    async def connect(
        self, host: str, port: int, *, use_tls: bool = True, verify: bool = True
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection of one's own. Raises Unreachable."""
        context = (self.tls() if verify else _unverified()) if use_tls else None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                return await asyncio.open_connection(host, port, ssl=context)
        except (OSError, TimeoutError) as error:
            raise Unreachable(f"error dialing backend: dial tcp {host}:{port}", error) from error

    async def close(self) -> None:
        """Give up connections."""
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # aiohttp closes TLS transports one loop turn later
            self._session = None


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
