"""Whom preemption may take away: single pods, and groups that go as a whole (`Victim`).

Pods of a PodGroup whose disruption mode is `all` go together, wherever they are; a pod of a group has the
group's priority. Source: pkg/scheduler/framework/preemption (types.go, util.go: MoreImportantVictim).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from wherry.api.scheduling.pod_groups import group_key
from wherry.objects.meta import Object
from wherry.scheduler.budgets import Budget, Budgets
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.groups import goes_whole, priority_of
from wherry.scheduler.world import Placement, World

BY_SCHEDULER = "PreemptionByScheduler"
NOT_STARTED = "~"
"""Sorts after every time."""


@dataclass(frozen=True, slots=True, eq=False)
class Victim:
    """Placed pods that go together or not at all."""

    placements: tuple[Placement, ...]
    priority: int
    is_of_group: bool
    group: str = ""
    """The group that goes as a whole."""

    @property
    def pods(self) -> Iterator[PodFacts]:
        """The pods themselves."""
        return (placement.pod for placement in self.placements)

    @property
    def order(self) -> tuple[Any, ...]:
        """The smaller, the more important."""
        started = min(start_of(pod.pod) for pod in self.pods)
        size = len(self.placements)
        return -self.priority, not self.is_of_group, -size, started, self.placements[0].pod.uid


def start_of(pod: Object) -> str:
    """When a pod began, in wire format; later than all for one that did not."""
    return (pod.get("status") or {}).get("startTime") or NOT_STARTED


def victims_among(placements: Iterable[Placement], priority: int, world: World) -> Iterator[Victim]:
    """Who of these pods, and who goes with them, is of lower priority; each once."""
    seen: set[str] = set()
    for placement in placements:
        key = group_key(placement.pod.pod)
        group = world.groups.get(key) if key else None
        own = placement.pod.priority if group is None else priority_of(group)
        if own >= priority:
            continue
        if group is None or not goes_whole(group):
            yield Victim((placement,), own, is_of_group=group is not None)
        elif key not in seen:
            seen.add(key)
            together = (world.placed.get(uid) for uid in world.groups.pods_of(key))
            found = tuple(one for one in together if one is not None and not one.is_nominated)
            yield Victim(found or (placement,), own, is_of_group=True, group=key)


def is_being_preempted(pod: PodFacts) -> bool:
    """Whether a pod goes because a scheduler makes room."""
    if not pod.is_deleting:
        return False
    for condition in (pod.pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "DisruptionTarget":
            return (condition.get("status"), condition.get("reason")) == ("True", BY_SCHEDULER)
    return False


def by_budgets(victims: Sequence[Victim], budgets: Budgets) -> tuple[dict[Victim, int], list[Victim]]:
    """Those whose eviction violates a budget, given all those before are evicted, with how many of their
    pods do; and the others.
    """
    violating: dict[Victim, int] = {}
    others: list[Victim] = []
    taken: Counter[Budget] = Counter()
    for victim in victims:
        count = 0
        for pod in victim.pods:
            is_violated = False
            for budget in budgets.protecting(pod):
                taken[budget] += 1
                is_violated |= taken[budget] > budget.allowed
            count += is_violated
        if count:
            violating[victim] = count
        else:
            others.append(victim)
    return violating, others
