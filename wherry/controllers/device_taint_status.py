"""What a DeviceTaintRule says of the evictions it causes: its condition EvictionInProgress. Pure.

Source: pkg/controller/devicetainteviction, handleRuleStatus.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wherry.objects.conditions import find_condition
from wherry.objects.meta import Object, format_time, metadata, parse_time

IN_PROGRESS = "EvictionInProgress"
PERIOD_S = 10.0
"""So long what was said last is left as it is, unless the rule changes."""
NO_UPDATE = "This information will not be updated again. Recreate the DeviceTaintRule to trigger an update."


@dataclass(frozen=True, slots=True)
class Counts:
    """What a rule is about: pods that have to go (or would), in how many namespaces; devices; who went."""

    pending: int = 0
    namespaces: int = 0
    published: int = 0
    allocated: int = 0
    evicted: int = 0


def effect_of(rule: Object) -> str:
    """What the rule's taint does."""
    return ((rule.get("spec") or {}).get("taint") or {}).get("effect") or ""


def rest_s(rule: Object, now: datetime) -> float:
    """For how long the condition is left as it is, 0 if it may be written."""
    known = find_condition((rule.get("status") or {}).get("conditions"), IN_PROGRESS)
    if known is None or known.get("observedGeneration") != metadata(rule).get("generation"):
        return 0.0
    passed_s = (now - parse_time(known["lastTransitionTime"])).total_seconds()
    return min(max(PERIOD_S - passed_s, 0.0), PERIOD_S)  # the clock may have been set back since


def condition(rule: Object, counts: Counts, now: datetime) -> dict[str, Any]:
    """The condition. Its time is that of the last change of anything in it, message included."""
    status, reason, message = _told(effect_of(rule), counts)
    if counts.evicted:
        evicted = f"{_count(counts.evicted, 'pod')} evicted since starting the controller."
        message = f"{message} {evicted}" if message else evicted
    new = {
        "type": IN_PROGRESS,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": metadata(rule).get("generation") or 0,
    }
    known = find_condition((rule.get("status") or {}).get("conditions"), IN_PROGRESS) or {}
    is_same = all((known.get(name) or "") == (value or "") for name, value in new.items())
    return {**new, "lastTransitionTime": known["lastTransitionTime"] if is_same else format_time(now)}


def _told(effect: str, counts: Counts) -> tuple[str, str, str]:
    """(status, reason, message)."""
    if effect == "NoExecute":
        if counts.pending:
            needs = "needs" if counts.pending == 1 else "need"
            where = _namespaces(counts.namespaces)
            return (
                "True",
                "PodsPendingEviction",
                f"{_count(counts.pending, 'pod')} {needs} to be evicted in {where}.",
            )
        return "False", "Completed" if counts.evicted else "NotStarted", ""
    if effect == "None":
        published = f"{_count(counts.published, 'published device')} selected."
        allocated = f"{_count(counts.allocated, 'allocated device')} selected."
        pods = f"{_count(counts.pending, 'pod')} would be evicted in {_namespaces(counts.namespaces)}"
        return "False", "NoEffect", f"{published} {allocated} {pods} if the effect was NoExecute. {NO_UPDATE}"
    return "False", "OtherEffect", "Eviction only happens for the NoExecute effect."


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _namespaces(count: int) -> str:
    return "1 namespace" if count == 1 else f"{count} different namespaces"
