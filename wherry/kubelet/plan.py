"""What to do for a pod next: a pure function of its spec and of what runs.

`plan_pod` says whether a sandbox is needed, which containers to stop and why, which to start, which
wait for their back-off, and whether the pod's work is over. It does one step: it is asked again as soon
as the step is done or something changed, so an agent that was killed in the middle simply goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from wherry.kubelet.allocation.progress import Actual, Change, as_asked, change_of
from wherry.kubelet.observation import HASH, Health, Observation
from wherry.kubelet.pod import (
    container_hash,
    container_status,
    describe,
    ephemeral_containers,
    init_containers,
    is_sidecar,
    regular_containers,
    restart_policy,
    should_restart,
    uses_host_network,
)
from wherry.kubelet.runtimes.containers import Container, Phase
from wherry.objects.meta import Object

RemainingS = Callable[[str, datetime], float]
"""Seconds a container of that name, ended then, must still wait before it is restarted."""


@dataclass(frozen=True, slots=True)
class Start:
    """A container to start; `kind` is init, regular or ephemeral; `ended` when its last run ended.

    `target_id` is the container whose processes an ephemeral one asks to share, if it is there.
    `leftover` was made for this very run and never started: the agent was killed in between.
    """

    container: Object
    attempt: int
    kind: str
    ended: datetime | None = None
    target_id: str = ""
    leftover: str = ""


@dataclass(frozen=True, slots=True)
class Kill:
    """A container to stop, with the message its Killing event shows and the probe that asked for it."""

    container: Container
    message: str
    probe: str = ""


@dataclass(slots=True)
class Plan:
    """One step.

    `new_sandbox` tells that a sandbox is to be made (with `sandbox_attempt`) after `stale_sandboxes`
    are stopped. `finish` says nothing of the pod needs to run any more. `backing_off` maps containers
    to the seconds they still wait. `resize` are running containers to give other limits, `resize_pod` tells
    that the pod's own cgroup is to have others, too.
    """

    new_sandbox: bool = False
    sandbox_attempt: int = 0
    stale_sandboxes: list[str] = field(default_factory=list)
    finish: bool = False
    kill: list[Kill] = field(default_factory=list)
    start: list[Start] = field(default_factory=list)
    backing_off: dict[str, float] = field(default_factory=dict)
    resize: list[Change] = field(default_factory=list)
    resize_pod: bool = False

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do now."""
        return not (
            self.new_sandbox or self.stale_sandboxes or self.finish or self.kill or self.start or self.resizes
        )

    @property
    def resizes(self) -> bool:
        """Whether something that runs is to have other limits, the pod's own cgroup with it."""
        return bool(self.resize) or self.resize_pod


def plan_pod(
    pod: Object,
    seen: Observation,
    health: Health,
    remaining_s: RemainingS,
    actual: Actual = as_asked,
    *,
    has_other_limits: bool = False,
) -> Plan:
    """The next step for a pod that is neither deleted nor past its deadline.

    `pod` is as it was allocated, `actual` tells what its running containers were last given;
    `has_other_limits` that the pod's own cgroup was given something else.
    """
    plan = Plan()
    if _needs_sandbox(pod, seen, plan):
        _plan_fresh_start(pod, seen, plan)
        return plan
    _plan_ephemeral(pod, seen, plan)
    plan.resize_pod = has_other_limits and bool(seen.running())
    if not _plan_init(pod, seen, health, remaining_s, plan):
        _plan_resizes(pod, seen, actual, plan)
        return plan
    keep = _plan_regular(pod, seen, health, remaining_s, plan)
    _plan_resizes(pod, seen, actual, plan)
    if not keep and _only_sidecars(pod, plan):
        plan.finish = True
        plan.start.clear()
        plan.kill.clear()
        plan.backing_off.clear()
        plan.resize.clear()
        plan.resize_pod = False
    return plan


def next_attempt(pod: Object, seen: Observation, name: str) -> int:
    """The number of the container's next run, counting on from what the API server remembers.

    One that was made and never started has not run: its number is still to be used.
    """
    latest = seen.latest(name)
    if latest is not None:
        return latest.attempt + (not _never_ran(latest))
    status = container_status(pod, name)
    return int(status.get("restartCount") or 0) + 1 if status.get("containerID") else 0


