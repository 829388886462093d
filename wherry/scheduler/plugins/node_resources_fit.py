"""NodeResourcesFit: what the pod requests must be free; the emptiest node is liked best.

Filtering compares requests with what is allocatable and not yet requested, resource by resource.
Scoring is upstream's default, least allocated: the mean over CPU and memory of the free share after
the pod would have been placed.
"""

from __future__ import annotations

import numpy as np

from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import TOP_SCORE, Rejection
from wherry.scheduler.table import Bools, Ints, NodeTable


class NodeResourcesFit:
    """Fit by requests, preference by least allocation."""

    name = "NodeResourcesFit"

    def filter(self, pod: PodFacts, nodes: NodeTable) -> list[Rejection]:
        """See `FilterPlugin.filter`."""
        rejections = []
        allocatable = nodes.resource(nodes.allocatable, "pods")
        crowded: Bools = nodes.column(nodes.pod_count) + 1 > allocatable
        if crowded.any():
            rejections.append(Rejection(crowded, "Too many pods", resolvable=True))
        for name, wanted in pod.requests.items():
            if wanted == 0:
                continue
            total = nodes.resource(nodes.allocatable, name)
            short: Bools = wanted > total - nodes.resource(nodes.requested, name)
            if not short.any():
                continue
            # Where even an empty node would be too small, evicting others cannot help.
            hopeless: Bools = wanted > total
            for rows, resolvable in ((short & ~hopeless, True), (hopeless, False)):
                if rows.any():
                    rejections.append(Rejection(rows, f"Insufficient {name}", resolvable))
        return rejections

    def score(self, pod: PodFacts, nodes: NodeTable, feasible: Bools) -> Ints | None:
        """See `ScorePlugin.score`."""
        cpu = _free_share(
            nodes.resource(nodes.allocatable, "cpu"), nodes.column(nodes.score_cpu) + pod.score_cpu
        )
        memory = _free_share(
            nodes.resource(nodes.allocatable, "memory"),
            nodes.column(nodes.score_memory) + pod.score_memory,
        )
        mean: Ints = (cpu + memory) // 2
        return mean


def _free_share(total: Ints, used: Ints) -> Ints:
    """What is free after use, as 0 to 100 of the total; 0 where nothing is left or known."""
    free = np.maximum(total - used, 0)
    share: Ints = free * TOP_SCORE // np.maximum(total, 1)
    return share
