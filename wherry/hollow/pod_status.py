"""What a simulated pod's status says: pure functions of the pod, in the kubelet's words.

Source: upstream's pkg/kubelet/status/generate.go and kubelet_pods.go, of which this is the part that can
happen to a pod nobody runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.objects.conditions import Condition, find_condition, with_condition
from wherry.objects.meta import Object, metadata, uid_of

OWNED = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")
TERMINAL = ("Succeeded", "Failed")


def spec_of(pod: Object) -> Mapping[str, Any]:
    """The pod's spec."""
    return pod.get("spec") or {}


def status_of(pod: Object) -> Mapping[str, Any]:
    """The pod's status."""
    return pod.get("status") or {}


def phase_of(pod: Object) -> str:
    """The pod's phase, Pending where none was given yet."""
    phase: str = status_of(pod).get("phase") or "Pending"
    return phase


def is_sidecar(spec: Mapping[str, Any]) -> bool:
    """Whether an init container goes on running beside the regular ones (KEP-753)."""
    return spec.get("restartPolicy") == "Always"


def is_terminal(pod: Object) -> bool:
    """Whether the pod has come to its end."""
    return phase_of(pod) in TERMINAL


def containers_of(pod: Object, *, is_init: bool = False) -> Sequence[Mapping[str, Any]]:
    """The specs of the regular containers, or of the init containers."""
    return spec_of(pod).get("initContainers" if is_init else "containers") or ()


def statuses_of(pod: Object, *, is_init: bool = False) -> Mapping[str, Mapping[str, Any]]:
    """Container statuses by name."""
    found = status_of(pod).get("initContainerStatuses" if is_init else "containerStatuses") or ()
    return {status["name"]: status for status in found}


def state_of(status: Mapping[str, Any] | None, kind: str) -> Mapping[str, Any] | None:
    """The container's state if it is of that kind (waiting, running, terminated)."""
    return ((status or {}).get("state") or {}).get(kind)


def container_status(
    pod: Object, spec: Mapping[str, Any], state: Object, *, ready: bool = False, restarts: int | None = None
) -> Object:
    """One container's status in a new state; what it had before becomes its last state if it had ended."""
    is_init = spec not in containers_of(pod)
    old = statuses_of(pod, is_init=is_init).get(spec["name"]) or {}
    count = restarts if restarts is not None else old.get("restartCount") or 0
    ended = state_of(old, "terminated")
    is_new = ended is not None and ended != state.get("terminated")
    has_run = "running" in state or "terminated" in state
    identity = f"hollow://{uid_of(pod)}/{spec['name']}/{count}" if has_run else old.get("containerID") or ""
    return {
        "name": spec["name"],
        "image": spec.get("image") or "",
        "imageID": spec.get("image") or "" if has_run else old.get("imageID") or "",
        "containerID": identity,
        "ready": ready,
        "started": "running" in state,
        "restartCount": count,
        "state": state,
        "lastState": {"terminated": ended} if is_new else old.get("lastState") or {},
        **amounts(spec),
    }


def amounts(spec: Mapping[str, Any]) -> Object:
    """What a container has and was given: what its spec asks for."""
    resources = spec.get("resources") or {}
    requests = resources.get("requests")
    return {"resources": resources, **({"allocatedResources": requests} if requests else {})}


def is_other_size(spec: Mapping[str, Any], status: Mapping[str, Any] | None) -> bool:
    """Whether a container that runs is said to have something else than its spec asks for."""
    if state_of(status, "running") is None:
        return False
    return any(((status or {}).get(name) or {}) != value for name, value in amounts(spec).items())


def running(now: str) -> Object:
    """The state of a container that begins now."""
    return {"running": {"startedAt": now}}


def waiting(reason: str, message: str = "") -> Object:
    """The state of a container that does not run yet."""
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def terminated(old: Mapping[str, Any] | None, code: int, now: str, reason: str = "") -> Object:
    """The state of a container that has ended with that exit code."""
    began = (state_of(old, "running") or {}).get("startedAt") or now
    said = reason or ("Completed" if code == 0 else "Error")
    ended = {"exitCode": code, "reason": said, "startedAt": began, "finishedAt": now}
    identity = (old or {}).get("containerID")
    return {"terminated": {**ended, "containerID": identity} if identity else ended}


