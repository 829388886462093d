"""Conditions DisruptionTarget of pods that were to go and did not: after two minutes they say so no longer.

Source: pkg/controller/disruption/disruption.go (syncStalePodDisruption,
nonTerminatingPodHasStaleDisruptionCondition).
"""

from __future__ import annotations

from datetime import datetime

from wherry.objects.meta import Object, is_deleting, later, parse_time

DISRUPTION = "DisruptionTarget"
BY_KUBELET = "TerminationByKubelet"
STALE_AFTER_S = 120.0


def stale_in_s(pod: Object, now: datetime) -> float | None:
    """Seconds until the pod's condition is stale, 0 when it is; None when it never will be.

    A pod that is being deleted, or has ended, goes; and a kubelet may take its time before it ends one.
    """
    status = pod.get("status") or {}
    if is_deleting(pod) or status.get("phase") in ("Succeeded", "Failed"):
        return None
    for condition in status.get("conditions") or ():
        if condition.get("type") == DISRUPTION:
            if condition.get("status") != "True" or condition.get("reason") == BY_KUBELET:
                return None
            since = condition.get("lastTransitionTime")
            return max((later(parse_time(since), STALE_AFTER_S) - now).total_seconds(), 0.0) if since else 0.0
    return None
