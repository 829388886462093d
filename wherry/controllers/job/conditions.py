"""The conditions of a Job, each with when it was last set. Source: ensureJobConditionStatus."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from wherry.objects.conditions import Condition, find_condition
from wherry.objects.meta import format_time

SUSPENDED = "Suspended"


def new_condition(kind: str, status: str, reason: str, message: str, now: datetime) -> Condition:
    """A condition that was set now."""
    moment = format_time(now)
    condition: Condition = {
        "type": kind,
        "status": status,
        "lastProbeTime": moment,
        "lastTransitionTime": moment,
        "reason": reason,
        "message": message,
    }
    return {name: value for name, value in condition.items() if value}


def with_condition(conditions: Sequence[Condition], new: Condition) -> list[Condition]:
    """The conditions with `new` in them, as they were if it says nothing new: false is only what was true."""
    old = find_condition(conditions, new["type"])
    if old is None:
        return [*conditions, new] if new["status"] != "False" else list(conditions)
    if all(old.get(name) == new.get(name) for name in ("status", "reason", "message")):
        return list(conditions)
    return [new if condition is old else condition for condition in conditions]
