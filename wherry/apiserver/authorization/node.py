"""What the kubelet of one node may do.

Nodes may read what runs on them and report on it, and no more: their own Node, their own pods, and
secrets and the like only while a pod on the node refers to them. Which node's objects they write is
NodeRestriction's business. Source: plugin/pkg/auth/authorizer/node/node_authorizer.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from wherry.api.certificates.pod_certificate_requests import POD_CERTIFICATE_REQUESTS
from wherry.api.core.pod_spec.references import account_names, claim_names, config_map_names, secret_names
from wherry.api.dynamicresources.pod_claims import claim_keys
from wherry.api.dynamicresources.resource_slices import RESOURCE_SLICES
from wherry.api.storage.volume_attachments import VOLUME_ATTACHMENTS
from wherry.apiserver.authorization.base import ALLOWED, DENIED, Decision
from wherry.apiserver.authorization.node_graph import Names, NodeGraph
from wherry.apiserver.authorization.rules import Rules
from wherry.apiserver.registry import Registry
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.user import User
from wherry.objects.meta import Object

READ = ("get", "list", "watch")
OWN = ("get", "create", "update", "patch", "delete")
LEASE_NAMESPACE = "kube-node-lease"


class NodeAuthorizer:
    """Decides for users in the group system:nodes.

    `rules` hold for what is not every node's own: those of upstream's role `system:node`. What `NodeGraph`
    reads must be ready.
    """

    def __init__(self, registry: Registry, rules: Sequence[Object]) -> None:
        self._graph = NodeGraph(registry)
        self._rules = Rules(rules)

    def decide(self, user: User, info: RequestInfo) -> Decision:
        """See `SubAuthorizer.decide`."""
        node = user.node_name
        if not node:
            return DENIED
        judge = _JUDGES.get((info.group, info.resource)) if info.is_resource else None
        if judge is not None:
            return judge(self._graph, node, info)
        return ALLOWED if self._rules.allow(info) else DENIED

    def rules_for(self, user: User, namespace: str) -> Iterator[Sequence[Object]]:
        """None: what a node may do hangs on its pods. Nor may it grant others what it may do by those."""
        return iter(())

    def untold_for(self, user: User) -> str:
        """See `SubAuthorizer.untold_for`."""
        return "node authorizer does not support user rule resolution" if user.node_name else ""


def _related(is_related: bool, node: str) -> Decision:
    return ALLOWED if is_related else _no(f"no relationship found between node '{node}' and this object")


def _no(why: str) -> Decision:
    return Decision(False, why)


def _one_of_its_pods(graph: NodeGraph, node: str, info: RequestInfo, names_in: Names) -> Decision:
    if not info.name:
        return _no("No Object name found")
    return _related(graph.refers(node, info.namespace, info.name, names_in), node)


def _not_get(info: RequestInfo) -> Decision | None:
    """Why a request is no `get` of an object."""
    if info.verb != "get":
        return _no("can only get individual resources of this type")
    return _no("cannot get subresource") if info.subresource else None


_Judge = Callable[[NodeGraph, str, RequestInfo], Decision]


def _read_of(names_in: Names) -> _Judge:
    """Objects its pods refer to may be read, one by one."""

    def judge(graph: NodeGraph, node: str, info: RequestInfo) -> Decision:
        if info.verb not in READ:
            return _no("can only read resources of this type")
        if info.subresource:
            return _no("cannot read subresource")
        if not info.namespace:
            return _no("can only read namespaced object of this type")
        return _one_of_its_pods(graph, node, info, names_in)

    return judge


def _claim(graph: NodeGraph, node: str, info: RequestInfo) -> Decision:
    if info.subresource == "status":
        if info.verb not in ("update", "patch"):
            return _no("can only get/update/patch this type")
        return _one_of_its_pods(graph, node, info, claim_names)
    return _not_get(info) or _one_of_its_pods(graph, node, info, claim_names)


def _resource_claim(graph: NodeGraph, node: str, info: RequestInfo) -> Decision:
    return _not_get(info) or _one_of_its_pods(graph, node, info, device_claim_names)


def _volume(graph: NodeGraph, node: str, info: RequestInfo) -> Decision:
    return _not_get(info) or _related(graph.uses_volume(node, info.name), node)


def _attachment(graph: NodeGraph, node: str, info: RequestInfo) -> Decision:
    return _not_get(info) or _related(graph.names_node(VOLUME_ATTACHMENTS, node, "", info.name), node)


def _account(graph: NodeGraph, node: str, info: RequestInfo) -> Decision:
    if info.verb == "get" and not info.subresource:
        return _one_of_its_pods(graph, node, info, account_names)
    if info.verb != "create" or not info.name:
        return _no("can only create tokens for individual service accounts")
    if info.subresource != "token":
        return _no("can only create token subresource of serviceaccount")
    return _one_of_its_pods(graph, node, info, account_names)


def _lease(_graph: NodeGraph, node: str, info: RequestInfo) -> Decision:
    if info.verb not in OWN:
        return _no("can only get, create, update, patch, or delete a node lease")
    if info.namespace != LEASE_NAMESPACE:
        return _no(f'can only access leases in the "{LEASE_NAMESPACE}" system namespace')
    if info.verb != "create" and info.name != node:
        return _no("can only access node lease with the same name as the requesting node")
    return ALLOWED


def _csi_node(_graph: NodeGraph, node: str, info: RequestInfo) -> Decision:
    if info.verb not in OWN:
        return _no("can only get, create, update, patch, or delete a CSINode")
    if info.subresource:
        return _no("cannot authorize CSINode subresources")
    if info.verb != "create" and info.name != node:
        return _no("can only access CSINode with the same name as the requesting node")
    return ALLOWED


def _slice(graph: NodeGraph, node: str, info: RequestInfo) -> Decision:
    if info.subresource:
        return _no("cannot authorize ResourceSlice subresources")
    if info.verb == "create":
        return ALLOWED
    if info.verb in ("get", "update", "patch", "delete"):
        return _related(graph.names_node(RESOURCE_SLICES, node, "", info.name), node)
    if info.verb in ("list", "watch", "deletecollection"):
        if info.of_node == node:
            return ALLOWED
        return _no("can only list/watch/deletecollection resourceslices with nodeName field selector")
    return _no(
        "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, "
        "delete, deletecollection"
    )


def _certificate_request(graph: NodeGraph, node: str, info: RequestInfo) -> Decision:
    if info.subresource:
        return _no("nodes may not access the status subresource of PodCertificateRequests")
    if info.verb == "create":
        return ALLOWED
    if info.verb == "get":
        found = graph.names_node(POD_CERTIFICATE_REQUESTS, node, info.namespace, info.name)
        return _related(found, node)
    if info.verb in ("list", "watch"):
        if info.of_node == node:
            return ALLOWED
        return _no("can only list/watch podcertificaterequests with nodeName field selector")
    return _no(f"nodes may not {info.verb} podcertificaterequests")


def _node(_graph: NodeGraph, node: str, info: RequestInfo) -> Decision:
    if info.subresource == "status":
        return ALLOWED if info.verb in ("update", "patch") else DENIED
    if info.subresource:
        return DENIED
    if info.verb in READ:
        if info.name == node:
            return ALLOWED
        if not info.name:
            return _no(f"node '{node}' cannot read all nodes, only its own Node object")
        return _no(f"node '{node}' cannot read '{info.name}', only its own Node object")
    return ALLOWED if info.verb in ("create", "update", "patch") else DENIED


def _pod(graph: NodeGraph, node: str, info: RequestInfo) -> Decision:
    if info.subresource == "status":
        return ALLOWED if info.verb in ("update", "patch") else DENIED
    if info.subresource == "eviction":
        return ALLOWED if info.verb == "create" else DENIED
    if info.subresource:
        return DENIED
    if info.verb in ("create", "delete"):
        return ALLOWED
    if info.verb not in READ:
        return DENIED
    if info.verb != "get":
        if info.of_node == node:
            return ALLOWED
        if not info.name:
            return _no("can only list/watch pods with spec.nodeName field selector")
    return _related(graph.has_pod(node, info.namespace, info.name), node)


def device_claim_names(pod: Object) -> set[str]:
    """Names of the resource claims the pod uses."""
    return {key.partition("/")[2] for key in claim_keys(pod)}


_JUDGES: dict[tuple[str, str], _Judge] = {
    ("", "configmaps"): _read_of(config_map_names),
    ("", "nodes"): _node,
    ("", "persistentvolumeclaims"): _claim,
    ("", "persistentvolumes"): _volume,
    ("", "pods"): _pod,
    ("", "secrets"): _read_of(secret_names),
    ("", "serviceaccounts"): _account,
    ("certificates.k8s.io", "podcertificaterequests"): _certificate_request,
    ("coordination.k8s.io", "leases"): _lease,
    ("resource.k8s.io", "resourceclaims"): _resource_claim,
    ("resource.k8s.io", "resourceslices"): _slice,
    ("storage.k8s.io", "csinodes"): _csi_node,
    ("storage.k8s.io", "volumeattachments"): _attachment,
}
"""Kinds of which each node gets at its own objects alone, by group and plural."""
