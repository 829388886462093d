"""What the plugins say of a pod on every node, kept up to date as pods come and go (`Evaluation`). Pure.

Pods that ask for the same get the same answers (upstream's opportunistic batching, KEP-5598): the first of
them pays for filtering and scoring all nodes, for the others only what changed since is asked again. As the
counts behind spreading and affinity are columns too, these pods share answers like any other.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from random import Random
from typing import Any

import numpy as np

from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Plugin, Reach, Refusal, every, overrides
from wherry.scheduler.interned import Bools, Ints, Rows
from wherry.scheduler.profiles import Profile
from wherry.scheduler.trace import Reason, Record, Trace
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
        self._versions: list[tuple[Plugin, Hashable]] = []
        """What the answers rest on beside nodes and pods."""
        parts = self._prepared()
        self._filters = [part for part in parts if part.filters]
        self._scorers = [part for part in parts if part.weight]
        self._weights = np.array([part.weight for part in self._scorers], dtype=np.int64)
        self._narrowed_by: list[str] = []
        self._rows: Ints | None = None
        """The rows that are looked at, None for all. Answers are kept by place among them."""
        self._narrow(parts)
        self._count = len(world.nodes) if self._rows is None else len(self._rows)
        self._blocked = np.zeros((len(self._filters), self._count), dtype=np.int64)
        self._scores = np.zeros((len(self._scorers), self._count), dtype=np.int8)
        self._filter_names = tuple(part.plugin.name for part in self._filters)
        self._scorer_names = tuple(part.plugin.name for part in self._scorers)
        self._weight_of = tuple(part.weight for part in self._scorers)
        self.feasible: Bools = np.full(len(world.nodes), self._rows is None)
        """By row, whether the pod fits."""
        self._ranked: Ints = np.zeros(self._count, dtype=np.int64)
        """By place, the total of feasible rows, -1 of others."""
        if self.refusal is None and self._count:
            self._ask_all()

    def _prepared(self) -> list[_Part]:
        parts = []
        for chosen in self._profile.chosen:
            plugin = chosen.plugin
            state = plugin.prepare(self.pod, self._world)
            if state is not None and overrides(plugin, "version"):
                self._versions.append((plugin, plugin.version(self._world)))
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
        """Leave out what no plugin wants to be looked at (upstream's PreFilterResult)."""
        left: Bools | None = None
        for part in parts:
            rows = part.plugin.only(part.state, self._world) if part.filters else None
            if rows is not None:
                self._narrowed_by.append(part.plugin.name)
                left = rows if left is None else left & rows
        self._rows = None if left is None else np.flatnonzero(left)

    def _ask_all(self) -> None:
        places = slice(0, self._count)
        for index in range(len(self._filters)):
            self._filter(index, places)
        self._join(places)
        for index in range(len(self._scorers)):
            self._score(index, places)
        self._rank(places)

    def _rows_at(self, places: Rows) -> Rows:
        return places if self._rows is None else self._rows[places]

    def _places_of(self, rows: Ints) -> Ints:
        """The places of those of the rows (rising) that are looked at."""
        return rows if self._rows is None else np.flatnonzero(np.isin(self._rows, rows))

    def _filter(self, index: int, places: Rows) -> None:
        part = self._filters[index]
        bits: Any = 0
        for rejection in part.plugin.filter(part.state, self._world, self._rows_at(places)):
            bit = part.bit(rejection.reason, rejection.resolvable)
            bits = bits | (rejection.rows.astype(np.int64) << bit)
        self._blocked[index, places] = bits

    def _join(self, places: Rows) -> None:
        self.feasible[self._rows_at(places)] = ~self._blocked[:, places].any(axis=0)

    def _score(self, index: int, places: Rows) -> None:
        plugin, state = self._scorers[index].plugin, self._scorers[index].state
        rows = self._rows_at(places)
        if plugin.scales and self._rows is not None:
            points = plugin.score(state, self._world, every(self._world), self.feasible)
            points = points if points is None else points[rows]
        else:
            points = plugin.score(state, self._world, rows, self.feasible)
        self._scores[index, places] = 0 if points is None else points

    def _rank(self, places: Rows) -> None:
        total = self._weights @ self._scores[:, places]
        self._ranked[places] = np.where(self.feasible[self._rows_at(places)], total, -1)

    def catch_up(self) -> bool:
        """Take in what happened since; False if it is too much, and a new evaluation is needed."""
        world = self._world
        if self.era != world.era or any(p.version(world) != known for p, known in self._versions):
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
        everywhere = slice(0, self._count)
        places = self._places_of(rows)
        here = self._rows_at(places)
        before = self.feasible[here]
        is_wide = False
        for index, part in enumerate(self._filters):
            if moved.get(part.plugin.name):
                self._filter(index, everywhere)
                is_wide = True
            elif part.plugin.reach is Reach.NODE:
                self._filter(index, places)
        if is_wide:
            known = self.feasible.copy()
            self._join(everywhere)
            is_shifted = bool((known != self.feasible).any())
        else:
            self._join(places)
            is_shifted = bool((before != self.feasible[here]).any())
        is_rescored = False
        for index, part in enumerate(self._scorers):
            plugin = part.plugin
            if moved.get(plugin.name) or (plugin.scales and is_shifted):
                self._score(index, everywhere)
                is_rescored = True
            elif plugin.reach is Reach.NODE:
                self._score(index, places)
        self._rank(everywhere if is_wide or is_rescored else places)

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
        best = self.all_best()
        return int(best[random.randrange(len(best))]) if len(best) else -1

    def all_best(self) -> Ints:
        """All rows that nobody beats."""
        top = int(self._ranked.max()) if self.refusal is None and self._count else -1
        if top < 0:
            return np.zeros(0, dtype=np.int64)
        best = self._rows_at((self._ranked == top).nonzero()[0])
        assert not isinstance(best, slice)
        return best

    def best_among(self, more: Mapping[int, int], random: Random) -> int:
        """As `best`, of the rows in `more`, which has points to be added to each."""
        rows = np.array([row for row in sorted(more) if self.feasible[row]], dtype=np.int64)
        if not len(rows):
            return -1
        own = np.array([more[int(row)] for row in rows], dtype=np.int64)
        totals = self._ranked[self._places_of(rows)] + own
        best = rows[totals == totals.max()]
        return int(best[random.randrange(len(best))])

    def record(self, chosen: str = "") -> Record:
        """The answers as they are now, to be kept."""
        return Record(
            nodes=self._world.nodes.names_now,
            rows=self._rows,
            narrowed_by=tuple(self._narrowed_by),
            filters=self._filter_names,
            reasons=tuple(tuple(part.reasons) for part in self._filters),
            blocked=None if self.feasible.all() else self._blocked.copy(),
            scorers=self._scorer_names,
            weights=self._weight_of,
            scores=self._scores.copy(),
            refusal=self.refusal,
            refused_by=self.refused_by,
            chosen=chosen,
        )

    def trace(self, chosen: str = "") -> Trace:
        """The answers as they are now, for every node."""
        return self.record(chosen).trace()
