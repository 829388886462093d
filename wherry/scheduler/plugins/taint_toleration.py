"""TaintToleration: taints keep pods away that do not tolerate them, or make a node less liked."""

from __future__ import annotations

import numpy as np

from wherry.objects.taints import Taint, tolerates_any
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Rejection, scaled
from wherry.scheduler.table import Bools, Ints, NodeTable

HARD_EFFECTS = ("NoSchedule", "NoExecute")


class TaintToleration:
    """Decides once per distinct set of taints, then looks the answer up for every node."""

    name = "TaintToleration"

    def filter(self, pod: PodFacts, nodes: NodeTable) -> list[Rejection]:
        """See `FilterPlugin.filter`."""
        out = [
            any(taint[2] in HARD_EFFECTS and not tolerates_any(pod.tolerations, taint) for taint in taints)
            for taints in map(_known, nodes.taints.values)
        ]
        if not any(out):
            return []
        codes = nodes.column(nodes.taints.codes)
        rows: Bools = np.array([*out, False])[codes]  # an absent code is -1: the last answer
        return [Rejection(rows, "node(s) had untolerated taint(s)")]

    def score(self, pod: PodFacts, nodes: NodeTable, feasible: Bools) -> Ints | None:
        """See `ScorePlugin.score`: fewer untolerated PreferNoSchedule taints are better."""
        counts = [_untolerated_soft(pod, taints) for taints in map(_known, nodes.taints.values)]
        if not any(counts):
            return None
        codes = nodes.column(nodes.taints.codes)
        raw: Ints = np.array([*counts, 0], dtype=np.int64)[codes]
        return scaled(raw, feasible, reverse=True)


def _known(taints: tuple[Taint, ...] | None) -> tuple[Taint, ...]:
    """The taints of a code; a free code (None) has none."""
    return taints or ()


def _untolerated_soft(pod: PodFacts, taints: tuple[Taint, ...]) -> int:
    soft = [t for t in pod.tolerations if t.get("effect") in (None, "", "PreferNoSchedule")]
    return sum(taint[2] == "PreferNoSchedule" and not tolerates_any(soft, taint) for taint in taints)
