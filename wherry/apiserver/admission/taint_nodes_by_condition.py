"""TaintNodesByCondition: no pod is put on a new node before somebody has seen that it is ready.

The node controller takes the taint off again once the node's conditions say so.
"""

from __future__ import annotations

from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CREATE, Attributes, BasePlugin

NOT_READY, EFFECT = "node.kubernetes.io/not-ready", "NoSchedule"


class TaintNodesByCondition(BasePlugin):
    """See the module."""

    name = "TaintNodesByCondition"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        return (resource.group, resource.plural) == ("", "nodes") and not subresource and operation == CREATE

    async def admit(self, attributes: Attributes) -> None:
        if attributes.obj is None:
            return
        spec = attributes.obj.setdefault("spec", {})
        taints = spec.get("taints") or []
        if not any(taint.get("key") == NOT_READY and taint.get("effect") == EFFECT for taint in taints):
            spec["taints"] = [*taints, {"key": NOT_READY, "effect": EFFECT}]
