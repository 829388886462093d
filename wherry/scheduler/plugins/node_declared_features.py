"""NodeDeclaredFeatures: pods that need something not every kubelet can do go where the node says it can
(`nodedeclaredfeatures/nodedeclaredfeatures.go`).
"""

from __future__ import annotations

import numpy as np

from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Kind, Plugin, Rejection
from wherry.scheduler.interned import Bools, Rows
from wherry.scheduler.world import World

NOT_DECLARED = "node(s) didn't match Pod's required features"


class NodeDeclaredFeatures(Plugin):
    """Rejects nodes whose `status.declaredFeatures` lack what the pod needs."""

    name = "NodeDeclaredFeatures"
    changes = frozenset({Kind.NODE})

    def prepare(self, pod: PodFacts, world: World) -> Bools | None:
        """See `Plugin.prepare`: the rows that lack something."""
        needed = pod.template.features
        if not needed:
            return None
        declared = ((node.get("status") or {}).get("declaredFeatures") or () for node in world.nodes.objects)
        return np.array([not needed <= set(features) for features in declared], dtype=np.bool_)

    def filter(self, state: Bools, world: World, rows: Rows) -> list[Rejection]:
        """See `Plugin.filter`."""
        return [Rejection(state[rows], NOT_DECLARED)]
