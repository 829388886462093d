"""NodeName: a pod that names its node goes there or nowhere."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Kind, Plugin, Rejection
from wherry.scheduler.interned import Bools, Rows
from wherry.scheduler.world import World


class NodeName(Plugin):
    """Rejects every node but the one in `spec.nodeName`, if that is set."""

    name = "NodeName"
    changes = frozenset({Kind.NODE})

    def prepare(self, pod: PodFacts, world: World) -> Bools | None:
        """See `Plugin.prepare`: the other rows."""
        if not pod.node_name:
            return None
        others = np.ones(len(world.nodes), dtype=np.bool_)
        row = world.nodes.row_of.get(pod.node_name)
        if row is not None:
            others[row] = False
        return others

    def filter(self, state: Bools, world: World, rows: Rows) -> list[Rejection]:
        """See `Plugin.filter`."""
        return [Rejection(state[rows], "node(s) didn't match the requested node name")]

    def signature(self, pod: PodFacts) -> Hashable:
        """See `Plugin.signature`."""
        return pod.node_name
