"""What a deployment reports: counts, and the conditions Available, Progressing, ReplicaFailure.

Progressing is the one with a story: it says why the rollout is where it is, and when it last moved.
If it does not move for the progress deadline, it turns False. Reasons and wording are upstream's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from wherry.controllers.deployment.family import Family, Fence, replicas, reported, total
from wherry.objects.conditions import Condition, find_condition, without_condition
from wherry.objects.meta import Object, format_time, later, metadata, name_of, parse_time

NO_DEADLINE = 2147483647
"""A progress deadline of this many seconds (the largest int32) means none."""

COMPLETE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
LONG_AGO = "0001-01-01T00:00:00Z"
"""When a condition was set that does not say so."""


def has_deadline(deployment: Object) -> bool:
    """Whether the rollout is expected to move."""
    return deployment["spec"].get("progressDeadlineSeconds") not in (None, NO_DEADLINE)


def set_condition(
    conditions: Sequence[Condition], kind: str, status: str, reason: str, message: str, now: datetime
) -> list[Condition]:
    """The conditions with one set; nothing changes while status and reason stay the same."""
    stamp = format_time(now)
    old = find_condition(conditions, kind)
    if old is not None and old.get("status") == status and old.get("reason") == reason:
        return list(conditions)
    since = stamp
    if old is not None and old.get("status") == status:
        since = old.get("lastTransitionTime") or stamp
    new: Condition = {
        "type": kind,
        "status": status,
        "lastUpdateTime": stamp,
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }
    return [*without_condition(conditions, kind), new]


def note_progress(
    conditions: Sequence[Condition], status: str, reason: str, message: str, now: datetime
) -> list[Condition]:
    """The conditions with Progressing set."""
    return set_condition(conditions, "Progressing", status, reason, message, now)


def note_pause(deployment: Object, conditions: Sequence[Condition], now: datetime) -> list[Condition]:
    """The conditions with a pause, or its end, in Progressing; a missed deadline stays told."""
    current = find_condition(conditions, "Progressing")
    reason = current.get("reason") if current is not None else ""
    if not has_deadline(deployment) or reason == TIMED_OUT:
        return list(conditions)
    paused = bool(deployment["spec"].get("paused"))
    if paused and reason != "DeploymentPaused":
        return note_progress(conditions, "Unknown", "DeploymentPaused", "Deployment is paused", now)
    if not paused and reason == "DeploymentPaused":
        return note_progress(conditions, "Unknown", "DeploymentResumed", "Deployment is resumed", now)
    return list(conditions)


def plan_status(
    deployment: Object, family: Family, fence: Fence, conditions: Sequence[Condition], now: datetime
) -> Object:
    """Counts over all replica sets, and whether the minimum is available."""
    available = reported(family.all, "availableReplicas")
    new = [family.new] if family.new is not None else []
    counts = {
        "observedGeneration": int(metadata(deployment).get("generation") or 0),
        "replicas": reported(family.all, "replicas"),
        "updatedReplicas": reported(new, "replicas"),
        "readyReplicas": reported(family.all, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(total(family.all) - available, 0),
    }
    status: Object = {name: count for name, count in counts.items() if count}
    status["terminatingReplicas"] = reported(family.all, "terminatingReplicas")
    collisions = (deployment.get("status") or {}).get("collisionCount")
    if collisions is not None:
        status["collisionCount"] = collisions
    if available >= replicas(deployment) - fence.unavailable:
        verdict = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        verdict = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    status["conditions"] = set_condition(conditions, "Available", *verdict, now)
    return status


def plan_rollout_status(
    deployment: Object, family: Family, fence: Fence, conditions: Sequence[Condition], now: datetime
) -> Object:
    """`plan_status`, and how the rollout goes. `conditions` are those noted so far."""
    status = plan_status(deployment, family, fence, conditions, now)
    noted: list[Condition] = status["conditions"]
    if not has_deadline(deployment):
        noted = without_condition(noted, "Progressing")
    elif not _was_complete(status, find_condition(conditions, "Progressing")):
        noted = _progress(deployment, family, status, noted, now)
    status["conditions"] = _replica_failure(family, noted, now)
    return status


def _was_complete(status: Object, progressing: Mapping[str, Any] | None) -> bool:
    """Whether the rollout had ended already: then pods that fail now are not its matter."""
    return (
        status.get("replicas", 0) == status.get("updatedReplicas", 0)
        and progressing is not None
        and progressing.get("reason") == COMPLETE
    )


def _progress(
    deployment: Object, family: Family, status: Object, noted: list[Condition], now: datetime
) -> list[Condition]:
    what = (
        f'ReplicaSet "{name_of(family.new)}"'
        if family.new is not None
        else f'Deployment "{name_of(deployment)}"'
    )
    if is_complete(deployment, status):
        return note_progress(noted, "True", COMPLETE, f"{what} has successfully progressed.", now)
    if _has_moved(deployment, status):
        message = f"{what} is progressing."
        current = find_condition(noted, "Progressing")
        if current is None or current.get("status") != "True":
            return note_progress(noted, "True", "ReplicaSetUpdated", message, now)
        moved = {
            **current,
            "lastUpdateTime": format_time(now),
            "reason": "ReplicaSetUpdated",
            "message": message,
        }
        return [*without_condition(noted, "Progressing"), moved]
    if has_timed_out(deployment, noted, now):
        return note_progress(noted, "False", TIMED_OUT, f"{what} has timed out progressing.", now)
    return noted


def is_complete(deployment: Object, status: Object) -> bool:
    """Whether only pods of the present template are there, all of them available."""
    wanted = replicas(deployment)
    counts = [status.get(name) or 0 for name in ("updatedReplicas", "replicas", "availableReplicas")]
    generation = int(metadata(deployment).get("generation") or 0)
    return counts == [wanted] * 3 and int(status.get("observedGeneration") or 0) >= generation


def _has_moved(deployment: Object, status: Object) -> bool:
    old = deployment.get("status") or {}

    def count(source: Object, name: str) -> int:
        return int(source.get(name) or 0)

    def outdated(source: Object) -> int:
        return count(source, "replicas") - count(source, "updatedReplicas")

    return any(
        count(status, n) > count(old, n) for n in ("updatedReplicas", "readyReplicas", "availableReplicas")
    ) or outdated(status) < outdated(old)


def has_timed_out(deployment: Object, conditions: Sequence[Condition], now: datetime) -> bool:
    """Whether the rollout has not moved for the progress deadline."""
    current = find_condition(conditions, "Progressing")
    if current is None or current.get("reason") == COMPLETE:
        return False
    if current.get("reason") == TIMED_OUT:
        return True
    return deadline_of(deployment, current) < now


def deadline_of(deployment: Object, progressing: Mapping[str, Any]) -> datetime:
    """When the rollout is late, counted from when it last moved."""
    since = progressing.get("lastUpdateTime") or progressing.get("lastTransitionTime") or LONG_AGO
    return later(parse_time(since), int(deployment["spec"]["progressDeadlineSeconds"]))


def next_check_s(deployment: Object, status: Object, now: datetime) -> float | None:
    """Seconds until the deadline may have passed; None while there is none to wait for."""
    current = find_condition(status.get("conditions"), "Progressing")
    if not has_deadline(deployment) or current is None or current.get("reason") in (COMPLETE, TIMED_OUT):
        return None
    # A second more, since stamps are whole seconds.
    return max((deadline_of(deployment, current) - now).total_seconds(), 0.0) + 1.0


def _replica_failure(family: Family, conditions: list[Condition], now: datetime) -> list[Condition]:
    """Pass on what a replica set says of failures, the new one's word first."""
    for rs in ([family.new] if family.new is not None else []) + family.old:
        failure = find_condition((rs.get("status") or {}).get("conditions"), "ReplicaFailure")
        if failure is not None:
            said, reason, message = (failure.get(name) or "" for name in ("status", "reason", "message"))
            return set_condition(conditions, "ReplicaFailure", said, reason, message, now)
    return without_condition(conditions, "ReplicaFailure")