def _never_ran(latest: Container | None) -> bool:
    return latest is not None and latest.phase is Phase.CREATED


def _leftover(seen: Observation, name: str) -> str:
    latest = seen.latest(name)
    return latest.id if latest is not None and _never_ran(latest) else ""


def _needs_sandbox(pod: Object, seen: Observation, plan: Plan) -> bool:
    newest = seen.sandbox
    plan.stale_sandboxes = [s.id for s in seen.sandboxes[1:] if s.ready]
    if newest is None:
        plan.new_sandbox = True
        return True
    plan.sandbox_attempt = newest.attempt + 1
    broken = (
        not newest.ready
        or newest.host_network != uses_host_network(pod)
        or (not newest.host_network and not newest.ips)
    )
    if not broken:
        return False
    # One that died by itself still has its address and host ports: they are given back when it is stopped.
    plan.stale_sandboxes = [sandbox.id for sandbox in seen.sandboxes]
    plan.new_sandbox = True
    return True


def _plan_fresh_start(pod: Object, seen: Observation, plan: Plan) -> None:
    """Everything starts over in a new sandbox, unless the pod has done its work."""
    if restart_policy(pod) == "Never" and plan.sandbox_attempt > 0 and seen.containers:
        plan.new_sandbox, plan.stale_sandboxes, plan.finish = False, [], True
        return
    wanted = [c for c in regular_containers(pod) if not _is_done(pod, seen, c)]
    if not wanted:
        plan.new_sandbox, plan.stale_sandboxes, plan.finish = False, [], True
        return
    first = init_containers(pod)[:1]
    kind = "init" if first else "regular"
    for container in first or wanted:
        ended = seen.latest(container["name"])
        plan.start.append(
            Start(
                container,
                next_attempt(pod, seen, container["name"]),
                kind,
                ended.finished if ended is not None else None,
                leftover=_leftover(seen, container["name"]),
            )
        )


def _is_done(pod: Object, seen: Observation, container: Object) -> bool:
    latest = seen.latest(container["name"])
    return (
        latest is not None
        and latest.phase is Phase.EXITED
        and not should_restart(pod, container, latest.exit_code)
    )


def _plan_ephemeral(pod: Object, seen: Observation, plan: Plan) -> None:
    for container in ephemeral_containers(pod):
        name = container["name"]
        leftover = _leftover(seen, name)
        is_new = seen.latest(name) is None and not container_status(pod, name).get("containerID")
        if is_new or leftover:
            target = seen.latest(container.get("targetContainerName") or "")
            target_id = target.id if target else ""
            plan.start.append(Start(container, 0, "ephemeral", target_id=target_id, leftover=leftover))


def _plan_init(pod: Object, seen: Observation, health: Health, remaining_s: RemainingS, plan: Plan) -> bool:
    """Plan init containers; whether the regular ones may run."""
    past = any(seen.current(c["name"]) is not None for c in regular_containers(pod))
    for container in init_containers(pod):
        if is_sidecar(container):
            if not _plan_sidecar(pod, seen, health, remaining_s, plan, container) and not past:
                return False
            continue
        if past:
            continue
        current = seen.current(container["name"])
        if current is not None and current.phase is Phase.RUNNING:
            return False
        if current is not None and current.phase is Phase.EXITED and current.exit_code == 0:
            continue
        has_ended = current is not None and current.phase is Phase.EXITED
        if current is not None and has_ended and not should_restart(pod, container, current.exit_code):
            plan.finish = True
            plan.start.clear()
            return False
        _plan_start(pod, seen, remaining_s, plan, container, "init")
        return False
    return True


def _plan_sidecar(
    pod: Object,
    seen: Observation,
    health: Health,
    remaining_s: RemainingS,
    plan: Plan,
    container: Object,
) -> bool:
    """Keep a sidecar up; whether it is up."""
    current = seen.current(container["name"])
    if current is None or current.phase is not Phase.RUNNING:
        _plan_start(pod, seen, remaining_s, plan, container, "init")
        return False
    _plan_kill(container, current, health, plan)
    return health.is_started(container, current)


