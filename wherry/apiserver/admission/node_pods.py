"""What a node may do to pods: tell how its own are, evict and delete them, and mirror its static ones.

Source: plugin/pkg/admission/noderestriction (admitPod, admitPodStatus, admitPodEviction).
"""

from __future__ import annotations

from wherry.api.core.nodes import NODES
from wherry.api.core.pod_spec.annotations import MIRROR
from wherry.api.core.pod_spec.references import api_reference
from wherry.apiserver.admission.base import CREATE, DELETE, UPDATE, Attributes
from wherry.objects.meta import Object, annotations_of, labels_of, uid_of


async def pod_problem(node: str, attributes: Attributes) -> str:
    """Why `node` must not make this write to a pod, "" if it may."""
    subresource, operation = attributes.subresource, attributes.operation
    if subresource == "eviction":
        why = f"node {node} can only evict pods with spec.nodeName set to itself"
        return _only_own(node, attributes.old, why)
    if subresource == "status":
        return _status_problem(node, attributes)
    if subresource:
        return f"unexpected pod subresource \"{subresource}\", only 'status' and 'eviction' are allowed"
    if operation == DELETE:
        why = f'node "{node}" can only delete pods with spec.nodeName set to itself'
        return _only_own(node, attributes.old, why)
    if operation == CREATE:
        return await _mirror_problem(node, attributes)
    return f'unexpected operation "{operation}", node "{node}" can only create and delete mirror pods'


def _only_own(node: str, pod: Object | None, why: str) -> str:
    return "" if ((pod or {}).get("spec") or {}).get("nodeName") == node else why


def _status_problem(node: str, attributes: Attributes) -> str:
    """The scheduler and the claim controller say in the status which claims the pod has: that opens them."""
    if attributes.operation != UPDATE:
        return f'unexpected operation "{attributes.operation}"'
    old, new = attributes.old or {}, attributes.obj or {}
    why = f'node "{node}" can only update pod status for pods with spec.nodeName set to itself'  # noqa: S608
    if why := _only_own(node, old, why):
        return why
    if labels_of(old) != labels_of(new):
        return f'node "{node}" cannot update labels through pod status'
    if _claims_told(old) != _claims_told(new):
        return f'node "{node}" cannot update resource claim statues'
    before, after = (pod.get("status") or {} for pod in (old, new))
    if (before.get("extendedResourceClaimStatus") or {}) != (after.get("extendedResourceClaimStatus") or {}):
        return f'node "{node}" cannot update extended resource claim status'
    return ""


def _claims_told(pod: Object) -> list[tuple[str, str | None]]:
    told = (pod.get("status") or {}).get("resourceClaimStatuses") or ()
    return [(entry.get("name") or "", entry.get("resourceClaimName")) for entry in told]


async def _mirror_problem(node: str, attributes: Attributes) -> str:
    """What a mirror pod must not have: an owner other than its node, or references to other objects."""
    pod = attributes.obj or {}
    if MIRROR not in annotations_of(pod):
        return f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods'
    can_only = f'node "{node}" can only create pods with'
    if why := _only_own(node, pod, f"{can_only} spec.nodeName set to itself"):
        return why
    owners = (pod.get("metadata") or {}).get("ownerReferences") or []
    if len(owners) > 1:
        return f"{can_only} a single owner reference set to itself"
    owner = owners[0] if owners else {}
    if (owner.get("apiVersion"), owner.get("kind"), owner.get("name")) != ("v1", "Node", node):
        return f"{can_only} an owner reference set to itself"
    if not owner.get("controller"):
        return f"{can_only} a controller owner reference set to itself"
    if owner.get("blockOwnerDeletion"):
        return f'node "{node}" must not set blockOwnerDeletion on an owner reference'
    found = await attributes.find(NODES, "", node)
    uid = uid_of(found) if found is not None else ""
    if owner.get("uid") != uid:
        return f"node {node} UID mismatch: expected {uid} got {owner.get('uid') or ''}"
    what = api_reference(pod)
    return f'node "{node}" can not create pods that reference {what}' if what else ""
