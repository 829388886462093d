"""What to say of a node: its conditions once it is silent, the taints its conditions call for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import Enum

from wherry.controllers.nodes.tolerations import Taint
from wherry.objects.conditions import Condition, find_condition
from wherry.objects.meta import Object, format_time, metadata

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
HEARTBEAT_CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
PRESSURE_TAINTS = {
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
    "NetworkUnavailable": "node.kubernetes.io/network-unavailable",
}
OURS = frozenset({NOT_READY, UNREACHABLE, UNSCHEDULABLE, *PRESSURE_TAINTS.values()})
NO_EXECUTE = "NoExecute"
_REASONS = {"False": NOT_READY, "Unknown": UNREACHABLE}
NEVER_POSTED = "Kubelet never posted node status."
STOPPED_POSTING = "Kubelet stopped posting node status."


def readiness(node: Object) -> str:
    """The status of the Ready condition, "" before there is one."""
    found = find_condition((node.get("status") or {}).get("conditions"), "Ready")
    return found.get("status", "") if found is not None else ""


def says_more(old: Object, new: Object) -> bool:
    """Whether a node differs in more than the times of its heartbeats and who wrote it."""
    meta, old_meta = metadata(new), metadata(old)
    return (
        any(meta.get(field) != old_meta.get(field) for field in ("uid", "labels", "deletionTimestamp"))
        or new.get("spec") != old.get("spec")
        or _without_times(new) != _without_times(old)
    )


def _without_times(node: Object) -> list[Condition]:
    conditions = (node.get("status") or {}).get("conditions") or ()
    return [
        {name: value for name, value in condition.items() if name != "lastHeartbeatTime"}
        for condition in conditions
    ]


def silent_conditions(node: Object, now: datetime) -> list[Condition]:
    """The conditions of a node nobody hears of: what its kubelet reports is Unknown."""
    stamp = format_time(now)
    conditions: list[Condition] = list((node.get("status") or {}).get("conditions") or ())
    for kind in HEARTBEAT_CONDITIONS:
        old = find_condition(conditions, kind)
        if old is None:
            conditions.append(
                {
                    "type": kind,
                    "status": "Unknown",
                    "reason": "NodeStatusNeverUpdated",
                    "message": NEVER_POSTED,
                    "lastHeartbeatTime": metadata(node).get("creationTimestamp"),
                    "lastTransitionTime": stamp,
                }
            )
        elif old.get("status") != "Unknown":
            silent = {
                **old,
                "status": "Unknown",
                "reason": "NodeStatusUnknown",
                "message": STOPPED_POSTING,
                "lastTransitionTime": stamp,
            }
            conditions = [silent if c is old else c for c in conditions]
    return conditions


class Driving(Enum):
    """What becomes of the NoExecute taints a node's readiness calls for."""

    ADD = "add"
    KEEP = "keep"
    """Those that are there stay as long as their reason does, none is added."""
    REMOVE = "remove"


def plan_taints(node: Object, driving: Driving, now: datetime) -> list[Taint]:
    """The taints the node should have: others' as they are, ours as its conditions say.

    A taint that drives pods away for one readiness and is swapped for that of another keeps its time:
    upstream's evictions, once they are planned, go on through the swap, and here the taint is what they count
    from.
    """
    spec = node.get("spec") or {}
    current: list[Taint] = spec.get("taints") or []
    wanted = [pair for pair in _wanted(node) if driving is not Driving.REMOVE or pair[1] != NO_EXECUTE]
    result = [t for t in current if t.get("key") not in OURS or (t["key"], t.get("effect")) in wanted]
    driving_since = min((t["timeAdded"] for t in current if _drives(t) and t.get("timeAdded")), default=None)
    present = {(taint.get("key"), taint.get("effect")) for taint in result}
    for key, effect in wanted:
        if (key, effect) in present or (effect == NO_EXECUTE and driving is not Driving.ADD):
            continue
        since = driving_since if effect == NO_EXECUTE and driving_since else format_time(now)
        result.append({"key": key, "effect": effect, "timeAdded": since})
    return result


def _wanted(node: Object) -> list[tuple[str, str]]:
    conditions = (node.get("status") or {}).get("conditions")
    wanted: list[tuple[str, str]] = []
    reason = _REASONS.get(readiness(node))
    if reason is not None:
        wanted += [(reason, "NoSchedule"), (reason, NO_EXECUTE)]
    elif not readiness(node) and any(
        taint.get("key") == NOT_READY for taint in (node.get("spec") or {}).get("taints") or ()
    ):
        # Not heard of yet: what admission put on it at creation stays.
        wanted.append((NOT_READY, "NoSchedule"))
    for kind, key in PRESSURE_TAINTS.items():
        found = find_condition(conditions, kind)
        if found is not None and found.get("status") == "True":
            wanted.append((key, "NoSchedule"))
    if (node.get("spec") or {}).get("unschedulable"):
        wanted.append((UNSCHEDULABLE, "NoSchedule"))
    return wanted


def needs_no_execute(node: Object) -> bool:
    """Whether the node lacks a NoExecute taint its readiness calls for."""
    key = _REASONS.get(readiness(node))
    return key is not None and key not in _driving_keys(node)


def has_other_no_execute(node: Object) -> bool:
    """Whether it has the taint of another readiness: that one is swapped, nobody is given up on anew."""
    return bool(_driving_keys(node) - {_REASONS.get(readiness(node))})


def _driving_keys(node: Object) -> set[str]:
    return {taint["key"] for taint in (node.get("spec") or {}).get("taints") or () if _drives(taint)}


def _drives(taint: Taint) -> bool:
    """Whether it drives pods away because of the node's readiness."""
    return taint.get("effect") == NO_EXECUTE and taint.get("key") in _REASONS.values()


def unready_pod_conditions(conditions: Sequence[Condition] | None, now: datetime) -> list[Condition] | None:
    """A pod's conditions with Ready False since its node fell silent; None if there is nothing to change."""
    ready = find_condition(conditions, "Ready")
    if ready is None or ready.get("status") == "False":
        return None
    changed = {**ready, "status": "False", "lastTransitionTime": format_time(now)}
    return [changed if condition is ready else condition for condition in conditions or ()]