def _plan_regular(
    pod: Object, seen: Observation, health: Health, remaining_s: RemainingS, plan: Plan
) -> bool:
    """Plan regular containers; whether any of them runs on."""
    keep = False
    for container in regular_containers(pod):
        current = seen.current(container["name"])
        if current is not None and current.phase is Phase.RUNNING:
            keep = True
            _plan_kill(container, current, health, plan)
        elif (
            current is None
            or current.phase is not Phase.EXITED
            or should_restart(pod, container, current.exit_code)
        ):
            _plan_start(pod, seen, remaining_s, plan, container, "regular")
    return keep


def _plan_kill(container: Object, current: Container, health: Health, plan: Plan) -> None:
    name = container["name"]
    probe = health.failed.get(current.id, "")
    known_hash = current.annotations.get(HASH)
    if known_hash and known_hash != container_hash(container):
        plan.kill.append(Kill(current, f"Container {name} definition changed, will be restarted"))
    elif probe:
        plan.kill.append(Kill(current, f"Container {name} failed {probe} probe, will be restarted", probe))


def _plan_resizes(pod: Object, seen: Observation, actual: Actual, plan: Plan) -> None:
    """Plan what changes of containers that run on, restarting those whose policy asks for it."""
    if plan.finish:
        plan.resize_pod = False
        return
    killed = {kill.container.id for kill in plan.kill}
    for kind, containers in (("init", init_containers(pod)), ("regular", regular_containers(pod))):
        for container in containers:
            current = seen.current(container["name"])
            if current is None or current.phase is not Phase.RUNNING or current.id in killed:
                continue
            change = change_of(container, current, actual)
            if change is None:
                continue
            if not change.needs_restart:
                plan.resize.append(change)
                continue
            plan.kill.append(Kill(current, f"Container {container['name']} resize requires restart"))
            plan.start.append(Start(container, next_attempt(pod, seen, container["name"]), kind))
            plan.resize_pod = True


def _plan_start(
    pod: Object, seen: Observation, remaining_s: RemainingS, plan: Plan, container: Object, kind: str
) -> None:
    name = container["name"]
    latest = seen.latest(name)
    ended = latest.finished or latest.created if latest is not None else None
    wait_s = remaining_s(name, ended) if ended is not None else 0.0
    if wait_s > 0:
        plan.backing_off[name] = wait_s
    else:
        attempt = next_attempt(pod, seen, name)
        plan.start.append(Start(container, attempt, kind, ended, leftover=_leftover(seen, name)))


def _only_sidecars(pod: Object, plan: Plan) -> bool:
    """Whether all that is planned concerns containers that alone keep no pod alive."""
    sidecars = {c["name"] for c in [*init_containers(pod), *ephemeral_containers(pod)]}
    planned = {s.container["name"] for s in plan.start} | {k.container.name for k in plan.kill}
    return planned | plan.backing_off.keys() <= sidecars


def back_off_message(pod: Object, container_name: str, delay_s: float) -> str:
    """What a container waiting for its restart says."""
    return (
        f"back-off {show_duration(delay_s)} restarting failed container={container_name} pod={describe(pod)}"
    )


def back_off_event(pod: Object, container_name: str) -> str:
    """What the event about it says."""
    return f"Back-off restarting failed container {container_name} in pod {describe(pod)}"


def show_duration(seconds: float) -> str:
    """A duration as Go prints it, to the second: 10s, 2m40s, 5m0s."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def deadline_left_s(pod: Object, now: datetime, started: datetime | None) -> float | None:
    """Seconds until `activeDeadlineSeconds` is over (0 or less: it is), None without a deadline."""
    limit = (pod.get("spec") or {}).get("activeDeadlineSeconds")
    if limit is None or started is None:
        return None
    # A clock that was set back gives nobody more than the limit.
    return min(float(limit), float(limit) - (now - started).total_seconds())
