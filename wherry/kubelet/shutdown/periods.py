"""Which pods end together when the machine goes down, and how long they have. Pure.

Source: pkg/kubelet/nodeshutdown/nodeshutdown_manager.go (migrateConfig, groupByPriority).
"""

from __future__ import annotations

from collections.abc import Sequence

from wherry.kubelet.config import Period
from wherry.kubelet.eviction.ranking import SYSTEM_CRITICAL, priority_of
from wherry.objects.meta import Object


def two_periods(whole_s: int, critical_s: int) -> tuple[Period, ...]:
    """Of `whole_s` seconds the last `critical_s` are for critical pods alone; none when there is no time."""
    if whole_s <= 0 or critical_s > whole_s:
        return ()
    others = Period(0, whole_s - critical_s)
    return (others, Period(SYSTEM_CRITICAL, critical_s)) if critical_s else (others,)


def group_pods(pods: Sequence[Object], periods: Sequence[Period]) -> list[tuple[Period, list[Object]]]:
    """The pods of each period, in the order in which they end. Who is below all has the first one's time."""
    ordered = sorted(periods)
    groups: list[tuple[Period, list[Object]]] = [(period, []) for period in ordered]
    for pod in pods:
        reached = [index for index, period in enumerate(ordered) if period.priority <= priority_of(pod)]
        groups[reached[-1] if reached else 0][1].append(pod)
    return groups
