"""Why a pod does not run, or does not end: everything that is known of it, weighed (`find_reasons`). Pure.

The facts are what the API server has: the pod and its status, as the kubelet tells it; events; the
scheduler's decision; the node; claims. Each rule tells of one thing that stands in the way, with what to do
about it; the first one found is the headline, since what comes later in a pod's life cannot happen before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wherry.objects.meta import Object, metadata

SHOWN = 300
"""So many characters of a message are shown."""
HEAD = 100
"""So many of them of its beginning: what a program was told by others, the cause, stands at the end."""
MOST_ALIKE = 3
NOT_STARTED = ("StartError", "ContainerCannotRun")
"""Why a container ended that never ran (containerd's and Docker's word)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of the pod `name`; None and empty where nothing is.

    `events` are those about the pod, oldest first; without a pod those about what would make it. `decision`
    is the status of the scheduler's PodDecision. `claims` are the pod's claims by name, None for those
    missing. `workloads` (such as "deployment") are the kinds of what else bears the name, `alike` the pods
    whose names begin with it: for a pod that is not there.
    """

    namespace: str
    name: str
    pod: Object | None
    events: Sequence[Object] = ()
    node: Object | None = None
    decision: Object | None = None
    claims: Mapping[str, Object | None] = field(default_factory=dict)
    workloads: Sequence[str] = ()
    alike: Sequence[str] = ()
    now: str = ""
    """The moment, in the API's form."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that stands in the way: of `what`, `why` it is so, and what to `try`."""

    what: str
    why: str
    try_: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """How the pod stands in one line, and why."""

    headline: str
    reasons: Sequence[Reason]


def find_reasons(facts: Facts) -> Answer:
    """What is to be said of the pod."""
    key = f"{facts.namespace}/{facts.name}"
    pod = facts.pod
    if pod is None:
        reasons = list(_never_made(facts))
        return Answer(f"{key} is not there", reasons or [_nobody(facts)])
    reasons = [reason for rule in _RULES for reason in rule(facts, pod)]
    return Answer(f"{key} {_standing(pod, has_reasons=bool(reasons))}", reasons)


def _standing(pod: Object, *, has_reasons: bool) -> str:
    status = _status(pod)
    phase = status.get("phase") or "Pending"
    node = (pod.get("spec") or {}).get("nodeName")
    where = f" on {node}" if node else ""
    if metadata(pod).get("deletionTimestamp"):
        return f"is ending{where}"
    if phase == "Running" and not has_reasons:
        return f"runs and is ready{where}"
    if phase == "Running" and not any(_runs(c) for c in _status(pod).get("containerStatuses") or ()):
        return f"keeps ending{where}"
    if phase == "Running":
        ready = _condition(pod, "Ready").get("status") == "True"
        return f"runs{where}" if ready else f"runs{where} and is not ready"
    if phase == "Succeeded":
        return f"has ended well{where}"
    return f"has failed{where}" if phase == "Failed" else f"does not run yet{where}"


def _nobody(facts: Facts) -> Reason:
    """There is no such pod: what of that name there is, and which pods."""
    tries = [f"wherry explain {kind} {facts.name} -n {facts.namespace}" for kind in facts.workloads]
    tries += [f"wherry why pod {other} -n {facts.namespace}" for other in facts.alike[:MOST_ALIKE]]
    why = "there is no pod of that name"
    if facts.workloads:
        why += f"; it is a {' and a '.join(facts.workloads)}"
    return Reason("pod", why, "; or ".join(tries) or f"kubectl get pods -n {facts.namespace}")


def _never_made(facts: Facts) -> Iterator[Reason]:
    for event in _newest(facts.events, "FailedCreate").values():
        owner = event.get("involvedObject") or {}
        message = _short(event.get("message") or "")
        remedy = "mend what the message names"
        if "exceeded quota" in message:
            remedy = f"raise the quota, or ask for less: kubectl describe quota -n {facts.namespace}"
        elif "violates PodSecurity" in message:
            remedy = f"ask for less, or loosen what namespace {facts.namespace} enforces by its labels"
        elif "LimitRange" in message or "minimum" in message or "maximum" in message:
            remedy = f"see the limits: kubectl describe limits -n {facts.namespace}"
        yield Reason(f"{owner.get('kind', 'owner')} {owner.get('name', '')}", message, remedy)


