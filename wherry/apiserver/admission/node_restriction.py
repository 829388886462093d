"""NodeRestriction: a kubelet writes its own Node, its own pods' status, and nobody else's.

What a node may read follows from the pods bound to it, so it must not make pods that refer to anything;
and where pods go follows from labels, so it gives itself only those that tell what it is.
"""

from __future__ import annotations

from wherry.api.coordination.leases import LEASES
from wherry.api.core.node_labels import is_closed_label
from wherry.api.core.nodes import NODES
from wherry.api.core.pod_spec.annotations import MIRROR
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.resource import Resource
from wherry.api.storage.csi_nodes import CSI_NODES
from wherry.apiserver.admission.base import CREATE, DELETE, UPDATE, Attributes, BasePlugin
from wherry.apiserver.authorization.node import claim_names, config_map_names, secret_names
from wherry.apiserver.request import RequestInfo
from wherry.objects.errors import ApiError, forbidden
from wherry.objects.meta import Object, annotations_of, labels_of, uid_of

ANY_AUDIENCE = "request-serviceaccounts-token-audience"


class NodeRestriction(BasePlugin):
    """See the module."""

    name = "NodeRestriction"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        if resource is SERVICE_ACCOUNTS:
            return subresource == "token"
        return resource in (PODS, NODES, LEASES, CSI_NODES)

    async def admit(self, attributes: Attributes) -> None:
        node = attributes.user.node_name
        if not node:
            return
        why = ""
        if attributes.resource is PODS:
            why = _pod_problem(node, attributes)
            if not why and attributes.operation == CREATE and not attributes.subresource:
                why = await _mirror_problem(node, attributes)
        elif attributes.resource is NODES:
            why = _node_problem(node, attributes)
        elif attributes.resource is LEASES:
            if (attributes.namespace, attributes.name) != ("kube-node-lease", node):
                why = "can only access node lease with the same name as the requesting node"
        elif attributes.resource is CSI_NODES:
            if attributes.name != node:
                why = "can only access CSINode with the same name as the requesting node"
        else:
            why = _token_problem(node, attributes)
        if why:
            raise _refused(attributes, why)


def _refused(attributes: Attributes, why: str) -> ApiError:
    resource = attributes.resource
    return forbidden(resource.plural, resource.group, attributes.name, why)


def _pod_problem(node: str, attributes: Attributes) -> str:
    old, new = attributes.old, attributes.obj
    if attributes.subresource == "eviction":
        return _only_own(node, old, f'node "{node}" can only evict pods with spec.nodeName set to itself')
    if attributes.subresource == "status":
        why = f'node "{node}" can only update pod status for pods with spec.nodeName set to itself'  # noqa: S608
        if not _only_own(node, old, why) and labels_of(old or {}) != labels_of(new or {}):
            return f'node "{node}" cannot update labels through pod status'
        return _only_own(node, old, why)
    if attributes.operation == DELETE:
        return _only_own(node, old, f'node "{node}" can only delete pods with spec.nodeName set to itself')
    if attributes.operation == CREATE:
        if new is None or MIRROR not in annotations_of(new):
            return f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods'
        return _only_own(node, new, f'node "{node}" can only create pods with spec.nodeName set to itself')
    return f'unexpected operation "{attributes.operation}"'


async def _mirror_problem(node: str, attributes: Attributes) -> str:
    """What a mirror pod must not have: an owner other than its node, or references to other objects."""
    pod = attributes.obj or {}
    spec, can_only = pod.get("spec") or {}, f'node "{node}" can only create pods with'
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
    served = attributes.core.registry.of(NODES)
    await served.source.open()
    cached = served.get("", node)
    uid = uid_of(cached.decode()) if cached is not None else ""
    if owner.get("uid") != uid:
        return f"node {node} UID mismatch: expected {uid} got {owner.get('uid') or ''}"
    referred: dict[str, set[str]] = {
        "a service account": {str(spec.get(f) or "") for f in ("serviceAccountName", "serviceAccount")},
        "secrets": secret_names(pod),
        "configmaps": config_map_names(pod),
        "persistentvolumeclaims": claim_names(pod),
        "resourceclaims": {str(claim.get("name")) for claim in spec.get("resourceClaims") or ()},
    }
    what = next((kind for kind, names in referred.items() if names - {""}), "")
    return f'node "{node}" can not create pods that reference {what}' if what else ""


def _only_own(node: str, pod: Object | None, why: str) -> str:
    return "" if ((pod or {}).get("spec") or {}).get("nodeName") == node else why


def _node_problem(node: str, attributes: Attributes) -> str:
    if attributes.name != node:
        return f'node "{node}" is not allowed to modify node "{attributes.name}"'
    if attributes.operation == CREATE:
        labels = sorted(filter(is_closed_label, labels_of(attributes.obj or {})))
        return (
            f'node "{node}" is not allowed to set the following labels: {", ".join(labels)}' if labels else ""
        )
    if attributes.operation == UPDATE:
        old, new = attributes.old or {}, attributes.obj or {}
        if not attributes.subresource and (old.get("spec") or {}).get("taints") != (
            (new.get("spec") or {}).get("taints")
        ):
            return f'node "{node}" is not allowed to modify taints'
        owners, wanted = (item.get("metadata", {}).get("ownerReferences") for item in (old, new))
        if (owners or []) != (wanted or []):
            return f'node "{node}" is not allowed to modify ownerReferences'
        before, after = labels_of(old), labels_of(new)
        changed = sorted(
            label
            for label in {*before, *after}
            if is_closed_label(label) and before.get(label) != after.get(label)
        )
        if changed:
            return f"is not allowed to modify labels: {', '.join(changed)}"
    return ""


def _token_problem(node: str, attributes: Attributes) -> str:
    request = attributes.obj or {}
    bound = (request.get("spec") or {}).get("boundObjectRef") or {}
    if bound.get("kind") != "Pod" or bound.get("apiVersion", "v1") != "v1":
        return "node requested token not bound to a pod"
    if not bound.get("uid"):
        return "node requested token with a pod binding without a uid"
    cached = attributes.core.registry.of(PODS).get(attributes.namespace, bound.get("name", ""))
    pod = cached.decode() if cached is not None else {}
    if uid_of(pod) != bound["uid"]:
        return f"the UID in the bound object reference ({bound['uid']}) does not match the UID in record"
    why = _only_own(node, pod, "node requested token bound to a pod scheduled on a different node")
    return why or _audience_problem(pod, attributes)


def _audience_problem(pod: Object, attributes: Attributes) -> str:
    """A token made for somebody the pod has no token for would let the node act as the pod there."""
    asked = ((attributes.obj or {}).get("spec") or {}).get("audiences") or []
    own = attributes.core.authenticator.audiences
    if len(asked) > 1:
        return "node may only request 0 or 1 audiences"
    audience = asked[0] if asked and asked[0] not in own else ""
    sources = (
        source.get("serviceAccountToken")
        for volume in (pod.get("spec") or {}).get("volumes") or ()
        for source in (volume.get("projected") or {}).get("sources") or ()
    )
    for source in sources:
        named = (source or {}).get("audience") or ""
        if source is not None and audience == ("" if named in own else named):
            return ""
    info = RequestInfo(ANY_AUDIENCE, "", True, "", "", attributes.namespace, audience, attributes.name)
    if attributes.core.authorizer.decide(attributes.user, info).allowed:
        return ""
    return f'audience "{audience}" not found in pod spec volume'
