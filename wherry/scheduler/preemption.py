"""DefaultPreemption: which pods of lower priority have to go so that a pod fits (`framework/preemption`).
Pure.

On each node where that may help, all pods of lower priority are taken away in thought, and as many as
possible given back, the most important first, those whose disruption budget would be violated before the
others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from random import Random
from typing import Any

import numpy as np

from wherry.scheduler.budgets import Budgets
from wherry.scheduler.evaluation import Evaluation
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.profiles import Profile
from wherry.scheduler.trace import NO_VICTIMS, Trace
from wherry.scheduler.victims import Victim, by_budgets, is_being_preempted, start_of, victims_among
from wherry.scheduler.world import World

NEVER = "not eligible due to preemptionPolicy=Never."
TERMINATING = "not eligible due to a terminating pod on the nominated node."
_LIFT = 1 << 31
"""Makes every priority positive, so that fewer victims sum up to less."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node, the pods that would have to go from it (the most important first), and budgets violated."""

    node: str
    victims: tuple[PodFacts, ...]
    violations: int
    rank: tuple[int, int, int, int, Any] = field(init=False, compare=False)
    """The smaller, the better (upstream's pickOneNodeForPreemption)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "rank", self._ranked())

    def _ranked(self) -> tuple[int, int, int, int, Any]:
        priorities = [victim.priority for victim in self.victims]
        highest = priorities[0]
        earliest = min(start_of(v.pod) for v in self.victims if v.priority == highest)
        later = tuple(-ord(sign) for sign in earliest)  # the latest start is the best
        return self.violations, highest, sum(p + _LIFT for p in priorities), len(priorities), later


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found on a node: the candidate, or the reasons why there is none.

    It holds as long as neither the node's `stamp` nor the budgets of the `namespaces` of possible victims
    changed.
    """

    stamp: tuple[int, int]
    namespaces: frozenset[str]
    budgets: int
    candidate: Candidate | None
    reasons: tuple[str, ...]


@dataclass(slots=True)
class Search:
    """A search for candidates for pods like one: what was found on each node, as long as nothing changes
    there.
    """

    found: dict[str, _Found] = field(default_factory=dict)
    """By node."""
    offset: int = -1


def ineligible(pod: PodFacts, trace: Trace, world: World) -> str:
    """Why the pod may not have others evicted, "" if it may."""
    if not pod.template.may_preempt:
        return NEVER
    row = world.nodes.row_of.get(pod.nominated_node) if pod.nominated_node else None
    if row is None or (row < len(trace.nodes) and not trace.resolvable_rows()[row]):
        return ""
    for other in world.nodes.pods[row].values():
        if other.priority < pod.priority and is_being_preempted(other):
            return TERMINATING
    return ""


def rows_to_try(trace: Trace, search: Search, random: Random) -> list[int]:
    """The rows where evictions may help, from a random one on."""
    rows = np.flatnonzero(trace.resolvable_rows())
    if not len(rows):
        return []
    if search.offset < 0:
        search.offset = random.randrange(1 << 30)
    start = search.offset % len(rows)
    return [*map(int, rows[start:]), *map(int, rows[:start])]


def candidates_wanted(profile: Profile, rows: int) -> int:
    """How many candidates are enough, of so many rows."""
    return min(max(rows * profile.min_candidates_percent // 100, profile.min_candidates), rows)


def look_at(
    evaluation: Evaluation, search: Search, row: int, pod: PodFacts, world: World, budgets: Budgets
) -> Candidate | None:
    """The candidate of one row, remembered as long as nothing changes there; None if there is none."""
    node = world.nodes.names[row]
    stamp = world.stamp(row)
    known = search.found.get(node)
    if (
        known is not None
        and known.stamp == stamp
        and known.budgets == budgets.changed_at(known.namespaces)
        and not evaluation.hangs_together
    ):
        return known.candidate
    placements = [world.placed[uid] for uid in world.nodes.pods[row] if uid in world.placed]
    potential = list(victims_among(placements, pod.priority, world))
    namespaces = frozenset(other.template.namespace for victim in potential for other in victim.pods)
    candidate, reasons = _on_row(evaluation, row, potential, world, budgets)
    if any(victim.group for victim in potential):
        search.found.pop(node, None)  # what happens to groups elsewhere matters, too
    else:
        search.found[node] = _Found(stamp, namespaces, budgets.changed_at(namespaces), candidate, reasons)
    return candidate


def reasons_on(search: Search, nodes: Iterable[str]) -> Counter[str]:
    """Why there was no candidate, node by node."""
    counts: Counter[str] = Counter()
    for node in nodes:
        found = search.found.get(node)
        if found is not None and found.candidate is None:
            counts.update(found.reasons)
    return counts


def _on_row(
    evaluation: Evaluation, row: int, potential: list[Victim], world: World, budgets: Budgets
) -> tuple[Candidate | None, tuple[str, ...]]:
    if not potential:
        return None, (NO_VICTIMS,)
    gone: dict[Victim, None] = {}

    def move(victim: Victim, sign: int) -> None:
        for placement in victim.placements:
            at = world.nodes.row_of.get(placement.node)
            if at is not None:
                evaluation.try_out(placement.pod, at, sign)
        if sign < 0:
            gone[victim] = None
        else:
            del gone[victim]

    try:
        for victim in potential:
            move(victim, -1)
        reasons = evaluation.rejections(row)
        if reasons:
            return None, tuple(dict.fromkeys(reason.text for reason in reasons))
        potential.sort(key=attrgetter("order"))
        violating, others = by_budgets(potential, budgets)
        violations = 0
        for victim in (*violating, *others):
            move(victim, 1)
            if evaluation.rejections(row):
                move(victim, -1)
                violations += violating.get(victim, 0)
        pods = tuple(pod for victim in potential if victim in gone for pod in victim.pods)
        if not pods:
            return None, (NO_VICTIMS,)
        return Candidate(world.nodes.names[row], pods, violations), ()
    finally:
        for victim in list(gone):
            move(victim, 1)
