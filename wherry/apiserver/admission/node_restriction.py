"""NodeRestriction: a kubelet writes its own Node, its own pods' status, and nobody else's."""

from __future__ import annotations

from wherry.api.coordination.leases import LEASES
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CREATE, DELETE, UPDATE, Attributes, BasePlugin
from wherry.objects.errors import ApiError, forbidden
from wherry.objects.meta import Object, annotations_of, labels_of, uid_of

MIRROR = "kubernetes.io/config.mirror"
RESTRICTED_LABEL_DOMAIN = "node-restriction.kubernetes.io"


class NodeRestriction(BasePlugin):
    """See the module."""

    name = "NodeRestriction"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        if resource is SERVICE_ACCOUNTS:
            return subresource == "token"
        return resource in (PODS, NODES, LEASES)

    async def admit(self, attributes: Attributes) -> None:
        node = attributes.user.node_name
        if not node:
            return
        why = ""
        if attributes.resource is PODS:
            why = _pod_problem(node, attributes)
        elif attributes.resource is NODES:
            why = _node_problem(node, attributes)
        elif attributes.resource is LEASES:
            if (attributes.namespace, attributes.name) != ("kube-node-lease", node):
                why = "can only access node lease with the same name as the requesting node"
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


def _only_own(node: str, pod: Object | None, why: str) -> str:
    return "" if ((pod or {}).get("spec") or {}).get("nodeName") == node else why


def _node_problem(node: str, attributes: Attributes) -> str:
    if attributes.name != node:
        return f'node "{node}" is not allowed to modify node "{attributes.name}"'
    if attributes.operation == CREATE:
        labels = [label for label in labels_of(attributes.obj or {}) if _is_restricted(label)]
        return (
            f'node "{node}" is not allowed to set the following labels: {", ".join(labels)}' if labels else ""
        )
    if attributes.operation == UPDATE:
        old, new = attributes.old or {}, attributes.obj or {}
        if not attributes.subresource and (old.get("spec") or {}).get("taints") != (
            (new.get("spec") or {}).get("taints")
        ):
            return f'node "{node}" is not allowed to modify taints'
        before, after = labels_of(old), labels_of(new)
        changed = sorted(
            label
            for label in {*before, *after}
            if _is_restricted(label) and before.get(label) != after.get(label)
        )
        if changed:
            return f"is not allowed to modify labels: {', '.join(changed)}"
    return ""


def _is_restricted(label: str) -> bool:
    domain = label.partition("/")[0]
    return domain == RESTRICTED_LABEL_DOMAIN or domain.endswith(f".{RESTRICTED_LABEL_DOMAIN}")


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
    return _only_own(node, pod, "node requested token bound to a pod scheduled on a different node")
