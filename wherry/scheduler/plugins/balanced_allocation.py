"""NodeResourcesBalancedAllocation: prefer nodes whose CPU and memory fill up evenly.

With two resources the standard deviation of the used shares is half their distance; the score is
what is left of 100 after it.
"""

from __future__ import annotations

import numpy as np

from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import TOP_SCORE
from wherry.scheduler.table import Bools, Ints, NodeTable


class NodeResourcesBalancedAllocation:
    """The closer the shares of CPU and memory in use, the better."""

    name = "NodeResourcesBalancedAllocation"

    def score(self, pod: PodFacts, nodes: NodeTable, feasible: Bools) -> Ints | None:
        """See `ScorePlugin.score`; pods that request nothing do not care."""
        cpu, memory = pod.requests.get("cpu", 0), pod.requests.get("memory", 0)
        if not cpu and not memory:
            return None
        shares = []
        for name, wanted in (("cpu", cpu), ("memory", memory)):
            total = np.maximum(nodes.resource(nodes.allocatable, name), 1)
            shares.append(np.minimum((nodes.resource(nodes.requested, name) + wanted) / total, 1.0))
        deviation = np.abs(shares[0] - shares[1]) / 2
        score: Ints = ((1.0 - deviation) * TOP_SCORE).astype(np.int64)
        return score
