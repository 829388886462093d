"""PodTopologyLabels: a pod knows the zone and region of the node it is put on, by labels of its own."""

from __future__ import annotations

from collections.abc import Mapping

from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CREATE, Attributes, BasePlugin
from wherry.objects.meta import labels_of

COPIED = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone")


class PodTopologyLabels(BasePlugin):
    """See the module."""

    name = "PodTopologyLabels"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        return resource is PODS and subresource in ("", "binding") and operation == CREATE

    async def admit(self, attributes: Attributes) -> None:
        obj = attributes.obj
        if obj is None:
            return
        if attributes.subresource:
            target = obj.get("target") or {}
            node = target.get("name") if target.get("kind") in (None, "", "Node") else None
        else:
            node = (obj.get("spec") or {}).get("nodeName")
        labels = _topology(attributes, node) if node else {}
        if labels:
            obj["metadata"]["labels"] = {**labels, **labels_of(obj)}


def _topology(attributes: Attributes, node: str) -> Mapping[str, str]:
    cached = attributes.core.registry.of(NODES).get("", node)
    if cached is None:
        return {}
    return {key: cached.labels[key] for key in COPIED if key in cached.labels}
