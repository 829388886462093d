"""NodeUnschedulable: cordoned nodes take nobody who does not tolerate it."""

from __future__ import annotations

from wherry.objects.taints import tolerates_any
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Rejection
from wherry.scheduler.table import NodeTable

CORDON = ("node.kubernetes.io/unschedulable", "", "NoSchedule")


class NodeUnschedulable:
    """Rejects nodes with `spec.unschedulable`, unless the pod tolerates the taint that stands for it."""

    name = "NodeUnschedulable"

    def filter(self, pod: PodFacts, nodes: NodeTable) -> list[Rejection]:
        """See `FilterPlugin.filter`."""
        cordoned = nodes.unschedulable[: len(nodes)]
        if not cordoned.any() or tolerates_any(pod.tolerations, CORDON):
            return []
        return [Rejection(cordoned, "node(s) were unschedulable")]
