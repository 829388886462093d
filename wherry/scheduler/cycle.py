"""The decision for one pod: filter all nodes, score what is left, take the best. Pure.

A node that several plugins would reject is counted under the first one, as upstream does (each node
runs through the filters until one says no), but resources name every shortage of theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np

from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import FilterPlugin, Refusal, ScorePlugin
from wherry.scheduler.table import Bools, Ints, NodeTable

NO_NODES = "no nodes available to schedule pods"


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a pod goes; without a node, `reasons` counts the nodes per reason.

    `resolvable` counts the nodes where evicting pods could have helped.
    """

    node: str = ""
    nodes: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    resolvable: int = 0
    refusal: str = ""
    """Why no node can take the pod, whatever it is."""

    def message(self) -> str:
        """The text of FailedScheduling and of the PodScheduled condition, in upstream's words."""
        if self.nodes == 0:
            return NO_NODES
        listed = self.refusal or ", ".join(
            sorted(f"{count} {reason}" for reason, count in self.reasons.items())
        )
        helpless = self.nodes - self.resolvable
        parts = {
            "No preemption victims found for incoming pod": self.resolvable,
            "Preemption is not helpful for scheduling": helpless,
        }
        preemption = ", ".join(f"{count} {text}" for text, count in parts.items() if count)
        if self.refusal:
            preemption = "Preemption is not helpful for scheduling"
        start = f"0/{self.nodes} nodes are available"
        return f"{start}: {listed}. no new claims to deallocate, preemption: {start}: {preemption}."


def refused(refusal: Refusal, nodes: int) -> Decision:
    """The decision about a pod that none of the `nodes` can take."""
    if refusal.of_each_node:
        return Decision(nodes=nodes, reasons=Counter({refusal.reason: nodes}))
    return Decision(nodes=nodes, refusal=refusal.reason)


def decide(
    pod: PodFacts,
    nodes: NodeTable,
    filters: Sequence[FilterPlugin],
    scores: Sequence[tuple[ScorePlugin, int]],
    random: Random,
) -> Decision:
    """The best node for `pod`; ties are broken by `random`, as upstream does."""
    count = len(nodes)
    if count == 0:
        return Decision()
    feasible: Bools = np.ones(count, dtype=np.bool_)
    reasons: Counter[str] = Counter()
    resolvable: Bools = np.zeros(count, dtype=np.bool_)
    for plugin in filters:
        rejected = np.zeros(count, dtype=np.bool_)
        helpless = np.zeros(count, dtype=np.bool_)
        for rejection in plugin.filter(pod, nodes):
            rows = rejection.rows & feasible
            reasons[rejection.reason] += int(rows.sum())
            rejected |= rows
            if not rejection.resolvable:
                helpless |= rows
        resolvable |= rejected & ~helpless
        feasible &= ~rejected
        if not feasible.any():
            return Decision("", count, +reasons, int(resolvable.sum()))
    return Decision(nodes.names[_best_row(pod, nodes, feasible, scores, random)], count)


def _best_row(
    pod: PodFacts,
    nodes: NodeTable,
    feasible: Bools,
    scores: Sequence[tuple[ScorePlugin, int]],
    random: Random,
) -> int:
    candidates = np.flatnonzero(feasible)
    if len(candidates) == 1:
        return int(candidates[0])
    total: Ints = np.zeros(len(nodes), dtype=np.int64)
    for plugin, weight in scores:
        points = plugin.score(pod, nodes, feasible)
        if points is not None:
            total += weight * points
    best = candidates[total[candidates] == total[candidates].max()]
    return int(best[random.randrange(len(best))])
