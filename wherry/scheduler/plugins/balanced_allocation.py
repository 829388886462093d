"""NodeResourcesBalancedAllocation: prefer nodes whose resources the pod makes fill up more evenly.

A node is the more even the smaller the standard deviation of the shares in use; a pod is scored by how much
more even it makes the node (`noderesources/balanced_allocation.go`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from wherry.scheduler.facts import PodFacts, Template
from wherry.scheduler.framework import TOP_SCORE, Plugin, Reach
from wherry.scheduler.interned import Bools, Ints, Rows
from wherry.scheduler.world import World

Floats = npt.NDArray[np.float64]
_PAIR = 2


class NodeResourcesBalancedAllocation(Plugin):
    """The more even the shares of `resources` in use become, the better."""

    name = "NodeResourcesBalancedAllocation"
    reach = Reach.NODE

    def __init__(self, resources: Sequence[str] = ("cpu", "memory")) -> None:
        self._resources = tuple(resources)

    def prepare(self, pod: PodFacts, world: World) -> Template | None:
        """See `Plugin.prepare`: pods that request nothing do not care."""
        template = pod.template
        return template if any(template.requests.get(name, 0) for name in self._resources) else None

    def score(self, state: Template, world: World, rows: Rows, feasible: Bools) -> Ints | None:
        """See `Plugin.score`: 50 to 100, the more the evener the node becomes."""
        nodes = world.nodes
        before, after, known = [], [], []
        for name in self._resources:
            wanted = state.requests.get(name, 0)
            if not wanted and name not in ("cpu", "memory", "ephemeral-storage"):
                continue
            total = nodes.resource(nodes.allocatable, name)[rows]
            used = nodes.resource(nodes.requested, name)[rows]
            has = np.maximum(total, 1)
            before.append(np.minimum(used / has, 1.0))
            after.append(np.minimum((used + wanted) / has, 1.0))
            known.append(total > 0)
        if len(known) < _PAIR:
            return None
        half = TOP_SCORE // 2
        found: Ints = half + (half + _evenness(after, known) - _evenness(before, known)) // 2
        return found


def _evenness(shares: Sequence[Floats], known: Sequence[Any]) -> Ints:
    """100 less the standard deviation of the shares (of resources the node has), in hundredths."""
    if len(shares) == _PAIR:
        deviation = np.abs(shares[0] - shares[1]) / 2 * (known[0] & known[1])
    else:
        mask = np.array(known)
        values = np.array(shares) * mask
        count = np.maximum(mask.sum(axis=0), 1)
        mean = values.sum(axis=0) / count
        deviation = np.sqrt((((values - mean) * mask) ** 2).sum(axis=0) / count)
    points: Ints = ((1.0 - deviation) * TOP_SCORE).astype(np.int64)
    return points
