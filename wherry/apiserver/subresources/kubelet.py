"""`pods/log`, `exec`, `attach`, `portforward`: the kubelet of the pod's node answers them.

Here it is found out which node and which container is meant, and whether the request makes sense.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from urllib.parse import parse_qsl, urlencode

from wherry.api.core.nodes import NODES
from wherry.api.foreign import answered_error
from wherry.apiserver.call import Call, Outcome, RawOutcome
from wherry.apiserver.core import Core
from wherry.apiserver.outbound import Target, Unreachable
from wherry.apiserver.passing import passed_on
from wherry.apiserver.registry import Served
from wherry.apiserver.request import is_set
from wherry.apiserver.subresources.connecting import admit_connection
from wherry.apiserver.subresources.kubelet_address import kubelet_address, kubelet_trust
from wherry.apiserver.subresources.log_options import log_options
from wherry.apiserver.tunnel import is_upgrade, tunnel
from wherry.kit.httpd.upgrades import is_websocket
from wherry.objects.errors import ApiError, bad_request, not_found
from wherry.objects.meta import Object

TEXT = "text/plain"
STREAM_FLAGS = (("stdin", "input"), ("stdout", "output"), ("stderr", "error"), ("tty", "tty"))
REFUSAL_LIMIT = 16 * 1024
CONTAINER_FIELDS = ("initContainers", "containers", "ephemeralContainers")


async def logs(core: Core, call: Call, served: Served) -> Outcome | RawOutcome:
    """The log of one container, streamed. Raises ApiError (400, 404, 502)."""
    pod = _pod(call, served)
    options = log_options(call)
    container = _container(call, pod, call.query.get("container", ""))
    if not _node_name(pod):
        return Outcome(data=b"", content_type=TEXT)
    kubelet = _address(core, pod)
    path = f"/containerLogs/{call.info.namespace}/{call.info.name}/{container}"
    asked = core.outbound.request("GET", kubelet, path, urlencode(options), trust=kubelet_trust(core.config))
    held = AsyncExitStack()
    try:
        response = await held.enter_async_context(asked)
        if response.status != 200:
            raise answered_error(response.status, await response.content.read(REFUSAL_LIMIT), "the node")
    except Unreachable as error:
        await held.aclose()
        url = kubelet.shown(path, urlencode(options))
        raise ApiError(500, "", f'Get "{url}": {error.why}') from error
    except BaseException:
        await held.aclose()
        raise
    if call.request is not None and is_upgrade(call.headers) and is_websocket(call.request):
        # Imported here, as WebSockets are: few ever ask for logs so.
        from wherry.apiserver.subresources.log_socket import log_socket

        return RawOutcome(log_socket(call.request, response, held, follows=is_set(call.query, "follow")))
    return RawOutcome(passed_on(response, held))


async def execute(core: Core, call: Call, served: Served) -> RawOutcome:
    """A command in a container, over an upgraded connection. Raises ApiError."""
    return await _in_container(core, call, served, "exec")


async def attach(core: Core, call: Call, served: Served) -> RawOutcome:
    """The streams of a container's own process, over an upgraded connection. Raises ApiError."""
    return await _in_container(core, call, served, "attach")


async def port_forward(core: Core, call: Call, served: Served) -> RawOutcome:
    """Ports of the pod, over an upgraded connection. Raises ApiError."""
    await _admit(core, call, served)
    pod = _pod(call, served)
    ports = [(key, value) for key, value in _parameters(call) if key in ("port", "ports")]
    path = f"/portForward/{call.info.namespace}/{call.info.name}"
    return await _tunnel(core, call, pod, path, ports)


async def _in_container(core: Core, call: Call, served: Served, verb: str) -> RawOutcome:
    options = await _admit(core, call, served)
    commands = [("command", value) for value in options.get("command") or ()]
    if verb == "exec" and not commands:
        raise bad_request("you must specify at least 1 command for the container")
    flags = [(theirs, "1") for ours, theirs in STREAM_FLAGS if options.get(ours)]
    if not any(flag != "tty" for flag, _ in flags):
        raise bad_request("you must specify at least 1 of stdin, stdout, stderr")
    pod = _pod(call, served)
    container = _container(call, pod, options.get("container") or "")
    path = f"/{verb}/{call.info.namespace}/{call.info.name}/{container}"
    return await _tunnel(core, call, pod, path, [*commands, *flags])


async def _admit(core: Core, call: Call, served: Served) -> Object:
    """The connection's options. Being let in to look (a WebSocket is a GET) is not enough to act: it takes
    `create` as well.
    """
    info = call.info
    core.authorizer.check(call.user, info._replace(verb="create"))
    return await admit_connection(core, call, served)


async def _tunnel(core: Core, call: Call, pod: Object, path: str, query: list[tuple[str, str]]) -> RawOutcome:
    if call.request is None:
        raise bad_request("streams need an HTTP connection")
    if not _node_name(pod):
        raise bad_request(f"pod {call.info.name} does not have a host assigned")
    kubelet, trust = _address(core, pod), kubelet_trust(core.config)
    try:
        return RawOutcome(
            await tunnel(
                core.outbound, kubelet, call.request.method, path, urlencode(query), call.headers, trust
            )
        )
    except Unreachable as error:
        raise ApiError(500, "", f"error dialing backend: {error}") from error


def _parameters(call: Call) -> list[tuple[str, str]]:
    """All query parameters, repeated ones too."""
    return parse_qsl(call.request.query, keep_blank_values=True) if call.request is not None else []


def _pod(call: Call, served: Served) -> Object:
    cached = served.get(call.info.namespace, call.info.name)
    if cached is None:
        raise not_found("pods", "", call.info.name)
    return cached.decode()


def _node_name(pod: Object) -> str:
    name: str = (pod.get("spec") or {}).get("nodeName") or ""
    return name


def _address(core: Core, pod: Object) -> Target:
    node = core.registry.of(NODES).get("", _node_name(pod))
    if node is None:
        raise not_found("nodes", "", _node_name(pod))
    return kubelet_address(node.decode())


def _container(call: Call, pod: Object, wanted: str) -> str:
    """The container meant: the one asked for, or the only one there is. Raises ApiError (400)."""
    spec = pod.get("spec") or {}
    names = {field: [item["name"] for item in spec.get(field) or ()] for field in CONTAINER_FIELDS}
    if wanted:
        if not any(wanted in found for found in names.values()):
            raise bad_request(f"container {wanted} is not valid for pod {call.info.name}")
        return wanted
    if len(names["containers"]) == 1:
        only: str = names["containers"][0]
        return only
    text = f"a container name must be specified for pod {call.info.name}"
    if names["containers"]:
        text += f", choose one of: [{' '.join(names['containers'])}]"
    if names["initContainers"]:
        text += f" or one of the init containers: [{' '.join(names['initContainers'])}]"
    raise bad_request(text)
