"""DefaultPreemption: which pods of lower priority have to go so that a pod fits (`framework/preemption`).
Pure.

On each node where that may help, all pods of lower priority are taken away in thought, and as many as
possible given back, the most important first, those whose disruption budget would be violated before the
others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

from wherry.objects.meta import Object, name_of, namespace_of
from wherry.objects.selectors import Selector, from_label_selector
from wherry.scheduler.evaluation import Evaluation
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.profiles import Profile
from wherry.scheduler.trace import NO_VICTIMS, Trace
from wherry.scheduler.world import World

NEVER = "not eligible due to preemptionPolicy=Never."
TERMINATING = "not eligible due to a terminating pod on the nominated node."
BY_SCHEDULER = "PreemptionByScheduler"
_LIFT = 1 << 31
"""Makes every priority positive, so that fewer victims sum up to less."""
NOT_STARTED = "~"
"""Sorts after every time."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A PodDisruptionBudget: whom it protects, and how many of them may still be disrupted."""

    namespace: str
    selector: Selector
    allowed: int
    disrupted: frozenset[str]
    """Names of pods whose eviction is counted already."""

    def protects(self, pod: PodFacts) -> bool:
        """Whether evicting the pod counts against the budget."""
        template = pod.template
        return (
            template.namespace == self.namespace
            and bool(template.labels)
            and not self.selector.is_empty
            and self.selector.matches(template.labels)
            and name_of(pod.pod) not in self.disrupted
        )


def read_budget(budget: Object) -> Budget:
    """A budget from its object. Raises ValueError for a selector that is none."""
    status = budget.get("status") or {}
    return Budget(
        namespace=namespace_of(budget),
        selector=from_label_selector((budget.get("spec") or {}).get("selector")),
        allowed=status.get("disruptionsAllowed") or 0,
        disrupted=frozenset(status.get("disruptedPods") or ()),
    )


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


@dataclass(slots=True)
class Search:
    """A search for candidates for pods like one: what was found on each node, as long as nothing changes
    there.
    """

    found: dict[str, tuple[tuple[int, int], Candidate | None, tuple[str, ...]]] = field(default_factory=dict)
    """By node: the state it was found in, the candidate, or the reasons why there is none."""
    offset: int = -1


def start_of(pod: Object) -> str:
    """When a pod began, in wire format; later than all for one that did not."""
    return (pod.get("status") or {}).get("startTime") or NOT_STARTED


def ineligible(pod: PodFacts, trace: Trace, world: World) -> str:
    """Why the pod may not have others evicted, "" if it may."""
    if not pod.template.may_preempt:
        return NEVER
    row = world.nodes.row_of.get(pod.nominated_node) if pod.nominated_node else None
    if row is None or (row < len(trace.nodes) and not trace.resolvable_rows()[row]):
        return ""
    for other in world.nodes.pods[row].values():
        if other.priority < pod.priority and _is_being_preempted(other):
            return TERMINATING
    return ""


def _is_being_preempted(pod: PodFacts) -> bool:
    if not pod.is_deleting:
        return False
    for condition in (pod.pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "DisruptionTarget":
            return (condition.get("status"), condition.get("reason")) == ("True", BY_SCHEDULER)
    return False


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
    evaluation: Evaluation, search: Search, row: int, pod: PodFacts, world: World, budgets: Sequence[Budget]
) -> Candidate | None:
    """The candidate of one row, remembered as long as nothing changes on it; None if there is none."""
    node = world.nodes.names[row]
    stamp = world.stamp(row)
    known = search.found.get(node)
    if known is not None and known[0] == stamp and not evaluation.hangs_together:
        return known[1]
    candidate, reasons = _on_row(evaluation, row, pod, world, budgets)
    search.found[node] = (stamp, candidate, reasons)
    return candidate


def reasons_on(search: Search, nodes: Iterable[str]) -> Counter[str]:
    """Why there was no candidate, node by node."""
    counts: Counter[str] = Counter()
    for node in nodes:
        found = search.found.get(node)
        if found is not None and found[1] is None:
            counts.update(found[2])
    return counts


def _on_row(
    evaluation: Evaluation, row: int, pod: PodFacts, world: World, budgets: Sequence[Budget]
) -> tuple[Candidate | None, tuple[str, ...]]:
    potential = [other for other in world.nodes.pods[row].values() if other.priority < pod.priority]
    if not potential:
        return None, (NO_VICTIMS,)
    gone: dict[str, PodFacts] = {}
    try:
        for other in potential:
            evaluation.try_out(other, row, -1)
            gone[other.uid] = other
        reasons = evaluation.rejections(row)
        if reasons:
            return None, tuple(dict.fromkeys(reason.text for reason in reasons))
        potential.sort(key=lambda other: (-other.priority, start_of(other.pod)))
        violating, others = _by_budgets(potential, budgets)
        violations = 0
        for other in (*violating, *others):
            evaluation.try_out(other, row, 1)
            del gone[other.uid]
            if evaluation.rejections(row):
                evaluation.try_out(other, row, -1)
                gone[other.uid] = other
                violations += other in violating
        victims = tuple(other for other in potential if other.uid in gone)
        if not victims:
            return None, (NO_VICTIMS,)
        return Candidate(world.nodes.names[row], victims, violations), ()
    finally:
        for other in gone.values():
            evaluation.try_out(other, row, 1)


def _by_budgets(pods: Sequence[PodFacts], budgets: Sequence[Budget]) -> tuple[list[PodFacts], list[PodFacts]]:
    """Those whose eviction violates a budget, given all those before are evicted, and the others."""
    violating: list[PodFacts] = []
    others: list[PodFacts] = []
    allowed = [budget.allowed for budget in budgets]
    for pod in pods:
        is_violated = False
        for index, budget in enumerate(budgets):
            if budget.protects(pod):
                allowed[index] -= 1
                is_violated |= allowed[index] < 0
        (violating if is_violated else others).append(pod)
    return violating, others
