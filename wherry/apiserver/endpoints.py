"""Where a service or a webhook's clientConfig leads: one ready endpoint, and the name it must prove.

A service is reached at one of its ready endpoints, over TLS for the name `<service>.<namespace>.svc`, so
it need not be reachable by its ClusterIP from where the API server runs.
"""

from __future__ import annotations

import base64
import binascii
import random
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from wherry.api.core.nodes import NODES
from wherry.api.core.services import SERVICES
from wherry.api.core.simulated import is_simulated
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.apiserver.outbound import Target, Trust, Unreachable
from wherry.apiserver.registry import Registry
from wherry.objects.errors import service_unavailable
from wherry.objects.meta import Object

HTTPS_PORT = 443


class Backend(NamedTuple):
    """A server behind the API server, the name its certificate must be for, and what to ask of it."""

    target: Target
    server_name: str
    path: str = "/"
    query: str = ""


def ready_endpoints(
    endpoint_slice: Object, port_name: str, is_real: Callable[[str], bool] = lambda _: True
) -> list[tuple[str, int]]:
    """Address and port of every ready endpoint of a slice, on nodes of which `is_real` says so by name."""
    ports = [
        int(port["port"])
        for port in endpoint_slice.get("ports") or ()
        if (port.get("name") or "") == port_name and port.get("port")
    ]
    return [
        (address, port)
        for endpoint in endpoint_slice.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
        and is_real(endpoint.get("nodeName") or "")
        for address in (endpoint.get("addresses") or ())[:1]
        for port in ports
    ]


async def endpoints_of(
    registry: Registry, namespace: str, name: str, port_name: str
) -> list[tuple[str, int]]:
    """Address and port of every ready endpoint of a service's port. Raises ApiError (503).

    Pods of simulated nodes are none: they live in the API alone, and their addresses are somebody else's.
    """
    slices = registry.of(ENDPOINT_SLICES)
    await slices.source.open()
    found = slices.cacher.list(
        namespace, match=lambda cached: cached.labels.get("kubernetes.io/service-name") == name
    )[0]
    nodes = registry.of(NODES)
    await nodes.source.open()

    def is_real(node: str) -> bool:
        cached = nodes.get("", node)
        return cached is None or not is_simulated(cached.decode())

    return [endpoint for item in found for endpoint in ready_endpoints(item.decode(), port_name, is_real)]


async def service_backend(
    registry: Registry, choose: random.Random, namespace: str, name: str, port: int
) -> Backend:
    """A ready endpoint of a service's port. Raises ApiError (503)."""
    services = registry.of(SERVICES)
    await services.source.open()
    cached = services.get(namespace, name)
    if cached is None:
        raise service_unavailable(f'service "{name}" not found')
    spec = cached.decode().get("spec") or {}
    server_name = f"{name}.{namespace}.svc"
    if spec.get("type") == "ExternalName":
        return Backend(Target("https", str(spec.get("externalName")), port), server_name)
    declared = next((item for item in spec.get("ports") or () if item.get("port") == port), None)
    if declared is None:
        raise service_unavailable(f'no service port {port} found for service "{name}"')
    found = await endpoints_of(registry, namespace, name, declared.get("name") or "")
    if not found:
        raise service_unavailable(f'no endpoints available for service "{name}"')
    return Backend(Target("https", *choose.choice(found)), server_name)


async def webhook_backend(
    registry: Registry, choose: random.Random, client_config: Mapping[str, Any]
) -> Backend:
    """Where a webhook's clientConfig leads. Raises Unreachable for an unusable URL, ApiError (503)."""
    if url := client_config.get("url"):
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or HTTPS_PORT
        except ValueError as error:
            raise Unreachable(f"{url}: {error}") from error
        return Backend(Target(parts.scheme, host, port), host, parts.path or "/", parts.query)
    service = client_config.get("service") or {}
    found = await service_backend(
        registry,
        choose,
        service.get("namespace") or "",
        service.get("name") or "",
        service.get("port") or HTTPS_PORT,
    )
    path, _, query = (service.get("path") or "/").partition("?")
    return found._replace(path=path if path.startswith("/") else f"/{path}", query=query)


def webhook_trust(client_config: Mapping[str, Any], backend: Backend) -> Trust:
    """Whom to believe at the other end of a clientConfig. Raises Unreachable for an unreadable caBundle."""
    return Trust(ca_pem=pem_of(client_config.get("caBundle")), server_name=backend.server_name)


def pem_of(ca_bundle: str | None) -> str:
    """A caBundle field as PEM, "" without one. Raises Unreachable for what is no base64."""
    try:
        # What is not ASCII can only be a remark beside the certificates.
        return base64.b64decode(ca_bundle or "").decode("ascii", "backslashreplace")
    except (binascii.Error, ValueError) as error:
        raise Unreachable(f"unable to load root certificates: {error}") from error