def _ending(facts: Facts, pod: Object) -> Iterator[Reason]:
    if not metadata(pod).get("deletionTimestamp"):
        return
    if finalizers := metadata(pod).get("finalizers"):
        names = ", ".join(finalizers)
        yield Reason(
            "finalizers", f"{names} must be removed by who put them there", "see whether that still runs"
        )
    running = [c["name"] for c in _statuses(pod) if _runs(c)]
    if running and facts.now > metadata(pod)["deletionTimestamp"]:
        yield Reason(
            "containers",
            f"{', '.join(running)} run on past the grace period",
            "see the node: its kubelet may be away, or a process cannot be killed",
        )
    elif running:
        grace = metadata(pod).get("deletionGracePeriodSeconds")
        yield Reason("containers", f"{', '.join(running)} have {grace} s to end", "wait")
    for event in _newest(facts.events, "FailedKillPod", "FailedPreStopHook").values():
        yield Reason("ending", _short(event.get("message") or ""))


def _over(_facts: Facts, pod: Object) -> Iterator[Reason]:
    status = _status(pod)
    if status.get("phase") != "Failed":
        return
    if status.get("reason"):
        remedy = _OVER.get(status["reason"], "")
        yield Reason(
            status["reason"], _short(status.get("message") or "the pod was ended as a whole"), remedy
        )
    for container in _statuses(pod):
        ended = (container.get("state") or {}).get("terminated") or {}
        if ended and ended.get("exitCode") != 0:
            yield _exit(container["name"], ended)


def _unscheduled(facts: Facts, pod: Object) -> Iterator[Reason]:
    spec = pod.get("spec") or {}
    if spec.get("nodeName") or _is_over(pod):
        return
    if gates := spec.get("schedulingGates"):
        names = ", ".join(gate["name"] for gate in gates)
        yield Reason("scheduling gates", f"{names} hold it back", "whoever set them removes them")
        return
    condition = _condition(pod, "PodScheduled")
    decision = facts.decision or {}
    message = condition.get("message") or decision.get("message") or ""
    if message:
        yield Reason("scheduler", _short(message), f"wherry explain pod {facts.name} -n {facts.namespace}")
    for change in (decision.get("changes") or ())[:1]:
        steps = "; and ".join(step["change"] for step in change.get("steps") or ())
        yield Reason("scheduler", f"it would fit with this: {steps}")
    if not message:
        scheduler = spec.get("schedulerName") or "default-scheduler"
        yield Reason("scheduler", f"{scheduler} has not looked at it yet", "see whether that scheduler runs")


def _unbound(facts: Facts, pod: Object) -> Iterator[Reason]:
    if _is_over(pod):
        return
    for name, claim in facts.claims.items():
        if claim is None:
            yield Reason(f"claim {name}", "there is no such PersistentVolumeClaim", "create it")
        elif _status(claim).get("phase") != "Bound":
            phase = _status(claim).get("phase") or "Pending"
            yield Reason(
                f"claim {name}", f"it is {phase}", f"kubectl describe pvc {name} -n {facts.namespace}"
            )


def _node(facts: Facts, pod: Object) -> Iterator[Reason]:
    name = (pod.get("spec") or {}).get("nodeName")
    if not name or _is_over(pod):
        return
    if facts.node is None:
        yield Reason(
            f"node {name}", "there is no such node any more", "the pod will be removed, or delete it"
        )
        return
    ready = _condition(facts.node, "Ready")
    if ready.get("status") != "True":
        why = ready.get("message") or ready.get("reason") or "it does not say that it is"
        yield Reason(f"node {name}", f"it is not Ready: {_short(why)}", f"kubectl describe node {name}")
    for kind in ("MemoryPressure", "DiskPressure", "PIDPressure"):
        condition = _condition(facts.node, kind)
        if condition.get("status") == "True":
            message = _short(condition.get("message") or "")
            yield Reason(f"node {name}", f"{kind}: {message}", "make room on the node")


