"""What the agent of one node (kubelet and service proxy) may do.

Nodes may read what runs on them and report on it, and no more: their own Node, their own pods, and
secrets and the like only while a pod on the node refers to them. Which node's objects they write is
NodeRestriction's business.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from wherry.api.core.pod_spec.annotations import MIRROR
from wherry.api.core.pod_spec.references import account_names, claim_names, config_map_names, secret_names
from wherry.api.core.pods import PODS
from wherry.api.dynamicresources.pod_claims import claim_keys
from wherry.api.storage.volume_attachments import VOLUME_ATTACHMENTS
from wherry.apiserver.authorization.base import ALLOWED, DENIED, Decision
from wherry.apiserver.authorization.rules import rule_allows
from wherry.apiserver.cached import Cached
from wherry.apiserver.registry import Registry
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.user import User
from wherry.objects.meta import Object, annotations_of

log = logging.getLogger(__name__)

Names = Callable[[Object], set[str]]
REFERENCES_KEPT = 4096
"""Of how many pods and kinds of reference the names are kept: those of some dozens of busy nodes."""
READ = ["get", "list", "watch"]
NODE_RULES: list[Object] = [
    {
        "verbs": READ,
        "apiGroups": [""],
        "resources": ["services", "endpoints", "namespaces"],
    },
    {"verbs": READ, "apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"]},
    {
        "verbs": READ,
        "apiGroups": ["networking.k8s.io"],
        "resources": ["servicecidrs", "ingresses", "ingressclasses"],
    },
    {"verbs": READ, "apiGroups": ["node.k8s.io"], "resources": ["runtimeclasses"]},
    {"verbs": READ, "apiGroups": ["storage.k8s.io"], "resources": ["csidrivers"]},
    {"verbs": ["create", "update", "patch"], "apiGroups": [""], "resources": ["nodes"]},
    {"verbs": ["update", "patch"], "apiGroups": [""], "resources": ["nodes/status", "pods/status"]},
    {"verbs": ["create", "delete"], "apiGroups": [""], "resources": ["pods"]},
    {"verbs": ["create"], "apiGroups": [""], "resources": ["pods/eviction"]},
    {"verbs": ["create", "update", "patch"], "apiGroups": ["", "events.k8s.io"], "resources": ["events"]},
    {"verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"]},
    {
        "verbs": ["create"],
        "apiGroups": ["authorization.k8s.io"],
        "resources": ["subjectaccessreviews", "localsubjectaccessreviews"],
    },
    {
        "verbs": ["create", *READ],
        "apiGroups": ["certificates.k8s.io"],
        "resources": ["certificatesigningrequests"],
    },
    {
        "verbs": ["create", "get", "update", "patch", "delete"],
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
    },
    {
        "verbs": ["create", "get", "update", "patch", "delete"],
        "apiGroups": ["storage.k8s.io"],
        "resources": ["csinodes"],
    },
]
NO_RELATIONSHIP = 'no relationship found between node "{node}" and this object'


class NodeAuthorizer:
    """Decides for users in the group system:nodes. The sources of pods must be ready."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._references = _References()

    def decide(self, user: User, info: RequestInfo) -> Decision:
        """See `SubAuthorizer.decide`."""
        node = user.node_name
        if not node:
            return DENIED
        if info.is_resource and not info.group:
            related = _RELATED.get(info.full_resource)
            if related is not None:
                return self._decide_related(node, info, related)
            if info.full_resource == "nodes" and info.verb in READ:
                return _decide_node(node, info)
            if info.full_resource == "pods" and info.verb in READ:
                return self._decide_pod(node, info)
        if info.group == "resource.k8s.io" and info.full_resource == "resourceclaims":
            return self._decide_related(node, info, (("get",), device_claim_names))
        if info.group == "storage.k8s.io":
            if info.resource == "volumeattachments":
                return self._decide_attachment(node, info)
            if info.resource == "csinodes" and (info.name or node) != node:
                return Decision(False, "can only access CSINode with the same name as the requesting node")
        if info.resource == "leases" and (info.namespace, info.name or node) != ("kube-node-lease", node):
            return Decision(False, "can only access node lease with the same name as the requesting node")
        return ALLOWED if any(rule_allows(rule, info) for rule in NODE_RULES) else DENIED

    def rules_for(self, user: User, namespace: str) -> list[Object]:
        """See `SubAuthorizer.rules_for`."""
        return NODE_RULES if user.node_name else []

    def _decide_pod(self, node: str, info: RequestInfo) -> Decision:
        if info.verb != "get":
            if info.pods_of == node:
                return ALLOWED
            return Decision(False, "can only list/watch pods with spec.nodeName field selector")
        pod = self._registry.of(PODS).get(info.namespace, info.name)
        if pod is not None and pod.value("spec.nodeName") == node:
            return ALLOWED
        return Decision(False, NO_RELATIONSHIP.format(node=node))

    def _decide_attachment(self, node: str, info: RequestInfo) -> Decision:
        if info.verb != "get" or info.subresource:
            return Decision(False, "can only get individual resources of this type")
        served = self._registry.of(VOLUME_ATTACHMENTS)
        # Whoever attaches volumes has the source open; until then there is nothing to be related to.
        cached = served.get("", info.name) if served.source.is_ready else None
        if cached is not None and (cached.decode().get("spec") or {}).get("nodeName") == node:
            return ALLOWED
        return Decision(False, NO_RELATIONSHIP.format(node=node))

    def _decide_related(self, node: str, info: RequestInfo, related: _Related) -> Decision:
        verbs, names_in = related
        if info.verb not in verbs:
            return Decision(False, "can only read resources of this type")
        if not info.name:
            return Decision(False, "can only list/watch single resource of this type")
        for pod in self._pods_on(node):
            if pod.namespace == info.namespace and info.name in self._references.of(pod, names_in):
                return ALLOWED
        return Decision(False, NO_RELATIONSHIP.format(node=node))

    def _pods_on(self, node: str) -> Iterable[Cached]:
        cacher = self._registry.of(PODS).cacher
        found = cacher.by_value("spec.nodeName", node)
        if found is not None:
            return found
        # No kubelet has asked for its pods yet, so there is no index. What does not contain the node's name
        # cannot be on it, and finding that out costs a fiftieth of decoding a pod.
        name = f'"{node}"'.encode()
        pods = (pod for pod in cacher.list()[0] if name in pod.data)
        return [pod for pod in pods if pod.value("spec.nodeName") == node]


