"""Status conditions: finding one, and setting one so that its transition time means something.

`lastTransitionTime` moves only when `status` changes, never when only a reason or message does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Condition = dict[str, Any]


def find_condition(
    conditions: Iterable[Mapping[str, Any]] | None, condition_type: str
) -> Mapping[str, Any] | None:
    """The condition of that type, None without one."""
    for condition in conditions or ():
        if condition.get("type") == condition_type:
            return condition
    return None


def is_true(conditions: Iterable[Mapping[str, Any]] | None, condition_type: str) -> bool:
    """Whether the condition is there and says "True"."""
    found = find_condition(conditions, condition_type)
    return found is not None and found.get("status") == "True"


def with_condition(
    conditions: Sequence[Condition] | None,
    condition_type: str,
    status: str,
    now: str,
    reason: str = "",
    message: str = "",
    **more: Any,
) -> list[Condition]:
    """The conditions with one set: a new list, sharing every condition that did not change.

    `now` is the time in wire format, taken as lastTransitionTime when the status is new. `more` are
    further fields (observedGeneration, lastUpdateTime ...), set as given. Fields the old condition
    had beyond these are kept.
    """
    new: Condition = {"type": condition_type, "status": status, **more}
    if reason:
        new["reason"] = reason
    if message:
        new["message"] = message
    result = list(conditions or ())
    for index, old in enumerate(result):
        if old.get("type") != condition_type:
            continue
        kept = {k: v for k, v in old.items() if k not in ("reason", "message")}
        if old.get("status") == status:
            new["lastTransitionTime"] = old.get("lastTransitionTime") or now
        else:
            new["lastTransitionTime"] = now
        merged = {**kept, **new}
        if merged != old:
            result[index] = merged
        return result
    new["lastTransitionTime"] = now
    result.append(new)
    return result


def without_condition(conditions: Sequence[Condition] | None, condition_type: str) -> list[Condition]:
    """The conditions without the one of that type."""
    return [c for c in conditions or () if c.get("type") != condition_type]