def _sandbox(facts: Facts, pod: Object) -> Iterator[Reason]:
    if _has_begun(pod) or _is_over(pod):
        return
    for reason, what, remedy in _BEFORE_CONTAINERS:
        for event in _newest(facts.events, reason).values():
            yield Reason(what, _short(event.get("message") or reason), remedy)


def _containers(facts: Facts, pod: Object) -> Iterator[Reason]:
    if metadata(pod).get("deletionTimestamp") or _is_over(pod):
        return
    initializing = False
    for container in _status(pod).get("initContainerStatuses") or ():
        name, state = container["name"], container.get("state") or {}
        if state.get("running") and not _is_sidecar(pod, name):
            initializing = True
            yield Reason(f"init container {name}", "it has not ended yet", _logs(facts, name))
        yield from _waiting(facts, container, f"init container {name}")
    for container in _status(pod).get("containerStatuses") or ():
        name = container["name"]
        if not initializing:
            yield from _waiting(facts, container, f"container {name}")
        ended = (container.get("state") or {}).get("terminated")
        if ended:
            yield _exit(name, ended)


def _waiting(facts: Facts, container: Object, what: str) -> Iterator[Reason]:
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason = waiting.get("reason") or ""
    if reason in ("", "PodInitializing", "ContainerCreating"):
        return
    if reason == "CrashLoopBackOff":
        ended = (container.get("lastState") or {}).get("terminated") or {}
        times = container.get("restartCount") or 0
        told = _exit(container["name"], ended)
        why = f"it ended {times} times and waits before the next try; {told.why}"
        logs = _logs(facts, container["name"]) + " --previous"
        has_log = ended.get("reason") not in ("OOMKilled", *NOT_STARTED)
        yield Reason(what, why, logs if has_log else told.try_)
        return
    yield Reason(what, f"{reason}: {_short(waiting.get('message') or '')}", _WAITING.get(reason, ""))


def _exit(name: str, ended: Object) -> Reason:
    """What is to be said of a container that ended."""
    code, reason = ended.get("exitCode"), ended.get("reason") or ""
    message = _short(ended.get("message") or "")
    if reason == "OOMKilled":
        why, remedy = "it used more memory than its limit allows (OOMKilled)", "raise its memory limit"
    elif reason in NOT_STARTED:
        why, remedy = "it could not be started", _WAITING["RunContainerError"]
    elif code is not None and code > 128:
        why, remedy = f"signal {code - 128} ended it (exit code {code})", "see its log"
    else:
        why, remedy = f"it ended with exit code {code}", "see its log"
    if code in _CODES and reason not in NOT_STARTED:
        why, remedy = f"{why}: {_CODES[code]}", "check its command and its image"
    return Reason(f"container {name}", f"{why}{f': {message}' if message else ''}", remedy)


def _probes(facts: Facts, pod: Object) -> Iterator[Reason]:
    if _status(pod).get("phase") != "Running" or metadata(pod).get("deletionTimestamp"):
        return
    unready = [
        c["name"]
        for c in _status(pod).get("containerStatuses") or ()
        if (c.get("state") or {}).get("running") and not c.get("ready")
    ]
    failing = [e for e in facts.events if e.get("reason") == "Unhealthy"]
    for name in unready:
        own = [
            e for e in failing if f"{{{name}}}" in ((e.get("involvedObject") or {}).get("fieldPath") or "")
        ]
        if own:
            yield Reason(f"container {name}", _short(own[-1].get("message") or ""), _logs(facts, name))
        else:
            yield Reason(f"container {name}", "its probes have not succeeded yet", "wait, or see its probes")
    for gate in (pod.get("spec") or {}).get("readinessGates") or ():
        if _condition(pod, gate["conditionType"]).get("status") != "True":
            yield Reason(
                f"readiness gate {gate['conditionType']}", "it is not True", "whoever sets it has to"
            )


def _resizes(_facts: Facts, pod: Object) -> Iterator[Reason]:
    for kind in ("PodResizePending", "PodResizeInProgress"):
        condition = _condition(pod, kind)
        if condition.get("status") == "True" and condition.get("message"):
            yield Reason("resize", f"{condition.get('reason', kind)}: {_short(condition['message'])}")


