"""`pods/proxy`, `services/proxy`, `nodes/proxy`: plain HTTP to what runs in the cluster.

The name may say scheme and port: `web`, `web:8080`, `https:web:8443`. What comes back is passed on
as it is, piece by piece; upgraded connections are passed through. Source: each kind's ResourceLocation in
pkg/registry/core, and apimachinery's util/proxy.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from typing import NamedTuple
from urllib.parse import quote

from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.apiserver.call import Call, RawOutcome
from wherry.apiserver.core import Core
from wherry.apiserver.endpoints import endpoints_of
from wherry.apiserver.outbound import ANYBODY, Target, Trust, Unreachable, passed_headers
from wherry.apiserver.registry import Served
from wherry.apiserver.subresources.connecting import admit_connection
from wherry.apiserver.subresources.destinations import is_allowed
from wherry.apiserver.subresources.kubelet_address import check_is_real, kubelet_address, kubelet_trust
from wherry.apiserver.subresources.pages import led_back
from wherry.apiserver.subresources.rewriting import Rewriter
from wherry.apiserver.tunnel import is_upgrade, tunnel
from wherry.kit.httpd.message import Request, Response
from wherry.kit.integers import is_digits, parse_unsigned
from wherry.objects.errors import bad_request, not_found, service_unavailable
from wherry.objects.meta import Object

PATH_CHARACTERS = "/:@!$&'()*+,;="
"""What stands for itself in a path."""
NO_PORT = 1 << 16
DEFAULT_PORTS = {"http": 80, "https": 443}


async def pod_proxy(core: Core, call: Call, served: Served) -> RawOutcome:
    """A request to a pod. Raises ApiError (400, 404, 502, 503)."""
    await admit_connection(core, call, served)
    scheme, name, port = split_name(call.info.name, "pod")
    cached = core.registry.of(PODS).get(call.info.namespace, name)
    if cached is None:
        raise not_found("pods", "", name)
    pod = cached.decode()
    node = core.registry.of(NODES).get("", str((pod.get("spec") or {}).get("nodeName") or ""))
    if node is not None:
        check_is_real(node.decode())
    address = str((pod.get("status") or {}).get("podIP") or "")
    _check_address(address)
    return await _pass_on(core, call, served, Target(scheme, address, _pod_port(pod, scheme, port)))


async def service_proxy(core: Core, call: Call, served: Served) -> RawOutcome:
    """A request to a ready endpoint of a service. Raises ApiError (400, 404, 502, 503)."""
    await admit_connection(core, call, served)
    scheme, name, port = split_name(call.info.name, "service")
    namespace = call.info.namespace
    cached = served.get(namespace, name)
    if cached is None:
        raise not_found("services", "", name)
    found = await endpoints_of(core.registry, namespace, name, service_port_name(cached.decode(), port))
    if not found:
        raise service_unavailable(f'no endpoints available for service "{call.info.name}"')
    address, number = core.random.choice(found)
    _check_address(address)
    return await _pass_on(core, call, served, Target(scheme, address, number))


async def node_proxy(core: Core, call: Call, served: Served) -> RawOutcome:
    """A request to a node's kubelet. Raises ApiError (403, 404, 502, 503)."""
    if is_upgrade(call.headers):
        # A WebSocket is a GET, and may be a command: being let in to look is not enough for it.
        core.authorizer.check(call.user, call.info._replace(verb="create"))
    await admit_connection(core, call, served)
    scheme, name, port = split_name(call.info.name, "node")
    cached = core.registry.of(NODES).get("", name)
    if cached is None:
        raise not_found("nodes", "", name)
    kubelet = kubelet_address(cached.decode())
    if port in ("", str(kubelet.port)):
        return await _pass_on(core, call, served, kubelet, kubelet_trust(core.config))
    # Something else on that machine, which has to do without the certificate that is for kubelets.
    if not is_digits(port):
        raise bad_request(f'invalid node request "{call.info.name}"')
    address = await _checked_host(kubelet.host)
    return await _pass_on(core, call, served, Target(scheme, address, _number(port)))


async def _checked_host(host: str) -> str:
    """An address of a node's host, all of whose addresses may be proxied to. Raises ApiError (400)."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise bad_request(f"lookup {host}: {error}") from error
    addresses = [str(address[0]) for *_, address in found]
    for address in addresses:
        _check_address(address)
    return addresses[0]


def _check_address(address: str) -> None:
    """Raise ApiError (400) for what is no pod's address, but leads to this very machine or its link."""
    if not is_allowed(address):
        raise bad_request("address not allowed")


