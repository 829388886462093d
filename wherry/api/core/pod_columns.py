"""A pod's row in a table: how many containers are ready, one word for its state, restarts and age.

The one word is read off the containers, because `phase` says too little: the last failing or waiting
container gives it, init containers come first, and a pod being deleted is Terminating.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wherry.api.core.pod_conditions import is_ready, is_terminal
from wherry.api.resource import Column
from wherry.objects.conditions import is_true
from wherry.objects.durations import age
from wherry.objects.meta import is_deleting, metadata

NONE = "<none>"
POD_COLUMNS = (
    Column("Name", format="name", description="Name must be unique within a namespace."),
    Column("Ready", description="How many of the pod's containers pass their readiness check."),
    Column("Status", description="The pod's state in a word, read off its containers."),
    Column("Restarts", description="How often containers were restarted, and when they last were."),
    Column("Age", description="How long ago the pod was created."),
    Column("IP", description="The first address of the pod.", priority=1),
    Column("Node", description="The node the pod runs on.", priority=1),
    Column("Nominated Node", description="The node preemption makes room on.", priority=1),
    Column("Readiness Gates", description="How many extra conditions hold.", priority=1),
)

_UNREACHABLE = "NodeLost"
_EMPTY: Mapping[str, Any] = {}


@dataclass(slots=True)
class _Summary:
    """What is gathered while going through the containers."""

    reason: str
    ready: int = 0
    restarts: int = 0
    last_restart: str = ""

    def count_restarts(self, status: Mapping[str, Any]) -> None:
        self.restarts += status.get("restartCount") or 0
        ended = ((status.get("lastState") or _EMPTY).get("terminated") or _EMPTY).get("finishedAt") or ""
        # RFC 3339 in UTC with whole seconds sorts as text.
        self.last_restart = max(self.last_restart, ended)


def pod_cells(pod: Mapping[str, Any], now: datetime) -> list[Any]:
    """The row of a pod, one cell per column of `POD_COLUMNS`."""
    meta, spec = metadata(pod), pod.get("spec") or _EMPTY
    status = pod.get("status") or _EMPTY
    summary = _summarize(pod, spec, status)
    total = len(spec.get("containers") or ()) + len(_sidecars(spec))
    restarts = str(summary.restarts)
    if summary.restarts and summary.last_restart:
        restarts = f"{restarts} ({age(summary.last_restart, now)} ago)"
    ips = status.get("podIPs") or ({"ip": status.get("podIP")},)
    return [
        meta.get("name") or "",
        f"{summary.ready}/{total}",
        summary.reason,
        restarts,
        age(meta.get("creationTimestamp"), now),
        ips[0].get("ip") or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _gates(spec, status),
    ]


def _sidecars(spec: Mapping[str, Any]) -> set[str]:
    return {c["name"] for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"}


def _summarize(pod: Mapping[str, Any], spec: Mapping[str, Any], status: Mapping[str, Any]) -> _Summary:
    conditions = status.get("conditions") or ()
    phase = status.get("phase") or ""
    summary = _Summary(status.get("reason") or phase)
    if any(c.get("type") == "PodScheduled" and c.get("reason") == "SchedulingGated" for c in conditions):
        summary.reason = "SchedulingGated"
    sidecars = _sidecars(spec)
    init = status.get("initContainerStatuses") or ()
    initializing = _walk_init(summary, init, sidecars, len(spec.get("initContainers") or ()))
    if not initializing or is_true(conditions, "Initialized"):
        summary.restarts, summary.last_restart = 0, ""
        for container in init:
            if container.get("name") in sidecars:
                summary.count_restarts(container)
        running = _walk_containers(summary, status.get("containerStatuses") or ())
        if summary.reason == "Completed" and running:
            summary.reason = "Running" if is_ready(pod) else "NotReady"
    if is_deleting(pod):
        if status.get("reason") == _UNREACHABLE:
            summary.reason = "Unknown"
        elif not is_terminal(pod):
            summary.reason = "Terminating"
    return summary


def _walk_init(
    summary: _Summary, statuses: Sequence[Mapping[str, Any]], sidecars: set[str], total: int
) -> bool:
    """Take in the init containers up to the first that is not done; tells whether there is one."""
    for index, container in enumerate(statuses):
        summary.count_restarts(container)
        state = container.get("state") or _EMPTY
        ended, waiting = state.get("terminated"), (state.get("waiting") or _EMPTY).get("reason") or ""
        if ended is not None and not ended.get("exitCode"):
            continue
        if container.get("name") in sidecars and container.get("started"):
            summary.ready += bool(container.get("ready"))
            continue
        if ended is not None:
            summary.reason = f"Init:{_end(ended)}"
        elif waiting and waiting != "PodInitializing":
            summary.reason = f"Init:{waiting}"
        else:
            summary.reason = f"Init:{index}/{total}"
        return True
    return False


def _walk_containers(summary: _Summary, statuses: Sequence[Mapping[str, Any]]) -> bool:
    """Take in the regular containers, the first having the last word; tells whether one is running."""
    running = False
    for container in reversed(statuses):
        summary.count_restarts(container)
        state = container.get("state") or _EMPTY
        waiting = (state.get("waiting") or _EMPTY).get("reason")
        if waiting:
            summary.reason = waiting
        elif (ended := state.get("terminated")) is not None:
            summary.reason = _end(ended)
        elif container.get("ready") and state.get("running") is not None:
            running = True
            summary.ready += 1
    return running


def _end(terminated: Mapping[str, Any]) -> str:
    if reason := terminated.get("reason"):
        return str(reason)
    if signal := terminated.get("signal"):
        return f"Signal:{signal}"
    return f"ExitCode:{terminated.get('exitCode') or 0}"


def _gates(spec: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    gates = spec.get("readinessGates")
    if not gates:
        return NONE
    conditions = status.get("conditions") or ()
    true = sum(is_true(conditions, gate.get("conditionType") or "") for gate in gates)
    return f"{true}/{len(gates)}"
