"""NodeRestriction: a kubelet writes its own Node, its own pods' status, and nobody else's.

What a node may read follows from the pods bound to it, so it must not make pods that refer to anything,
nor say itself what they refer to; and where pods go follows from labels, so it gives itself only those that
tell what it is. Source: plugin/pkg/admission/noderestriction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from wherry.api.core.node_labels import is_closed_label
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CONNECT, CREATE, DELETE, UPDATE, Attributes, BasePlugin
from wherry.apiserver.admission.node_pods import pod_problem
from wherry.apiserver.admission.node_requests import (
    pod_certificate_problem,
    signing_request_problem,
    token_problem,
)
from wherry.objects.errors import forbidden
from wherry.objects.meta import Object, labels_of

LEASE_NAMESPACE = "kube-node-lease"
_CLAIM_STATUS_OF_NODES = frozenset(
    {"capacity", "conditions", "allocatedResources", "allocatedResourceStatuses"}
)
"""What of a claim's status tells how a volume was grown on its node."""


class NodeRestriction(BasePlugin):
    """See the module."""

    name = "NodeRestriction"
    judges_heartbeats = False  # others than nodes are not asked

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        return operation != CONNECT and (resource.group, resource.plural) in _PROBLEMS

    async def admit(self, attributes: Attributes) -> None:
        node = attributes.user.node_name
        if not node:
            return
        resource = attributes.resource
        if why := await _PROBLEMS[resource.group, resource.plural](node, attributes):
            raise forbidden(resource.plural, resource.group, attributes.name, why)


async def _node_problem(node: str, attributes: Attributes) -> str:
    if attributes.name != node:
        return f'node "{node}" is not allowed to modify node "{attributes.name}"'
    old, new = attributes.old or {}, attributes.obj or {}
    source = (new.get("spec") or {}).get("configSource")
    if attributes.operation == CREATE:
        if source is not None:
            return f'node "{node}" is not allowed to create pods with a non-nil configSource'
        labels = sorted(filter(is_closed_label, labels_of(new)))
        return (
            f'node "{node}" is not allowed to set the following labels: {", ".join(labels)}' if labels else ""
        )
    if attributes.operation == UPDATE:
        before, after = old.get("spec") or {}, new.get("spec") or {}
        if source is not None and source != before.get("configSource"):
            return f'node "{node}" is not allowed to update configSource to a new non-nil configSource'
        if not attributes.subresource and before.get("taints") != after.get("taints"):
            return f'node "{node}" is not allowed to modify taints'
        owners, wanted = (item.get("metadata", {}).get("ownerReferences") for item in (old, new))
        if (owners or []) != (wanted or []):
            return f'node "{node}" is not allowed to modify ownerReferences'
        if changed := _changed_labels(labels_of(old), labels_of(new)):
            return f"is not allowed to modify labels: {', '.join(changed)}"
    return ""


def _changed_labels(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The closed ones among the labels that were added, changed or removed."""
    return sorted(
        label
        for label in {*before, *after}
        if is_closed_label(label) and before.get(label) != after.get(label)
    )


async def _lease_problem(node: str, attributes: Attributes) -> str:
    if attributes.namespace != LEASE_NAMESPACE:
        return f'can only access leases in the "{LEASE_NAMESPACE}" system namespace'
    if attributes.name != node:
        return "can only access node lease with the same name as the requesting node"
    return ""


async def _csi_node_problem(node: str, attributes: Attributes) -> str:
    return (
        "" if attributes.name == node else "can only access CSINode with the same name as the requesting node"
    )


async def _slice_problem(node: str, attributes: Attributes) -> str:
    """Of a change nothing is asked: `spec.nodeName` never changes, and whose slice it is was asked before."""
    if attributes.operation in (CREATE, DELETE):
        written = attributes.obj if attributes.operation == CREATE else attributes.old
        if ((written or {}).get("spec") or {}).get("nodeName") != node:
            verb = attributes.operation.lower()
            return f"can only {verb} ResourceSlice with the same NodeName as the requesting node"
    return ""


async def _claim_problem(node: str, attributes: Attributes) -> str:
    if attributes.subresource != "status":
        return "may only update PVC status"
    if attributes.operation != UPDATE:
        return f'unexpected operation "{attributes.operation}"'
    before, after = _rest_of_claim(attributes.old or {}), _rest_of_claim(attributes.obj or {})
    if before == after:
        return ""
    changed = sorted(
        f"{part}.{field}" if isinstance(before.get(part) or after.get(part), dict) else part
        for part in {*before, *after}
        for field in _differences(before.get(part), after.get(part))
    )
    return (
        f'node "{node}" is not allowed to update fields other than status.capacity and status.conditions: '
        f"{', '.join(changed)}"
    )


def _rest_of_claim(claim: Object) -> dict[str, Any]:
    """The claim without what a node may write, and without what every write changes."""
    meta = {
        field: value
        for field, value in (claim.get("metadata") or {}).items()
        if field not in ("resourceVersion", "managedFields")
    }
    status = {
        field: value
        for field, value in (claim.get("status") or {}).items()
        if field not in _CLAIM_STATUS_OF_NODES
    }
    return {**claim, "metadata": meta, "status": status}


def _differences(before: Any, after: Any) -> list[str]:
    if before == after:
        return []
    if not isinstance(before or after, dict):
        return [""]
    before, after = before or {}, after or {}
    return [field for field in {*before, *after} if before.get(field) != after.get(field)]


_Problem = Callable[[str, Attributes], Awaitable[str]]
_PROBLEMS: dict[tuple[str, str], _Problem] = {
    ("", "nodes"): _node_problem,
    ("", "persistentvolumeclaims"): _claim_problem,
    ("", "pods"): pod_problem,
    ("", "serviceaccounts"): token_problem,
    ("certificates.k8s.io", "certificatesigningrequests"): signing_request_problem,
    ("certificates.k8s.io", "podcertificaterequests"): pod_certificate_problem,
    ("coordination.k8s.io", "leases"): _lease_problem,
    ("resource.k8s.io", "resourceslices"): _slice_problem,
    ("storage.k8s.io", "csinodes"): _csi_node_problem,
}
"""By group and plural, whichever version is written: why node and write do not fit, "" if they do."""
