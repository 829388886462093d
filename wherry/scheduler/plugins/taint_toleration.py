"""TaintToleration: taints keep pods away that do not tolerate them, or make a node less liked."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Kind, Plugin, Rejection, scaled
from wherry.scheduler.interned import Bools, Ints, Rows
from wherry.scheduler.matching import soft_taints, untolerated_rows
from wherry.scheduler.world import World


class _Taints(NamedTuple):
    """The rows the pod is kept from, and how many soft taints each row has that it does not tolerate."""

    out: Bools | None
    soft: Ints | None


class TaintToleration(Plugin):
    """Decides once per distinct set of taints."""

    name = "TaintToleration"
    scales = True
    changes = frozenset({Kind.NODE})

    def prepare(self, pod: PodFacts, world: World) -> _Taints | None:
        """See `Plugin.prepare`."""
        if world.nodes.taints.is_empty:
            return None
        tolerations = pod.template.tolerations
        found = _Taints(untolerated_rows(world.nodes, tolerations), soft_taints(world.nodes, tolerations))
        return None if found.out is None and found.soft is None else found

    def filter(self, state: _Taints, world: World, rows: Rows) -> list[Rejection]:
        """See `Plugin.filter`."""
        return [] if state.out is None else [Rejection(state.out[rows], "node(s) had untolerated taint(s)")]

    def score(self, state: _Taints, world: World, rows: Rows, feasible: Bools) -> Ints | None:
        """See `Plugin.score`: fewer untolerated PreferNoSchedule taints are better."""
        soft = np.zeros(len(feasible), dtype=np.int64) if state.soft is None else state.soft
        return scaled(soft, feasible, reverse=True)
