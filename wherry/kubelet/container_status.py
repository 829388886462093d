"""What the API server is told about each container, and the pod's phase that follows from it.

Pure. A container that ended and is to run again shows why it waits (CrashLoopBackOff ...) with its last
end below `lastState`; one that never ran shows ContainerCreating, or PodInitializing behind init
containers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from wherry.kubelet.observation import Observation
from wherry.kubelet.pod import (
    container_status,
    init_containers,
    is_sidecar,
    restart_policy,
    should_restart,
)
from wherry.kubelet.runtimes.containers import Container, Phase
from wherry.objects.meta import Object, format_time

if TYPE_CHECKING:
    from wherry.kubelet.status import Facts


class Waiting(NamedTuple):
    """Why a container does not run, in upstream's reason and a sentence."""

    reason: str
    message: str = ""


LOST = {
    "reason": "ContainerStatusUnknown",
    "message": "The container could not be located when the pod was terminated",
    "exitCode": 137,
}


def container_statuses(
    pod: Object, specs: Sequence[Object], seen: Observation, facts: Facts, *, is_init: bool = False
) -> list[Object]:
    """One status per container, in the spec's order."""
    statuses = [_container_status(pod, spec, seen, facts, is_init=is_init) for spec in specs]
    for status in statuses if facts.devices else ():
        if devices := facts.devices.get(status["name"]):
            status["allocatedResourcesStatus"] = list(devices)
    return statuses


def _container_status(pod: Object, spec: Object, seen: Observation, facts: Facts, *, is_init: bool) -> Object:
    name = spec["name"]
    history = seen.history(name)
    latest = history[0] if history else None
    if latest is None:
        return _unseen(pod, spec, facts, is_init=is_init)
    state, last = _states(pod, spec, history, seen, facts, is_init=is_init)
    running = latest.phase is Phase.RUNNING
    if is_init and not is_sidecar(spec):
        ready = latest.phase is Phase.EXITED and latest.exit_code == 0 and "terminated" in state
        started = running
    else:
        ready = facts.health.is_ready(spec, latest) and not facts.ended
        started = facts.health.is_started(spec, latest)
    status: Object = {
        "name": name,
        "state": state,
        "lastState": {"terminated": last} if last else {},
        "ready": ready,
        "restartCount": latest.attempt,
        "image": _shown_image(latest.image, spec),
        "imageID": latest.image_id,
        "containerID": f"{facts.runtime_name}://{latest.id}",
        "started": started,
    }
    allocated = spec.get("resources") or {}
    status["resources"] = facts.resources.get(latest.id, allocated) if running else allocated
    if allocated.get("requests"):
        status["allocatedResources"] = allocated["requests"]
    mounts = _mount_statuses(spec, facts)
    if mounts:
        status["volumeMounts"] = mounts
    return status


def _states(
    pod: Object,
    spec: Object,
    history: list[Container],
    seen: Observation,
    facts: Facts,
    *,
    is_init: bool,
) -> tuple[Object, Object | None]:
    """(state, last terminated state)."""
    latest = history[0]
    earlier = next((c for c in history[1:] if c.phase is Phase.EXITED), None)
    last = terminated_state(earlier, facts.runtime_name) if earlier else None
    if last is None and latest.attempt > 0:
        known = container_status(pod, spec["name"])
        last = _remembered_end(known, f"{facts.runtime_name}://{latest.id}")
    if latest.phase is Phase.RUNNING:
        return {"running": {"startedAt": format_time(latest.started or latest.created)}}, last
    waits = facts.waiting.get(spec["name"])
    if latest.phase is Phase.EXITED:
        end = terminated_state(latest, facts.runtime_name)
        again = is_sidecar(spec) if is_init else False
        again = again or should_restart(pod, spec, latest.exit_code)
        if is_init and not is_sidecar(spec):
            again = (latest.exit_code != 0 and again) or seen.current(spec["name"]) is None
        if waits is not None and not facts.ended and again:
            return {"waiting": _waiting(waits)}, end
        return {"terminated": end}, last
    if facts.ended:
        return {"terminated": dict(LOST)}, last
    return {"waiting": _waiting(waits or _default_wait(pod, is_init=is_init))}, last


def _remembered_end(known: Mapping[str, Any], container_id: str) -> Object | None:
    """The end of the run before this one, from the status the API server holds."""
    if known.get("containerID") == container_id:
        found: Object | None = (known.get("lastState") or {}).get("terminated")
        return found
    end: Object | None = (known.get("state") or {}).get("terminated")
    return end or (known.get("lastState") or {}).get("terminated")


