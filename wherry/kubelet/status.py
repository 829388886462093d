"""What the API server is told about a pod: a pure function of its spec and of what is seen of it.

Phase, conditions and container statuses, in upstream's words. Conditions others own (the scheduler's,
readiness gates, disruption targets) are not in the result: writing is a merge by condition type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wherry.api.core.pod_resources import pod_requests
from wherry.kubelet.container_status import Waiting, container_statuses, phase_of
from wherry.kubelet.observation import Health, Observation
from wherry.kubelet.pod import (
    ephemeral_containers,
    init_containers,
    is_sidecar,
    is_static,
    regular_containers,
    spec_of,
    status_of,
    uses_host_network,
)
from wherry.objects.conditions import Condition, find_condition, with_condition
from wherry.objects.meta import Object, metadata
from wherry.objects.quantity import format_quantity

OWNED = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")
"""The conditions the kubelet writes, in upstream's order."""
DISRUPTION = "DisruptionTarget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a status needs besides spec and runtime.

    `now` is wire time. `waiting` maps container names to why they do not run. `ended` tells that
    nothing of the pod will run again, so its phase is terminal; `reason` and `message` then say why,
    if it was not by its own doing, and `failed` that it counts as a failure whatever its exit codes;
    `is_disruption` that it goes for the node's sake. `resources` are what running containers have, by
    container id, `whole` what the pod as a whole has; `resizing` are the conditions of its resize.
    `recursive_read_only` tells that the runtime makes mounts so. `devices` are what containers have of
    devices, by container name, as `allocatedResourcesStatus` shows it.
    """

    now: str
    host_ips: Sequence[str]
    runtime_name: str = "containerd"
    recursive_read_only: bool = False
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    health: Health = field(default_factory=Health)
    ended: bool = False
    failed: bool = False
    reason: str = ""
    message: str = ""
    is_disruption: bool = False
    resources: Mapping[str, Object] = field(default_factory=dict)
    whole: Mapping[str, Any] | None = None
    resizing: Sequence[Condition] = ()
    devices: Mapping[str, Sequence[Object]] = field(default_factory=dict)


def pod_status(pod: Object, seen: Observation, facts: Facts) -> Object:
    """The pod's status, complete but for conditions owned by others."""
    old = status_of(pod)
    status: Object = {}
    generation = metadata(pod).get("generation")
    if generation:
        status["observedGeneration"] = generation
    inits = container_statuses(pod, init_containers(pod), seen, facts, is_init=True)
    regular = container_statuses(pod, regular_containers(pod), seen, facts)
    ephemeral = container_statuses(pod, ephemeral_containers(pod), seen, facts)
    phase = "Failed" if facts.failed else phase_of(pod, inits, regular, ended=facts.ended)
    status["phase"] = phase
    status["conditions"] = _conditions(pod, seen, phase, inits, regular, facts)
    for key, value in (("reason", facts.reason), ("message", facts.message)):
        if value:
            status[key] = value
    status["hostIP"] = facts.host_ips[0]
    status["hostIPs"] = [{"ip": ip} for ip in facts.host_ips]
    ips = list(facts.host_ips) if uses_host_network(pod) and seen.sandbox else list(seen.ips)
    if not ips and facts.ended:
        ips = [entry["ip"] for entry in old.get("podIPs") or ()]
    if ips:
        status["podIP"] = ips[0]
        status["podIPs"] = [{"ip": ip} for ip in ips]
    status["startTime"] = old.get("startTime") or facts.now
    if inits:
        status["initContainerStatuses"] = inits
    status["containerStatuses"] = regular
    if old.get("qosClass"):
        status["qosClass"] = old["qosClass"]
    if ephemeral:
        status["ephemeralContainerStatuses"] = ephemeral
    if not facts.ended:
        status |= _amounts(pod, facts)
    return status


def _amounts(pod: Object, facts: Facts) -> Object:
    """What the pod was allocated altogether, and what it has as a whole (KEP-5419)."""
    allocated = {
        name: format_quantity(amount, "decimal" if name == "cpu" else "binary")
        for name, amount in pod_requests({**pod, "spec": {**spec_of(pod), "overhead": {}}}).items()
    }
    found: Object = {"allocatedResources": allocated} if allocated else {}
    whole = spec_of(pod).get("resources") or {}
    if whole.get("requests") or whole.get("limits"):
        found["resources"] = facts.whole if facts.whole is not None else whole
    return found


