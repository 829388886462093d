"""What a ReplicaSet (or ReplicationController) needs done: pure decisions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from wherry.api.core.pod_conditions import is_available, is_ready
from wherry.controllers.pod_control import is_active
from wherry.controllers.replicas.ranking import choose_victims
from wherry.controllers.workload import min_ready_s, wanted_replicas
from wherry.objects.conditions import find_condition, with_condition, without_condition
from wherry.objects.meta import Object, format_time, is_deleting, labels_of, metadata

BURST = 500
"""Never more creations or deletions in one go; the rest follows in the next sync."""


@dataclass(frozen=True, slots=True)
class ReplicaPlan:
    """How many pods to create, or which to delete; never both."""

    create: int = 0
    delete: list[Object] = field(default_factory=list)


def plan_replicas(
    owner: Object, pods: Sequence[Object], related: Iterable[Object], now: datetime
) -> ReplicaPlan:
    """Compare the active `pods` of `owner` with its spec; a deleting owner does nothing."""
    if is_deleting(owner):
        return ReplicaPlan()
    surplus = len(pods) - wanted_replicas(owner)
    if surplus < 0:
        return ReplicaPlan(create=min(-surplus, BURST))
    if surplus > 0:
        return ReplicaPlan(delete=choose_victims(pods, related, min(surplus, BURST), now))
    return ReplicaPlan()


def plan_status(
    owner: Object, pods: Sequence[Object], failure: BaseException | None, now: datetime
) -> Object:
    """The status of `owner` with all its `pods`, after `failure` (if any) to create or delete some."""
    active = [pod for pod in pods if is_active(pod)]
    wanted_labels = ((owner["spec"].get("template") or {}).get("metadata") or {}).get("labels") or {}
    old = owner.get("status") or {}
    counts = {
        "fullyLabeledReplicas": sum(wanted_labels.items() <= labels_of(pod).items() for pod in active),
        "readyReplicas": sum(is_ready(pod) for pod in active),
        "availableReplicas": sum(is_available(pod, min_ready_s(owner), now) for pod in active),
    }
    status: Object = {"replicas": len(active), **{name: n for name, n in counts.items() if n}}
    if owner.get("kind") == "ReplicaSet":
        # omitted fields mean unknown here, so zero is said
        status["terminatingReplicas"] = sum(is_terminating(pod) for pod in pods)
    generation = metadata(owner).get("generation")
    if generation:
        status["observedGeneration"] = generation
    conditions = plan_conditions(owner, old.get("conditions") or [], len(active), failure, now)
    if conditions:
        status["conditions"] = conditions
    return status


def plan_conditions(
    owner: Object, conditions: list[Object], active: int, failure: BaseException | None, now: datetime
) -> list[Object]:
    """ReplicaFailure appears with the first failure and goes when nothing fails any more."""
    if failure is None:
        return without_condition(conditions, "ReplicaFailure")
    if find_condition(conditions, "ReplicaFailure") is not None:
        return conditions
    reason = "FailedCreate" if active < wanted_replicas(owner) else "FailedDelete"
    return with_condition(conditions, "ReplicaFailure", "True", format_time(now), reason, str(failure))


def is_terminating(pod: Object) -> bool:
    """Whether the pod is on its way out and has not ended yet."""
    phase = (pod.get("status") or {}).get("phase")
    return is_deleting(pod) and phase not in ("Succeeded", "Failed")