def _unseen(pod: Object, spec: Object, facts: Facts, *, is_init: bool) -> Object:
    """The status of a container the runtime does not know: not yet, or not any more."""
    known = container_status(pod, spec["name"])
    ended_before = (known.get("state") or {}).get("terminated")
    waits = facts.waiting.get(spec["name"])
    last: Object = known.get("lastState") or {}
    if ended_before and (facts.ended or waits is None):
        state: Object = {"terminated": ended_before}
    elif facts.ended:
        state = {"terminated": dict(LOST)}
    else:
        state = {"waiting": _waiting(waits or _default_wait(pod, is_init=is_init))}
        if ended_before:
            last = {"terminated": ended_before}
    succeeded = ended_before is not None and ended_before.get("exitCode") == 0
    status: Object = {
        "name": spec["name"],
        "state": state,
        "lastState": last,
        "ready": bool(is_init and not is_sidecar(spec) and succeeded and "terminated" in state),
        "restartCount": int(known.get("restartCount") or 0),
        "image": spec.get("image", ""),
        "imageID": known.get("imageID") or "",
        "started": False,
    }
    if known.get("containerID"):
        status["containerID"] = known["containerID"]
    mounts = _mount_statuses(spec, facts)
    if mounts:
        status["volumeMounts"] = mounts
    return status


def _shown_image(of_runtime: str, spec: Mapping[str, Any]) -> str:
    """The name the runtime knows the image by; the spec's when it only knows an id."""
    if of_runtime and not of_runtime.startswith("sha256:"):
        return of_runtime
    return spec.get("image") or of_runtime


def _default_wait(pod: Object, *, is_init: bool) -> Waiting:
    return Waiting("PodInitializing" if is_init or init_containers(pod) else "ContainerCreating")


def _waiting(waits: Waiting) -> Object:
    return {"reason": waits.reason, "message": waits.message} if waits.message else {"reason": waits.reason}


def _mount_statuses(spec: Mapping[str, Any], facts: Facts) -> list[Object]:
    statuses = []
    for mount in spec.get("volumeMounts") or ():
        status: Object = {"name": mount["name"], "mountPath": mount["mountPath"]}
        if mount.get("readOnly"):
            status["readOnly"] = True
            asked = (mount.get("recursiveReadOnly") or "Disabled") != "Disabled"
            status["recursiveReadOnly"] = "Enabled" if asked and facts.recursive_read_only else "Disabled"
        statuses.append(status)
    return statuses


def terminated_state(container: Container, runtime_name: str) -> Object:
    """How a container ended."""
    reason = container.reason or ("Completed" if container.exit_code == 0 else "Error")
    state: Object = {"exitCode": container.exit_code, "reason": reason}
    if container.message:
        state["message"] = container.message
    if container.started is not None:
        state["startedAt"] = format_time(container.started)
    if container.finished is not None:
        state["finishedAt"] = format_time(container.finished)
    state["containerID"] = f"{runtime_name}://{container.id}"
    return state


def phase_of(pod: Object, inits: Sequence[Object], regular: Sequence[Object], *, ended: bool = False) -> str:
    """The pod's phase; with `ended` always Succeeded or Failed."""
    if ended:
        codes = [(s["state"].get("terminated") or {}).get("exitCode", 137) for s in regular]
        init_codes = [
            (s["state"].get("terminated") or {}).get("exitCode", 0)
            for spec, s in zip(init_containers(pod), inits, strict=True)
            if not is_sidecar(spec)
        ]
        return "Succeeded" if not any(codes) and not any(init_codes) else "Failed"
    for spec, status in zip(init_containers(pod), inits, strict=True):
        end = status["state"].get("terminated")
        if is_sidecar(spec):
            continue
        if end is None or end["exitCode"] != 0:
            begun = any("running" in s["state"] or "terminated" in s["state"] for s in regular)
            if begun:
                continue
            if end is not None and not should_restart(pod, spec, end["exitCode"]):
                return "Failed"
            return "Pending"
    return _regular_phase(pod, inits, regular)


def _regular_phase(pod: Object, inits: Sequence[Object], regular: Sequence[Object]) -> str:
    states = [s["state"] for s in regular]
    if any("waiting" in s["state"] and not s["lastState"] for s in regular):
        return "Pending"
    if any("terminated" not in state for state in states):
        return "Running"
    codes = [state["terminated"]["exitCode"] for state in states]
    specs = (pod.get("spec") or {}).get("containers") or []
    if any(should_restart(pod, spec, code) for spec, code in zip(specs, codes, strict=True)):
        return "Running"
    if any("running" in s["state"] for s in inits):
        return "Running"  # sidecars still have to stop
    if restart_policy(pod) == "Always" and not specs:
        return "Running"
    return "Succeeded" if not any(codes) else "Failed"