def rejected_status(pod: Object, reason: str, message: str, now: str) -> Object:
    """The status of a pod this node refuses to run."""
    status: Object = {
        "phase": "Failed",
        "reason": reason,
        "message": message,
        "startTime": status_of(pod).get("startTime") or now,
    }
    generation = metadata(pod).get("generation")
    return {"observedGeneration": generation, **status} if generation else status


@dataclass(frozen=True, slots=True)
class _Verdict:
    status: str
    reason: str = ""
    message: str = ""


def _conditions(
    pod: Object,
    seen: Observation,
    phase: str,
    inits: list[Object],
    regular: list[Object],
    facts: Facts,
) -> list[Condition]:
    newest = seen.sandbox
    up = newest is not None and newest.ready and (newest.host_network or bool(newest.ips))
    containers_ready = _containers_ready(pod, phase, inits, regular)
    verdicts = {
        "PodReadyToStartContainers": _Verdict("True" if up else "False"),
        "Initialized": _initialized(pod, phase, inits, regular),
        "Ready": _ready(pod, containers_ready),
        "ContainersReady": containers_ready,
    }
    generation = metadata(pod).get("generation")
    more = {"observedGeneration": generation} if generation else {}
    known = [dict(c) for c in status_of(pod).get("conditions") or () if c.get("type") in OWNED]
    conditions: list[Condition] = known
    for name, verdict in verdicts.items():
        conditions = with_condition(
            conditions, name, verdict.status, facts.now, verdict.reason, verdict.message, **more
        )
    conditions = sorted(conditions, key=lambda c: OWNED.index(c["type"]))
    resizing = () if facts.ended else facts.resizing
    return [*conditions, *resizing, *_disruption(pod, facts, more), *_placed(pod, facts)]


def _placed(pod: Object, facts: Facts) -> list[Condition]:
    """No scheduler says of a static pod where it is."""
    if not is_static(pod):
        return []
    known = [dict(c) for c in status_of(pod).get("conditions") or () if c.get("type") == "PodScheduled"]
    return with_condition(known, "PodScheduled", "True", facts.now)


def _disruption(pod: Object, facts: Facts, more: Mapping[str, Any]) -> list[Condition]:
    """The condition that tells whoever made the pod that it was not the pod's fault (KEP-3329)."""
    if not facts.is_disruption:
        return []
    known = [dict(c) for c in status_of(pod).get("conditions") or () if c.get("type") == DISRUPTION]
    return with_condition(known, DISRUPTION, "True", facts.now, "TerminationByKubelet", facts.message, **more)


def _initialized(pod: Object, phase: str, inits: list[Object], regular: list[Object]) -> _Verdict:
    if phase == "Succeeded":
        return _Verdict("True", "PodCompleted")
    specs = init_containers(pod)
    if not specs or any("running" in s["state"] or "terminated" in s["state"] for s in regular):
        return _Verdict("True")
    incomplete = []
    for spec, status in zip(specs, inits, strict=True):
        done = status.get("started") if is_sidecar(spec) else status["ready"]
        if not done:
            incomplete.append(spec["name"])
    if not incomplete:
        return _Verdict("True")
    return _Verdict(
        "False",
        "ContainersNotInitialized",
        f"containers with incomplete status: [{' '.join(incomplete)}]",
    )


def _containers_ready(pod: Object, phase: str, inits: list[Object], regular: list[Object]) -> _Verdict:
    if phase == "Succeeded":
        return _Verdict("False", "PodCompleted")
    if phase == "Failed":
        return _Verdict("False", "PodFailed")
    sidecars = [s for spec, s in zip(init_containers(pod), inits, strict=True) if is_sidecar(spec)]
    unready = [s["name"] for s in [*sidecars, *regular] if not s["ready"]]
    if not unready:
        return _Verdict("True")
    return _Verdict("False", "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")


def _ready(pod: Object, containers_ready: _Verdict) -> _Verdict:
    if containers_ready.status != "True":
        return containers_ready
    complaints = []
    conditions: Sequence[Mapping[str, Any]] = status_of(pod).get("conditions") or ()
    for gate in spec_of(pod).get("readinessGates") or ():
        name = gate["conditionType"]
        found = find_condition(conditions, name)
        if found is None:
            complaints.append(f'corresponding condition of pod readiness gate "{name}" does not exist.')
        elif found.get("status") != "True":
            complaints.append(
                f'the status of pod readiness gate "{name}" is not "True", but {found.get("status")}'
            )
    if complaints:
        return _Verdict("False", "ReadinessGatesNotReady", ", ".join(complaints))
    return _Verdict("True")