_RULES: Sequence[Callable[[Facts, Object], Iterator[Reason]]] = (
    _ending,
    _over,
    _unscheduled,
    _unbound,
    _node,
    _sandbox,
    _containers,
    _probes,
    _resizes,
)
_BEFORE_CONTAINERS = (
    ("FailedMount", "volumes", "mend the volume the message names; it is tried again by itself"),
    ("FailedAttachVolume", "volumes", "mend the volume the message names; it is tried again by itself"),
    ("FailedMapVolume", "volumes", "mend the volume the message names; it is tried again by itself"),
    ("FailedCreatePodSandBox", "sandbox", "see the node's runtime: wherry logs agent"),
    ("NetworkNotReady", "network", "see the node: kubectl describe node"),
)
_OVER = {
    "Evicted": "make room on the node, or have the pod ask for what it uses",
    "DeadlineExceeded": "raise activeDeadlineSeconds",
    "OutOfcpu": "what made the pod makes another",
    "OutOfmemory": "what made the pod makes another",
    "NodeAffinity": "the node's labels do not fit the pod any more",
    "SysctlForbidden": "allow the parameter on the node (allowedUnsafeSysctls), or leave it out",
}
_PULL = (
    "check the image's name, the registry and imagePullSecrets; "
    "or have it without a registry: wherry image load ARCHIVE"
)
_WAITING = {
    "ErrImagePull": _PULL,
    "ImagePullBackOff": _PULL,
    "InvalidImageName": "mend the image's name",
    "ErrImageNeverPull": "load the image (wherry image load), or let it be pulled",
    "CreateContainerConfigError": "create what the message names",
    "CreateContainerError": "see the message; wherry logs agent has more",
    "RunContainerError": "check the container's command: the program must be in the image",
    "PostStartHookError": "mend the postStart hook",
}
_CODES = {126: "the program cannot be executed", 127: "the program was not found"}


def _status(obj: Object) -> Mapping[str, Any]:
    return obj.get("status") or {}


def _condition(obj: Object, kind: str) -> Mapping[str, Any]:
    return next((c for c in _status(obj).get("conditions") or () if c.get("type") == kind), {})


def _statuses(pod: Object) -> list[Object]:
    status = _status(pod)
    return [c for kind in ("initContainerStatuses", "containerStatuses") for c in status.get(kind) or ()]


def _runs(container: Object) -> bool:
    return bool((container.get("state") or {}).get("running"))


def _is_over(pod: Object) -> bool:
    return _status(pod).get("phase") in ("Succeeded", "Failed")


def _has_begun(pod: Object) -> bool:
    """Whether any container ran: what is said of volumes and sandbox is over then."""
    return any(
        (c.get("state") or {}).get(kind) or (c.get("lastState") or {}).get(kind)
        for c in _statuses(pod)
        for kind in ("running", "terminated")
    )


def _is_sidecar(pod: Object, name: str) -> bool:
    containers = (pod.get("spec") or {}).get("initContainers") or ()
    return any(c["name"] == name and c.get("restartPolicy") == "Always" for c in containers)


def _newest(events: Sequence[Object], *reasons: str) -> dict[tuple[str, str], Object]:
    """The newest event of each reason about each object."""
    found: dict[tuple[str, str], Object] = {}
    for event in events:
        if event.get("reason") in reasons:
            found[event["reason"], (event.get("involvedObject") or {}).get("name") or ""] = event
    return found


def _logs(facts: Facts, container: str) -> str:
    return f"kubectl logs {facts.name} -n {facts.namespace} -c {container}"


def _short(text: str) -> str:
    """The message in one line; of a long one beginning and end, in whole words where there are any."""
    one_line = " ".join(text.split())
    if len(one_line) <= SHOWN:
        return one_line
    head, tail = one_line[:HEAD], one_line[HEAD + 5 - SHOWN :]
    return f"{head.rpartition(' ')[0] or head} ... {tail.partition(' ')[2] or tail}"
