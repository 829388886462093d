"""`pods/proxy`, `services/proxy`, `nodes/proxy`: plain HTTP to what runs in the cluster.

The name may say scheme and port: `web`, `web:8080`, `https:web:8443`. What comes back is passed on
as it is, piece by piece; upgraded connections are passed through.
"""

from __future__ import annotations

import ipaddress
import zlib
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.apiserver.call import Call, RawOutcome
from wherry.apiserver.core import Core
from wherry.apiserver.registry import Served
from wherry.apiserver.subresources.connecting import admit_connection
from wherry.apiserver.subresources.gate import Unreachable, kubelet_address
from wherry.apiserver.subresources.rewriting import Rewriter
from wherry.apiserver.subresources.streams import HOP_BY_HOP, passed_on
from wherry.apiserver.subresources.tunnel import is_upgrade, tunnel
from wherry.kit.httpd.message import Response, StreamResponse
from wherry.objects.errors import bad_request, not_found, service_unavailable
from wherry.objects.meta import Object

if TYPE_CHECKING:
    import aiohttp

PAGE_LIMIT_B = 8 * 1024 * 1024
"""A larger page is passed on as it is: to have its links lead back here, it has to be held as a whole."""
PATH_CHARACTERS = "/:@!$&'()*+,;="
"""What stands for itself in a path."""
SECRET_HEADERS = frozenset({"authorization", "host"})


class Target(NamedTuple):
    """Where a proxied request goes. `verify` tells whether the certificate must be the cluster's."""

    scheme: str
    host: str
    port: int
    verify: bool = False


async def pod_proxy(core: Core, call: Call, served: Served) -> RawOutcome:
    """A request to a pod. Raises ApiError (400, 404, 502, 503)."""
    await admit_connection(core, call, served)
    scheme, name, port = split_name(call.info.name)
    cached = core.registry.of(PODS).get(call.info.namespace, name)
    if cached is None:
        raise not_found("pods", "", name)
    pod = cached.decode()
    address = str((pod.get("status") or {}).get("podIP") or "")
    _check_address(address)
    return await _pass_on(core, call, served, Target(scheme, address, _pod_port(pod, port)))


async def service_proxy(core: Core, call: Call, served: Served) -> RawOutcome:
    """A request to a ready endpoint of a service. Raises ApiError (400, 404, 502, 503)."""
    await admit_connection(core, call, served)
    scheme, name, port = split_name(call.info.name)
    cached = served.get(call.info.namespace, name)
    if cached is None:
        raise not_found("services", "", name)
    slices = core.registry.of(ENDPOINT_SLICES)
    await slices.source.open()
    port_name = service_port_name(cached.decode(), port)
    found = [
        (address, number)
        for item in slices.cacher.list(
            call.info.namespace, match=lambda c: c.labels.get("kubernetes.io/service-name") == name
        )[0]
        for address, number in ready_endpoints(item.decode(), port_name)
    ]
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
    _, name, port = split_name(call.info.name)
    if port and not port.isdecimal():
        raise bad_request(f'invalid node request "{call.info.name}"')
    cached = core.registry.of(NODES).get("", name)
    if cached is None:
        raise not_found("nodes", "", name)
    address = kubelet_address(cached.decode())
    return await _pass_on(core, call, served, Target("https", address.host, address.port, verify=True))


def _check_address(address: str) -> None:
    """Raise ApiError (400) for what is no pod's address, but leads to this very machine or its link."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        raise bad_request("address not allowed") from None
    found = getattr(found, "ipv4_mapped", None) or found
    is_broadcast = str(found) == "255.255.255.255"
    if found.is_loopback or found.is_link_local or found.is_multicast or found.is_unspecified or is_broadcast:
        raise bad_request("address not allowed")


def split_name(text: str) -> tuple[str, str, str]:
    """(scheme, name, port or "") of `[scheme:]name[:port]`. Raises ApiError (400)."""
    parts = text.split(":")
    if len(parts) == 1:
        return "http", parts[0], ""
    if len(parts) == 2:
        return "http", parts[0], parts[1]
    if len(parts) == 3 and parts[0] in ("", "http", "https"):
        return parts[0] or "http", parts[1], parts[2]
    raise bad_request(f'invalid pod, service or node request "{text}"')


def _pod_port(pod: Object, port: str) -> int:
    if port.isdigit():
        return int(port)
    for container in (pod.get("spec") or {}).get("containers") or ():
        for declared in container.get("ports") or ():
            if not port or declared.get("name") == port:
                return int(declared["containerPort"])
    if port:
        raise bad_request(f'pod has no port called "{port}"')
    return 80


def service_port_name(service: Object, port: str) -> str:
    """The name of the service's port meant by a number or name ("" for the first one). Raises ApiError."""
    ports = (service.get("spec") or {}).get("ports") or []
    for declared in ports:
        if not port or port in (declared.get("name"), str(declared.get("port"))):
            return str(declared.get("name") or "")
    raise service_unavailable(f'no service port "{port}" found for service "{service["metadata"]["name"]}"')


