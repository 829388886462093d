"""What a pod's conditions say: ready, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from wherry.objects import conditions
from wherry.objects.meta import parse_time


def find_condition(pod: Mapping[str, Any], condition_type: str) -> Mapping[str, Any] | None:
    """The pod's condition of that type, None without one."""
    return conditions.find_condition((pod.get("status") or {}).get("conditions"), condition_type)


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether the pod says it is ready."""
    found = find_condition(pod, "Ready")
    return found is not None and found.get("status") == "True"


def is_available(pod: Mapping[str, Any], min_ready_s: int, now: datetime) -> bool:
    """Whether the pod has been ready for at least `min_ready_s` seconds."""
    found = find_condition(pod, "Ready")
    if found is None or found.get("status") != "True":
        return False
    if not min_ready_s:
        return True
    since = found.get("lastTransitionTime")
    return since is not None and parse_time(since) + timedelta(seconds=min_ready_s) <= now


def is_terminal(pod: Mapping[str, Any]) -> bool:
    """Whether the pod ran to its end, good or bad, and will never run again."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
