"""What the plugins say of a pod on every node, kept up to date as pods come and go (`Evaluation`). Pure.

Pods that ask for the same get the same answers (upstream's opportunistic batching, KEP-5598): the first of
them pays for filtering and scoring all nodes, for the others only what changed since is asked again. As the
counts behind spreading and affinity are columns too, these pods share answers like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import numpy as np

from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Plugin, Reach, Refusal, every, overrides
from wherry.scheduler.interned import Bools, Ints, Rows
from wherry.scheduler.profiles import Profile
from wherry.scheduler.trace import Reason, Trace
from wherry.scheduler.world import Step, World

MOST_STEPS = 16
"""Further behind, it is cheaper to ask everything again."""


class _Part:
    """One plugin with what it remembers of the pod, and where its answers are."""

    __slots__ = ("filters", "plugin", "reasons", "state", "weight")

    def __init__(self, plugin: Plugin, state: Any, weight: int, *, filters: bool) -> None:
        self.plugin = plugin
        self.state = state
        self.weight = weight
        self.filters = filters
        self.reasons: list[Reason] = []

    def bit(self, text: str, resolvable: bool) -> int:
        """The bit of a reason."""
        reason = Reason(text, resolvable)
        if reason not in self.reasons:
            if len(self.reasons) == 62:
                return 62
            self.reasons.append(reason)
        return self.reasons.index(reason)


class Evaluation:
    """The answers of a profile about pods like `pod`, as of `world.moment`."""

    def __init__(self, profile: Profile, pod: PodFacts, world: World) -> None:
        self._profile = profile
        self._world = world
        self.pod = pod
        self.era = world.era
        self.moment = world.moment
        self.refusal: Refusal | None = None
        self.refused_by = ""
        self._count = len(world.nodes)
        parts = self._prepared()
        self._filters = [part for part in parts if part.filters]
        self._scorers = [part for part in parts if part.weight]
        self._weights = np.array([part.weight for part in self._scorers], dtype=np.int64)
        self._blocked = np.zeros((len(self._filters) + 1, self._count), dtype=np.int64)
        self._scores = np.zeros((len(self._scorers), self._count), dtype=np.int64)
        self.feasible: Bools = np.ones(self._count, dtype=np.bool_)
        self._ranked: Ints = np.zeros(self._count, dtype=np.int64)
        """The total of feasible rows, -1 of others."""
        self._narrowed_by: list[str] = []
        self._narrow(parts)
        if self.refusal is None and self._count:
            self._ask_all()

    def _prepared(self) -> list[_Part]:
        parts = []
        for chosen in self._profile.chosen:
            plugin = chosen.plugin
            state = plugin.prepare(self.pod, self._world)
            if isinstance(state, Refusal):
                if chosen.filters and self.refusal is None:
                    self.refusal, self.refused_by = state, plugin.name
                continue
            if state is None:
                continue
            filters = chosen.filters and overrides(plugin, "filter")
            weight = chosen.weight if overrides(plugin, "score") else 0
            if filters or weight:
                parts.append(_Part(plugin, state, weight, filters=filters))
        return parts

    def _narrow(self, parts: Sequence[_Part]) -> None:
        """Put aside the rows that are not looked at (the last line of `_blocked`)."""
        for part in parts:
            rows = part.plugin.only(part.state, self._world) if part.filters else None
            if rows is not None:
                self._narrowed_by.append(part.plugin.name)
                self._blocked[-1] |= ~rows

    def _ask_all(self) -> None:
        rows = every(self._world)
        for index in range(len(self._filters)):
            self._filter(index, rows)
        self._join(rows)
        for index in range(len(self._scorers)):
            self._score(index, rows)
        self._rank(rows)

    def _filter(self, index: int, rows: Rows) -> None:
        part = self._filters[index]
        bits: Any = 0
        for rejection in part.plugin.filter(part.state, self._world, rows):
            bit = part.bit(rejection.reason, rejection.resolvable)
            bits = bits | (rejection.rows.astype(np.int64) << bit)
        self._blocked[index, rows] = bits

    def _join(self, rows: Rows) -> None:
        self.feasible[rows] = ~self._blocked[:, rows].any(axis=0)

    def _score(self, index: int, rows: Rows) -> None:
        part = self._scorers[index]
        points = part.plugin.score(part.state, self._world, rows, self.feasible)
        self._scores[index, rows] = 0 if points is None else points

    def _rank(self, rows: Rows) -> None:
        total = self._weights @ self._scores[:, rows]
        self._ranked[rows] = np.where(self.feasible[rows], total, -1)

    def catch_up(self) -> bool:
        """Take in what happened since; False if it is too much, and a new evaluation is needed."""
        world = self._world
        if self.era != world.era:
            return False
        if self.moment == world.moment:
            return True
        if world.moment - self.moment > MOST_STEPS or self.refusal is not None:
            return False
        steps = world.steps_since(self.moment)
        if steps is None:
            return False
        self._take(list(steps))
        self.moment = world.moment
        return True

    def _take(self, steps: Sequence[Step]) -> None:
        rows = np.array(sorted({step.row for step in steps}), dtype=np.int64)
        moved = {
            part.plugin.name: self._shift(part, steps)
            for part in {id(part): part for part in (*self._filters, *self._scorers)}.values()
            if part.plugin.reach is Reach.CLUSTER
        }
        everything = every(self._world)
        before = self.feasible[rows]
        is_wide = False
        for index, part in enumerate(self._filters):
            if moved.get(part.plugin.name):
                self._filter(index, everything)
                is_wide = True
            elif part.plugin.reach is Reach.NODE:
                self._filter(index, rows)
        if is_wide:
            known = self.feasible.copy()
            self._join(everything)
            is_shifted = bool((known != self.feasible).any())
        else:
            self._join(rows)
            is_shifted = bool((before != self.feasible[rows]).any())
        is_rescored = False
        for index, part in enumerate(self._scorers):
            plugin = part.plugin
            if moved.get(plugin.name) or (plugin.scales and is_shifted):
                self._score(index, everything)
                is_rescored = True
            elif plugin.reach is Reach.NODE:
                self._score(index, rows)
        self._rank(everything if is_wide or is_rescored else rows)

    def _shift(self, part: _Part, steps: Sequence[Step]) -> bool:
        world = self._world
        changes = [part.plugin.moved(part.state, world, s.pod, s.row, s.sign) for s in steps]
        return any(changes)

    def rejections(self, row: int) -> list[Reason]:
        """Why the pod does not fit on one row, as the world is just now (states included): asked anew."""
        rows = np.array([row], dtype=np.int64)
        for part in self._filters:
            if part.plugin.reach is Reach.NOWHERE:
                continue
            found = [
                Reason(rejection.reason, rejection.resolvable)
                for rejection in part.plugin.filter(part.state, self._world, rows)
                if rejection.rows[0]
            ]
            if found:
                return found
        return []

    def try_out(self, pod: PodFacts, row: int, sign: int) -> None:
        """Have a pod come or go for a moment, in the world and in what the plugins remember."""
        self._world.try_out(pod, row, sign)
        for part in self._wide():
            part.plugin.moved(part.state, self._world, pod, row, sign)

    @property
    def hangs_together(self) -> bool:
        """Whether pods on one node matter to other nodes."""
        return bool(self._wide())

    def _wide(self) -> list[_Part]:
        return [
            part
            for part in self._filters
            if part.plugin.reach is Reach.CLUSTER and not part.plugin.is_idle(part.state)
        ]

    def best(self, random: Random) -> int:
        """The row the pod goes to, ties broken by `random` as upstream does; -1 if there is none."""
        if self.refusal is not None or not self._count:
            return -1
        top = int(self._ranked.max())
        if top < 0:
            return -1
        best = np.flatnonzero(self._ranked == top)
        return int(best[random.randrange(len(best))])

    def best_among(self, more: Mapping[int, int], random: Random) -> int:
        """As `best`, of the rows in `more`, which has points to be added to each."""
        totals = {row: int(self._ranked[row]) + own for row, own in more.items() if self.feasible[row]}
        if not totals:
            return -1
        top = max(totals.values())
        best = [row for row, total in totals.items() if total == top]
        return best[random.randrange(len(best))]

    def trace(self, chosen: str = "") -> Trace:
        """The answers as they are now."""
        filters = [part.plugin.name for part in self._filters]
        reasons: list[Sequence[Reason]] = [list(part.reasons) for part in self._filters]
        blocked = self._blocked
        if not self._narrowed_by:
            blocked = blocked[:-1].copy()
        else:  # what is not looked at is out before any filter runs
            text = f"node(s) didn't satisfy plugin(s) [{' '.join(sorted(self._narrowed_by))}]"
            filters.insert(0, self._narrowed_by[0])
            reasons.insert(0, [Reason(text, resolvable=False)])
            blocked = np.concatenate((blocked[-1:], blocked[:-1]))
        return Trace(
            nodes=self._world.nodes.names_now,
            filters=filters,
            reasons=reasons,
            blocked=blocked,
            scorers=[part.plugin.name for part in self._scorers],
            weights=[part.weight for part in self._scorers],
            scores=self._scores.astype(np.int8),
            refusal=self.refusal,
            refused_by=self.refused_by,
            chosen=chosen,
        )
