"""What a decision was made of (`Trace`), and the words for it.

Of every node it keeps by which reasons each plugin rejected it, and of every scoring plugin the points it
gave; the messages are upstream's (pkg/scheduler/framework/types.go, FitError). A node that several plugins
reject is counted under the first of them, as upstream does, whose nodes run through the filters until one
says no; but a plugin may name several reasons for one node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from wherry.scheduler.framework import Refusal
from wherry.scheduler.interned import Bools, Ints

MOST_REASONS = 62
"""Of one plugin: the bits of a word, less the sign and one for whatever is more."""

NO_NODES = "no nodes available to schedule pods"
NO_VICTIMS = "No preemption victims found for incoming pod"
NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_CLAIMS = "no new claims to deallocate"
"""What upstream's DynamicResources says when no claim stands in the way."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a plugin rejects nodes; see `framework.Rejection`."""

    text: str
    resolvable: bool


@dataclass(frozen=True, slots=True)
class Trace:
    """One decision about one pod, row by row.

    `blocked[i]` are the bits of plugin `filters[i]`: bit `b` set on a row means it was rejected for
    `reasons[i][b]`. `scores[i]` are the points of `scorers[i]`, 0 to 100, which count `weights[i]`-fold.
    """

    nodes: Sequence[str]
    filters: Sequence[str] = ()
    reasons: Sequence[Sequence[Reason]] = ()
    blocked: Ints = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    scorers: Sequence[str] = ()
    weights: Sequence[int] = ()
    scores: npt.NDArray[Any] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    refusal: Refusal | None = None
    refused_by: str = ""
    rescue: str = NO_CLAIMS
    """What came of other help than preemption."""
    chosen: str = ""
    """The node the pod went to, "" for none."""

    def first_rejections(self) -> list[tuple[int, Bools, Ints]]:
        """(plugin, the rows it was the first to reject, its bits on all rows), in the plugins' order."""
        found = []
        left = np.ones(len(self.nodes), dtype=np.bool_)
        for index in range(len(self.filters)):
            bits = self.blocked[index]
            rows = (bits != 0) & left
            if rows.any():
                found.append((index, rows, bits))
                left &= ~rows
        return found

    def rejecting(self) -> tuple[str, ...]:
        """The plugins without which the pod might fit somewhere (upstream's UnschedulablePlugins)."""
        if self.refusal is not None:
            return (self.refused_by,)
        return tuple(self.filters[index] for index, _, _ in self.first_rejections())

    def counted(self) -> Counter[str]:
        """How many nodes each reason was given for."""
        counts: Counter[str] = Counter()
        if self.refusal is not None and self.refusal.of_each_node:
            counts[self.refusal.reason] = len(self.nodes)
        for index, rows, bits in self.first_rejections():
            for bit, reason in enumerate(self.reasons[index]):
                counts[reason.text] += int(np.count_nonzero(bits[rows] & (1 << bit)))
        return +counts

    def resolvable_rows(self) -> Bools:
        """The rows where evicting pods may help: no reason of the first plugin to say no forbids it."""
        found = np.zeros(len(self.nodes), dtype=np.bool_)
        for index, rows, bits in self.first_rejections():
            hard = sum(1 << bit for bit, reason in enumerate(self.reasons[index]) if not reason.resolvable)
            found |= rows & ((bits & hard) == 0)
        return found

    def message(self, preemption: str = "") -> str:
        """The text of FailedScheduling and of the PodScheduled condition.

        `preemption` is what came of trying to evict others, "" if room is being made.
        """
        count = len(self.nodes)
        if count == 0:
            return NO_NODES
        start = f"0/{count} nodes are available"
        if self.refusal is not None and not self.refusal.of_each_node:
            listed = self.refusal.reason
        else:
            listed = listing(self.counted())
        tail = f" {self.rescue}, preemption: {preemption}" if preemption else ""
        return f"{start}: {listed}.{tail}"


@dataclass(slots=True)
class Record:
    """What a `Trace` is made from, which is less if few nodes were looked at: those of `rows`, None for all.

    The fields are those of `Trace`; columns are of the nodes that were looked at.
    """

    nodes: Sequence[str]
    rows: Ints | None
    narrowed_by: Sequence[str]
    """The plugins by which the others were left out."""
    filters: Sequence[str]
    reasons: Sequence[Sequence[Reason]]
    blocked: Ints | None
    """None if nothing is."""
    scorers: Sequence[str]
    weights: Sequence[int]
    scores: npt.NDArray[np.int8]
    refusal: Refusal | None
    refused_by: str
    chosen: str

    def trace(self) -> Trace:
        """The answers for every node; those that were not looked at are out before any filter runs."""
        filters, reasons, blocked, scores = self.filters, self.reasons, self.blocked, self.scores
        count = len(self.nodes)
        if blocked is None:
            blocked = np.zeros((len(filters), count), dtype=np.int64)
        elif self.rows is not None:
            of_rows, blocked = blocked, np.zeros((len(filters) + 1, count), dtype=np.int64)
            blocked[0] = 1
            blocked[0, self.rows] = 0
            blocked[1:, self.rows] = of_rows
            scores = np.zeros((len(self.scorers), count), dtype=np.int8)
            scores[:, self.rows] = self.scores
            text = f"node(s) didn't satisfy plugin(s) [{' '.join(sorted(self.narrowed_by))}]"
            filters = [self.narrowed_by[0], *filters]
            reasons = [[Reason(text, resolvable=False)], *reasons]
        return Trace(
            nodes=self.nodes,
            filters=filters,
            reasons=reasons,
            blocked=blocked,
            scorers=self.scorers,
            weights=self.weights,
            scores=scores,
            refusal=self.refusal,
            refused_by=self.refused_by,
            chosen=self.chosen,
        )


def listing(counts: Counter[str]) -> str:
    """Reasons with the number of nodes each holds for, in upstream's order."""
    return ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))


def preemption_text(nodes: int, reasons: Counter[str]) -> str:
    """What came of preemption that found nobody to evict; nodes without a reason were not looked at."""
    counts = +reasons
    rest = nodes - sum(counts.values())
    if rest > 0:
        counts[NOT_HELPFUL] += rest
    return f"0/{nodes} nodes are available: {listing(counts)}."
