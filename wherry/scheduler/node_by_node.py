"""Plug-ins that look at one node after the other: `NodeByNode`, the easy way to write one.

What NumPy does for all nodes at once is a call per node here: for thousands of them `Plugin` is better.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from wherry.objects.meta import Object, annotations_of
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Kind, Plugin, Rejection
from wherry.scheduler.interned import Bools, Ints, Rows
from wherry.scheduler.world import World


class NodeByNode(Plugin):
    """A plug-in that overrides `rejects`, `points`, or both.

    Answers may depend on the pod's spec, labels and annotations, and on the node's spec, labels and
    allocatable resources: they are kept until one of these changes. Neither object may be changed.
    """

    changes = frozenset({Kind.NODE})

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.rejects is NodeByNode.rejects:
            cls.filter = Plugin.filter  # type: ignore[method-assign]  # so that it has nothing to say
        if cls.points is NodeByNode.points:
            cls.score = Plugin.score  # type: ignore[method-assign]

    def rejects(self, pod: Object, node: Object) -> str:
        """Why the node cannot take the pod, "" if it can: "node(s) were ..."."""
        return ""

    def points(self, pod: Object, node: Object) -> int:
        """0 to 100 for a node that can take the pod, the higher the better."""
        return 0

    def prepare(self, pod: PodFacts, world: World) -> Any:
        """See `Plugin.prepare`: the pod as an object."""
        return pod.pod

    def filter(self, state: Object, world: World, rows: Rows) -> list[Rejection]:
        """See `Plugin.filter`."""
        reasons = [self.rejects(state, node) for node in self._nodes(world, rows)]
        return [
            Rejection(np.array([reason == one for reason in reasons], dtype=np.bool_), one)
            for one in dict.fromkeys(reasons)
            if one
        ]

    def score(self, state: Object, world: World, rows: Rows, feasible: Bools) -> Ints | None:
        """See `Plugin.score`."""
        asked = np.arange(len(world.nodes))[rows]
        objects = world.nodes.objects
        return np.array(
            [self.points(state, objects[row]) if feasible[row] else 0 for row in map(int, asked)],
            dtype=np.int64,
        )

    def signature(self, pod: PodFacts) -> Hashable:
        """See `Plugin.signature`: annotations are no part of a template."""
        return tuple(sorted(annotations_of(pod.pod).items()))

    def _nodes(self, world: World, rows: Rows) -> list[Object]:
        objects = world.nodes.objects
        return objects[rows] if isinstance(rows, slice) else [objects[row] for row in map(int, rows)]