class _References:
    """What the pods somebody asked about refer to: read once for each version of a pod."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Names], tuple[int, frozenset[str]]] = {}

    def of(self, pod: Cached, names_in: Names) -> frozenset[str]:
        """The names of one kind the pod refers to; none for a mirror pod, which its node makes itself."""
        known = self._known.get((pod.key, names_in))
        if known is not None and known[0] == pod.revision:
            return known[1]
        try:
            decoded = pod.decode()
            names = frozenset(() if MIRROR in annotations_of(decoded) else names_in(decoded))
        except Exception:
            log.exception("what the pod %s refers to cannot be read", pod.key)
            names = frozenset()
        if len(self._known) >= REFERENCES_KEPT:
            self._known.clear()
        self._known[pod.key, names_in] = pod.revision, names
        return names


def _decide_node(node: str, info: RequestInfo) -> Decision:
    if info.name == node:
        return ALLOWED
    return Decision(False, f'node "{node}" cannot read "{info.name}", only its own Node object')


def device_claim_names(pod: Object) -> set[str]:
    """Names of the resource claims the pod uses."""
    return {key.partition("/")[2] for key in claim_keys(pod)}


_Related = tuple[tuple[str, ...], Names]
_RELATED: dict[str, _Related] = {
    "secrets": (("get", "list", "watch"), secret_names),
    "configmaps": (("get", "list", "watch"), config_map_names),
    "persistentvolumeclaims": (("get",), claim_names),
    "persistentvolumeclaims/status": (("get", "update", "patch"), claim_names),
    "serviceaccounts": (("get",), account_names),
    "serviceaccounts/token": (("create",), account_names),
}
