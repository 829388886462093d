"""What a budget's status says of its pods. Source: pkg/controller/disruption/disruption.go (updatePdbStatus,
buildDisruptedPodMap, countHealthyPods, getExpectedPodCount).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from wherry.api.core.pod_conditions import is_ready
from wherry.objects.conditions import with_condition
from wherry.objects.intstr import resolve
from wherry.objects.meta import Object, format_time, is_deleting, later, metadata, name_of, parse_time

DELETION_TIMEOUT_S = 120.0
"""An evicted pod that is not being deleted after so long is counted as healthy again."""


@dataclass(frozen=True, slots=True)
class Evictions:
    """Evicted pods whose deletion has not been seen.

    `pending` has by name when they were evicted, `overdue` those that were waited for long enough,
    `recheck_s` the seconds until the next one is.
    """

    pending: Mapping[str, str] = field(default_factory=dict)
    overdue: tuple[Object, ...] = ()
    recheck_s: float | None = None


def plan_evictions(budget: Object, pods: Sequence[Object], now: datetime) -> Evictions:
    """Which of the evictions the budget was charged with are still to be waited for."""
    noted: Mapping[str, str] = (budget.get("status") or {}).get("disruptedPods") or {}
    pending: dict[str, str] = {}
    overdue = []
    recheck_s: float | None = None
    for pod in pods:
        since = noted.get(name_of(pod))
        if since is None or is_deleting(pod):
            continue
        left_s = (later(parse_time(since), DELETION_TIMEOUT_S) - now).total_seconds()
        if left_s <= 0:
            overdue.append(pod)
            continue
        pending[name_of(pod)] = since
        recheck_s = left_s if recheck_s is None else min(recheck_s, left_s)
    return Evictions(pending, tuple(overdue), recheck_s)


def count_healthy(pods: Sequence[Object], pending: Mapping[str, str]) -> int:
    """The pods that serve: ready, not being deleted, and not evicted a moment ago."""
    return sum(is_ready(pod) and not is_deleting(pod) and name_of(pod) not in pending for pod in pods)


def needs_scale(budget: Object) -> bool:
    """Whether the budget is a share of what there should be, which the pods' controllers know."""
    spec = budget.get("spec") or {}
    return spec.get("maxUnavailable") is not None or isinstance(spec.get("minAvailable"), str)


def names_a_number(budget: Object) -> bool:
    """Whether the budget says at all how many may be missing; of one that does not nobody may be."""
    spec = budget.get("spec") or {}
    return spec.get("maxUnavailable") is not None or spec.get("minAvailable") is not None


def plan_wanted(budget: Object, expected: int) -> int:
    """How many of `expected` pods must stay healthy. Raises ValueError for text that is no percentage."""
    spec = budget.get("spec") or {}
    if spec.get("maxUnavailable") is not None:
        return max(expected - resolve(spec["maxUnavailable"], expected, round_up=True), 0)
    if spec.get("minAvailable") is not None:
        return resolve(spec["minAvailable"], expected, round_up=True)
    return 0


def plan_status(
    budget: Object, *, healthy: int, wanted: int, expected: int, pending: Mapping[str, str], now: datetime
) -> Object:
    """The status: room for evictions is what is healthy beyond what is wanted."""
    allowed = max(healthy - wanted, 0) if expected > 0 else 0
    generation = metadata(budget).get("generation") or 0
    status: Object = {
        "conditions": with_condition(
            (budget.get("status") or {}).get("conditions"),
            "DisruptionAllowed",
            "True" if allowed else "False",
            format_time(now),
            "SufficientPods" if allowed else "InsufficientPods",
            observedGeneration=generation,
        ),
        "currentHealthy": healthy,
        "desiredHealthy": wanted,
        "disruptionsAllowed": allowed,
        "expectedPods": expected,
        "observedGeneration": generation,
    }
    if pending:
        status["disruptedPods"] = dict(pending)
    return status


def plan_failed_status(budget: Object, why: str, now: datetime) -> Object:
    """The status of a budget that could not be worked out: nothing may be evicted."""
    old = budget.get("status") or {}
    conditions = with_condition(
        old.get("conditions"),
        "DisruptionAllowed",
        "False",
        format_time(now),
        "SyncFailed",
        why,
        observedGeneration=old.get("observedGeneration") or 0,
    )
    return {**old, "disruptionsAllowed": 0, "conditions": conditions}
