"""Which pods go first when there are too many: upstream's order.

Unassigned before assigned, pending before running, not ready before ready, cheap (by the
pod-deletion-cost annotation) before dear, doubled up on a node before alone, ready for a short time
before long, much restarted before little, new before old. Ages count by powers of two, so that
among pods of about the same age the choice is arbitrary and spreads over nodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from math import log2
from typing import Any

from wherry.controllers.pod_control import most_restarts
from wherry.kit.integers import parse_integer
from wherry.objects.conditions import find_condition
from wherry.objects.meta import Object, annotations_of, metadata, parse_time, uid_of

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def choose_victims(
    pods: Sequence[Object], related: Iterable[Object], count: int, now: datetime
) -> list[Object]:
    """The `count` pods of `pods` to delete; `related` are all pods that do the same work."""
    if count >= len(pods):
        return list(pods)
    crowd = Counter((pod.get("spec") or {}).get("nodeName") or "" for pod in related)
    return sorted(pods, key=lambda pod: _rank(pod, crowd, now))[:count]


def _rank(pod: Object, crowd: Counter[str], now: datetime) -> tuple[Any, ...]:
    node = (pod.get("spec") or {}).get("nodeName") or ""
    status = pod.get("status") or {}
    ready = find_condition(status.get("conditions"), "Ready")
    is_ready = ready is not None and ready.get("status") == "True"
    since = ready.get("lastTransitionTime") if ready is not None and is_ready else None
    regular, sidecars = most_restarts(pod)
    return (
        bool(node),
        _PHASES.get(status.get("phase") or "", 0),
        is_ready,
        _cost(pod),
        -crowd[node],
        _age_rank(since, now) if is_ready else 0,
        -regular,
        -sidecars,
        _age_rank(metadata(pod).get("creationTimestamp"), now),
        uid_of(pod),
    )


def _cost(pod: Object) -> int:
    return parse_integer(annotations_of(pod).get(DELETION_COST, ""), 32) or 0


def _age_rank(since: str | None, now: datetime) -> int:
    """The power of two the age falls into; -1 for no age at all."""
    if not since:
        return -1
    age_s = (now - parse_time(since)).total_seconds()
    return int(log2(age_s * 1e9)) if age_s > 0 else -1
