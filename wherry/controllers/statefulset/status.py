"""What a StatefulSet reports: counts of the pods that were there when it was looked at."""

from __future__ import annotations

from collections.abc import Iterable

from wherry.controllers.statefulset.identity import revision_of_pod
from wherry.controllers.statefulset.plan import View
from wherry.controllers.workload import wanted_replicas
from wherry.objects.meta import Object, is_deleting, metadata


def plan_status(
    view: View, pods: Iterable[Object], current: str, update: str, collisions: int, outdated: int
) -> Object:
    """The status with these pods; `outdated` of the current revision were just deleted for the update.

    Once all pods are of the update revision and ready, that is the current revision (completeRollingUpdate).
    """
    counts = dict.fromkeys(
        ("replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas"), 0
    )
    for pod in pods:
        counts["replicas"] += 1
        is_ready = view.is_ready(pod)
        counts["readyReplicas"] += is_ready
        counts["availableReplicas"] += is_ready and view.is_available(pod)
        if not is_deleting(pod):
            counts["currentReplicas"] += revision_of_pod(pod) == current
            counts["updatedReplicas"] += revision_of_pod(pod) == update
    counts["currentReplicas"] = max(counts["currentReplicas"] - outdated, 0)
    if _is_complete(view.stateful_set, counts):
        current, counts["currentReplicas"] = update, counts["updatedReplicas"]
    status: Object = {
        **counts,
        "currentRevision": current,
        "updateRevision": update,
        "collisionCount": collisions,
    }
    if generation := metadata(view.stateful_set).get("generation"):
        status["observedGeneration"] = generation
    return status


def _is_complete(stateful_set: Object, counts: dict[str, int]) -> bool:
    strategy = (stateful_set["spec"].get("updateStrategy") or {}).get("type")
    wanted = wanted_replicas(stateful_set)
    parts = ("updatedReplicas", "readyReplicas", "replicas")
    return strategy != "OnDelete" and all(counts[part] == wanted for part in parts)
