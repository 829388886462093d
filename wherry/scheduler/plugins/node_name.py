"""NodeName: a pod that names its node goes there or nowhere."""

from __future__ import annotations

import numpy as np

from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Rejection
from wherry.scheduler.table import NodeTable


class NodeName:
    """Rejects every node but the one in `spec.nodeName`, if that is set."""

    name = "NodeName"

    def filter(self, pod: PodFacts, nodes: NodeTable) -> list[Rejection]:
        """See `FilterPlugin.filter`."""
        if not pod.node_name:
            return []
        others = np.ones(len(nodes), dtype=np.bool_)
        row = nodes.row_of.get(pod.node_name)
        if row is not None:
            others[row] = False
        return [Rejection(others, "node(s) didn't match the requested node name")]
