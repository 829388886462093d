"""Which function answers which subresource.

Found by name, then by "plural/name" where a kind does something of its own. Those of rarely used
files are imported when first asked for, to keep the start short.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from wherry.apiserver.call import Call, Result
from wherry.apiserver.core import Core
from wherry.apiserver.registry import Served
from wherry.apiserver.request import RequestInfo

Handler = Callable[[Core, Call, Served], Result]

_PLACES = {
    "status": "status:status",
    "scale": "scale:scale",
    "pods/binding": "binding:binding",
    "pods/eviction": "eviction:eviction",
    "pods/ephemeralcontainers": "pod_parts:ephemeral_containers",
    "pods/resize": "pod_parts:resize",
    "pods/log": "kubelet:logs",
    "pods/exec": "kubelet:execute",
    "pods/attach": "kubelet:attach",
    "pods/portforward": "kubelet:port_forward",
    "pods/proxy": "proxies:pod_proxy",
    "services/proxy": "proxies:service_proxy",
    "nodes/proxy": "proxies:node_proxy",
    "serviceaccounts/token": "token:token",
    "deployments/rollback": "rollback:rollback",
    "namespaces/finalize": "finalize:finalize",
    "certificatesigningrequests/approval": "approval:approval",
}
_loaded: dict[str, Handler] = {}
LONG_RUNNING = frozenset({"log", "exec", "attach", "portforward", "proxy"})


def handler_of(plural: str, subresource: str) -> Handler | None:
    """The function that answers `plural/subresource`, None when nothing does."""
    for name in (f"{plural}/{subresource}", subresource):
        found = _loaded.get(name)
        if found is not None:
            return found
        place = _PLACES.get(name)
        if place is not None:
            module, _, function = place.partition(":")
            handler: Handler = getattr(import_module(f"wherry.apiserver.subresources.{module}"), function)
            _loaded[name] = handler
            return handler
    return None


def is_long_running(info: RequestInfo) -> bool:
    """Whether a request takes as long as its client stays: it has no time limit, and takes no seat."""
    return info.is_resource and (info.verb == "watch" or info.subresource in LONG_RUNNING)
