"""NodeUnschedulable: cordoned nodes take nobody who does not tolerate it."""

from __future__ import annotations

from typing import Any

from wherry.objects.taints import tolerates_any
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Kind, Plugin, Rejection
from wherry.scheduler.interned import Bools, Rows
from wherry.scheduler.world import World

CORDON = ("node.kubernetes.io/unschedulable", "", "NoSchedule")


class NodeUnschedulable(Plugin):
    """Rejects nodes with `spec.unschedulable`, unless the pod tolerates the taint that stands for it."""

    name = "NodeUnschedulable"
    changes = frozenset({Kind.NODE})

    def prepare(self, pod: PodFacts, world: World) -> Any:
        """See `Plugin.prepare`: the cordoned rows."""
        cordoned = world.nodes.unschedulable[: len(world.nodes)]
        if not cordoned.any() or tolerates_any(pod.template.tolerations, CORDON):
            return None
        return cordoned.copy()

    def filter(self, state: Bools, world: World, rows: Rows) -> list[Rejection]:
        """See `Plugin.filter`."""
        return [Rejection(state[rows], "node(s) were unschedulable")]