def ready_endpoints(endpoint_slice: Object, port_name: str) -> list[tuple[str, int]]:
    """Address and port of every ready endpoint of a slice."""
    ports = [
        int(port["port"])
        for port in endpoint_slice.get("ports") or ()
        if (port.get("name") or "") == port_name and port.get("port")
    ]
    return [
        (address, port)
        for endpoint in endpoint_slice.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
        for address in (endpoint.get("addresses") or ())[:1]
        for port in ports
    ]


async def _pass_on(core: Core, call: Call, served: Served, target: Target) -> RawOutcome:
    request = call.request
    if request is None:
        raise bad_request("proxying needs an HTTP connection")
    prefix = served.resource.path(call.info.namespace, call.info.name, "proxy")
    if request.raw_path.startswith(prefix):
        rest = request.raw_path[len(prefix) :]
    else:  # something before it is spelt in another way; never send on what was decoded
        rest = f"/{quote(call.info.tail, safe=PATH_CHARACTERS)}"
    if not rest:
        if request.method in ("GET", "HEAD"):
            query = f"?{request.query}" if request.query else ""
            return RawOutcome(Response(b"", 301, headers=(("Location", f"{prefix}/{query}"),)))
        rest = "/"
    path = rest + (f"?{request.query}" if request.query else "")
    headers = {name: value for name, value in call.headers.items() if name not in SECRET_HEADERS}
    if is_upgrade(headers):
        where = (target.host, target.port)
        use_tls = target.scheme == "https"
        return RawOutcome(
            await tunnel(
                core.kubelets, where, request.method, path, headers, use_tls=use_tls, verify=target.verify
            )
        )
    sent = {
        name: value
        for name, value in headers.items()
        if name not in HOP_BY_HOP and not name.startswith("impersonate-")
    }
    # aiohttp would ask for compression by itself, and the answer is passed on as it comes.
    sent.setdefault("accept-encoding", "identity")
    host = f"[{target.host}]" if ":" in target.host else target.host
    asked = call.headers.get("host", "")
    rewriter = Rewriter("https", asked, prefix, f"{host}:{target.port}")
    sent |= {
        "x-forwarded-uri": prefix + rest,
        "x-forwarded-host": asked,
        "x-forwarded-proto": "https",
    }
    url = f"{target.scheme}://{host}:{target.port}{path}"
    held = AsyncExitStack()
    try:
        response = await held.enter_async_context(
            core.kubelets.request(request.method, url, sent, request.body or None, verify=target.verify)
        )
    except Unreachable as error:
        await held.aclose()
        raise service_unavailable(f"error trying to reach service: {error.why}") from error
    except BaseException:
        await held.aclose()
        raise
    return RawOutcome(await _led_back(response, held, rewriter))


async def _led_back(
    response: aiohttp.ClientResponse, held: AsyncExitStack, rewriter: Rewriter
) -> Response | StreamResponse:
    """What the server answered, with redirects and the links of pages leading back here."""
    answer = passed_on(response, held)
    content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    is_redirect = "Location" in response.headers
    headers = [
        (name, rewriter.address(value) if name.lower() == "location" else value)
        for name, value in answer.headers
        if not name.lower().startswith("access-control-")  # it is not the server's to open the API to others
    ]
    if is_redirect or content_type != "text/html" or encoding not in ("identity", "gzip"):
        answer.headers = headers
        return answer
    body = await _beginning(response, held)
    if len(body) > PAGE_LIMIT_B:
        answer = passed_on(response, held, body)
        answer.headers = headers
        return answer
    await held.aclose()
    try:
        page = _unpacked(body) if encoding == "gzip" else body
        text = page.decode(response.charset or "utf-8")
    except (zlib.error, LookupError, UnicodeDecodeError):
        return Response(body, response.status, answer.content_type, headers)  # not what it says it is
    headers = [pair for pair in headers if pair[0].lower() != "content-encoding"]
    rewritten = rewriter.page(text).encode(response.charset or "utf-8")
    return Response(rewritten, response.status, answer.content_type, headers)


async def _beginning(response: aiohttp.ClientResponse, held: AsyncExitStack) -> bytes:
    """The body, or somewhat more of it than `PAGE_LIMIT_B` bytes. Raises ApiError when it breaks off."""
    body = bytearray()
    async with AsyncExitStack() as unless_read:
        unless_read.push_async_exit(held)
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > PAGE_LIMIT_B:
                break
        unless_read.pop_all()
    return bytes(body)


def _unpacked(body: bytes) -> bytes:
    """A compressed page. Raises zlib.error for what is none, or is larger than `PAGE_LIMIT_B` bytes."""
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    page = unpacking.decompress(body, PAGE_LIMIT_B)
    if not unpacking.eof or unpacking.unused_data:
        raise zlib.error("the page is cut off, too large, or followed by more")
    return page