def pod_status(
    pod: Object,
    phase: str,
    now: str,
    *,
    containers: Sequence[Object],
    inits: Sequence[Object] | None = None,
    reason: str = "",
    message: str = "",
) -> Object:
    """The status to write: phase, container statuses, and the conditions that follow from them.

    `inits` are the init containers' statuses; those the pod has are kept without.
    """
    known = list(statuses_of(pod, is_init=True).values())
    initial: Sequence[Any] = known if inits is None else inits
    status: Object = {
        "phase": phase,
        "containerStatuses": list(containers),
        "conditions": pod_conditions(pod, phase, now, containers, initial),
        "startTime": status_of(pod).get("startTime") or now,
    }
    generation = metadata(pod).get("generation")
    if generation:
        status["observedGeneration"] = generation
    if inits is not None and containers_of(pod, is_init=True):
        status["initContainerStatuses"] = list(inits)
    if reason:
        status["reason"] = reason
    if message:
        status["message"] = message
    return status


def pod_conditions(
    pod: Object, phase: str, now: str, containers: Sequence[Any], inits: Sequence[Any]
) -> list[Condition]:
    """The conditions the kubelet owns, as a patch has them: null stands for a field to be dropped."""
    specs = containers_of(pod, is_init=True)
    by_name = {status["name"]: status for status in inits}
    sidecars = [by_name.get(spec["name"]) or {} for spec in specs if is_sidecar(spec)]
    incomplete = [spec["name"] for spec in specs if not _is_done(spec, by_name.get(spec["name"]))]
    unready = [status["name"] for status in [*sidecars, *containers] if status and not status.get("ready")]
    whole = _whole(phase, unready)
    verdicts = {
        "PodReadyToStartContainers": ("False" if phase in TERMINAL else "True", "", ""),
        "Initialized": _initialized(phase, incomplete),
        "Ready": _ready(pod, whole),
        "ContainersReady": whole,
    }
    have = [dict(c) for c in status_of(pod).get("conditions") or () if c.get("type") in OWNED]
    for name, (status, reason, message) in verdicts.items():
        have = with_condition(have, name, status, now, reason, message)
    old = {c["type"]: c for c in status_of(pod).get("conditions") or ()}
    return [{**dict.fromkeys(old.get(c["type"], ())), **c} for c in have]


def _is_done(spec: Mapping[str, Any], status: Mapping[str, Any] | None) -> bool:
    if status is None:
        return False
    if is_sidecar(spec):
        return bool(status.get("started"))
    ended = state_of(status, "terminated")
    return ended is not None and ended.get("exitCode") == 0


def _initialized(phase: str, incomplete: Sequence[str]) -> tuple[str, str, str]:
    if phase == "Succeeded":
        return "True", "PodCompleted", ""
    if incomplete and phase == "Pending":
        names = " ".join(incomplete)
        return "False", "ContainersNotInitialized", f"containers with incomplete status: [{names}]"
    return "True", "", ""


def _whole(phase: str, unready: Sequence[str]) -> tuple[str, str, str]:
    if phase in TERMINAL:
        return "False", "PodCompleted" if phase == "Succeeded" else "PodFailed", ""
    if unready:
        return "False", "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
    return "True", "", ""


def _ready(pod: Object, whole: tuple[str, str, str]) -> tuple[str, str, str]:
    if whole[0] != "True":
        return whole
    complaints = []
    for gate in spec_of(pod).get("readinessGates") or ():
        name = gate["conditionType"]
        found = find_condition(status_of(pod).get("conditions"), name)
        if found is None:
            complaints.append(f'corresponding condition of pod readiness gate "{name}" does not exist.')
        elif found.get("status") != "True":
            complaints.append(
                f'the status of pod readiness gate "{name}" is not "True", but {found.get("status")}'
            )
    return ("False", "ReadinessGatesNotReady", ", ".join(complaints)) if complaints else whole


def are_conditions_true_to(pod: Object) -> bool:
    """Whether Ready and ContainersReady say what the containers' statuses and the readiness gates say."""
    have = status_of(pod).get("conditions")
    statuses = statuses_of(pod), statuses_of(pod, is_init=True)
    wanted = pod_conditions(pod, phase_of(pod), "", *(list(found.values()) for found in statuses))
    for condition in wanted:
        if condition["type"] not in ("Ready", "ContainersReady"):
            continue
        found = find_condition(have, condition["type"])
        if found is None or found.get("status") != condition["status"]:
            return False
        if (found.get("message") or "") != (condition.get("message") or ""):
            return False
    return True