def split_name(text: str, what: str) -> tuple[str, str, str]:
    """(scheme, name, port or "") of `[scheme:]name[:port]`, the name of `what`. Raises ApiError (400)."""
    parts = text.split(":")
    scheme, name, port = "", "", ""
    match parts:
        case [name]:
            pass
        case [name, port]:
            pass
        case [scheme, name, port]:
            pass
    if not name or scheme not in ("", "http", "https"):
        raise bad_request(f'invalid {what} request "{text}"')
    return scheme or "http", name, port


def _number(port: str) -> int:
    """A port in digits; none at all (`Target.check` says so) where they are too many."""
    return parse_unsigned(port, 16) or NO_PORT


def _pod_port(pod: Object, scheme: str, port: str) -> int:
    if is_digits(port):
        return _number(port)
    for container in (pod.get("spec") or {}).get("containers") or ():
        for declared in container.get("ports") or ():
            if not port or declared.get("name") == port:
                return int(declared["containerPort"])
    if port:
        raise bad_request(f'pod has no port called "{port}"')
    return DEFAULT_PORTS[scheme]


def service_port_name(service: Object, port: str) -> str:
    """The name of the service's port meant by a number or name ("" for the first one). Raises ApiError."""
    ports = (service.get("spec") or {}).get("ports") or []
    for declared in ports:
        if not port or port in (declared.get("name"), str(declared.get("port"))):
            return str(declared.get("name") or "")
    raise service_unavailable(f'no service port "{port}" found for service "{service["metadata"]["name"]}"')


class Asked(NamedTuple):
    """What of a request goes on: `path` and `query` as on the wire, and `prefix`, the proxy's own path."""

    prefix: str
    path: str
    query: str


def asked_of(request: Request, prefix: str, tail: str) -> Asked:
    """What is asked of the server behind the proxy at `prefix`; `tail` is the decoded path below it.

    The path is passed on as it is spelt where it begins with a slash. Anything else (a proxy path that is
    spelt in another way, an escaped slash) is spelt anew from what was decoded: what was authorized.
    """
    if request.raw_path.startswith(prefix):
        rest = request.raw_path[len(prefix) :]
        if not rest or rest.startswith("/"):
            return Asked(prefix, rest, request.query)
    return Asked(prefix, f"/{quote(tail, safe=PATH_CHARACTERS)}", request.query)


async def _pass_on(
    core: Core, call: Call, served: Served, target: Target, trust: Trust = ANYBODY
) -> RawOutcome:
    request = call.request
    if request is None:
        raise bad_request("proxying needs an HTTP connection")
    prefix = served.resource.path(call.info.namespace, call.info.name, "proxy")
    asked = asked_of(request, prefix, call.info.tail)
    if not asked.path:
        if request.method in ("GET", "HEAD"):
            query = f"?{request.query}" if request.query else ""
            return RawOutcome(Response(b"", 301, headers=(("Location", f"{prefix}/{query}"),)))
        asked = asked._replace(path="/")
    try:
        if is_upgrade(call.headers):
            return RawOutcome(
                await tunnel(
                    core.outbound, target, request.method, asked.path, asked.query, call.headers, trust
                )
            )
        return await _exchange(core, request, target, asked, trust)
    except Unreachable as error:
        raise service_unavailable(f"error trying to reach service: {error.why}") from error


async def _exchange(core: Core, request: Request, target: Target, asked: Asked, trust: Trust) -> RawOutcome:
    """One request and its answer. Raises Unreachable, ApiError."""
    sent = passed_headers(request.headers)
    host = request.headers.get("host", "")
    own = {
        "x-forwarded-uri": asked.prefix + asked.path,
        "x-forwarded-host": host,
        "x-forwarded-proto": "https",
    }
    sent = [*((name, value) for name, value in sent if name not in own), *own.items()]
    rewriter = Rewriter("https", host, asked.prefix, target.authority)
    held = AsyncExitStack()
    try:
        response = await held.enter_async_context(
            core.outbound.request(
                request.method,
                target,
                asked.path,
                asked.query,
                trust=trust,
                headers=sent,
                body=request.body or None,
            )
        )
        return RawOutcome(led_back(response, held, rewriter))
    except BaseException:
        await held.aclose()
        raise
