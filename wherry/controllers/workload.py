"""What controllers that keep pods of a template share: the wanted number, and when pods become available."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from wherry.objects.conditions import find_condition
from wherry.objects.meta import Object, later, parse_time

REST_PER_POD_S = 0.0002
"""Looking at a pod takes a tenth of this, so a workload however large takes a tenth of the time at most."""


def wanted_replicas(owner: Object) -> int:
    """`spec.replicas`, 1 when absent."""
    replicas = owner["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def min_ready_s(owner: Object) -> int:
    """`spec.minReadySeconds`: for so long a pod must have been ready to count as available."""
    return owner["spec"].get("minReadySeconds") or 0


def available_at(pod: Object, after_s: int) -> datetime | None:
    """When a ready pod has been ready for `after_s` seconds; None for one that is not ready."""
    ready = find_condition((pod.get("status") or {}).get("conditions"), "Ready")
    if ready is None or ready.get("status") != "True" or not ready.get("lastTransitionTime"):
        return None
    return later(parse_time(ready["lastTransitionTime"]), after_s)


def next_available_s(pods: Iterable[Object], after_s: int, now: datetime) -> float | None:
    """Seconds until the next ready pod has been ready for `after_s`; None when none waits."""
    if after_s <= 0:
        return None
    dues = (available_at(pod, after_s) for pod in pods)
    return min(((due - now).total_seconds() for due in dues if due is not None and due > now), default=None)
