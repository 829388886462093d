"""What simulated pods do by themselves: the stages of an `Outcome`.

They start (with init containers first, if these take time), become Ready, come to their end, crash and are
restarted, cannot be pulled, are evicted, and go when they are deleted; events and reasons are the kubelet's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from wherry.api.core.pods import PODS
from wherry.client.events import NORMAL, WARNING
from wherry.client.transport import STRATEGIC_PATCH
from wherry.hollow.outcomes import Outcome
from wherry.hollow.pod_stage import began, is_running, stage, status_patch, until
from wherry.hollow.pod_status import (
    amounts,
    are_conditions_true_to,
    container_status,
    containers_of,
    is_other_size,
    is_sidecar,
    is_terminal,
    phase_of,
    pod_conditions,
    pod_status,
    running,
    spec_of,
    state_of,
    status_of,
    statuses_of,
    terminated,
    waiting,
)
from wherry.hollow.restarts import exit_stages
from wherry.hollow.stages import Delay, Delete, Patch, Say, Stage, Step, Surroundings
from wherry.objects.meta import Object, format_time, is_deleting, metadata, owners_of, uid_of

BY_SIGTERM = 143


def pod_stages(outcome: Outcome) -> tuple[Stage, ...]:
    """The stages pods of that outcome go through. At most one of them fits a pod at any time."""
    stages = [_delete(outcome)]
    if outcome.never_pulls:
        return (*stages, _pull(), _pull_back_off())
    stages += [_initialize(outcome)] if outcome.init_takes_s else []
    stages.append(_start(outcome))
    if outcome.evicted is not None:
        stages.append(_evict(outcome))
    elif outcome.exits is not None:
        stages += exit_stages(outcome.exits)
    else:
        stages.append(_complete(outcome))
    return (*stages, _resize(), *_readiness(outcome))


# Its end by deletion


def _delete(outcome: Outcome) -> Stage:
    def matches(pod: Object) -> bool:
        is_over = metadata(pod).get("deletionGracePeriodSeconds") == 0 and is_terminal(pod)
        return is_deleting(pod) and not (metadata(pod).get("finalizers") and is_over)

    def delay(pod: Object, now: datetime) -> Delay:
        grace_s = float(metadata(pod).get("deletionGracePeriodSeconds") or 0)
        return Delay(
            until(metadata(pod)["deletionTimestamp"], min(outcome.stops_after_s, grace_s) - grace_s, now)
        )

    def steps(pod: Object) -> Sequence[Step]:
        # Whoever holds the pod by a finalizer sees it end first; to all others it is gone at once.
        if metadata(pod).get("finalizers") and not is_terminal(pod):
            return status_patch(_terminated), Delete()
        return (Delete(),)

    return Stage(name="pod-delete", resource=PODS, matches=matches, steps=steps, delay=delay, is_ordered=True)


def _ended(pod: Object, now: str) -> Object:
    """All containers have done what they were to do."""
    return pod_status(pod, "Succeeded", now, containers=_all_ended(pod, 0, now), inits=_inits_ended(pod, now))


def _terminated(pod: Object, now: str) -> Object:
    """SIGTERM ended all containers before they had done; the phase is what the kubelet makes of that."""
    containers = _all_ended(pod, BY_SIGTERM, now)
    return pod_status(pod, "Failed", now, containers=containers, inits=_inits_ended(pod, now))


def _all_ended(pod: Object, code: int, now: str) -> list[Object]:
    old = statuses_of(pod)
    return [
        dict(old[spec["name"]])
        if state_of(old.get(spec["name"]), "terminated")
        else container_status(pod, spec, terminated(old.get(spec["name"]), code, now))
        for spec in containers_of(pod)
    ]


def _inits_ended(pod: Object, now: str) -> list[Object]:
    """Init containers as they are, sidecars ended."""
    old = statuses_of(pod, is_init=True)
    found = []
    for spec in containers_of(pod, is_init=True):
        status = old.get(spec["name"])
        if status is not None and state_of(status, "terminated"):
            found.append(dict(status))
        else:
            found.append(container_status(pod, spec, terminated(status, 0, now), ready=not is_sidecar(spec)))
    return found


# Its beginning


def _initialize(outcome: Outcome) -> Stage:
    """One init container after the other runs for its time."""

    def matches(pod: Object) -> bool:
        return phase_of(pod) == "Pending" and not _is_initialized(pod)

    def delay(pod: Object, now: datetime) -> float:
        found = (state_of(status, "running") for status in statuses_of(pod, is_init=True).values())
        runs = max((state["startedAt"] for state in found if state), default=None)
        return until(runs, outcome.init_takes_s, now) if runs else outcome.starts_after_s

    def change(pod: Object, around: Surroundings) -> Object:
        now = format_time(around.now())
        inits, is_next = [], True
        old = statuses_of(pod, is_init=True)
        for spec in containers_of(pod, is_init=True):
            status = old.get(spec["name"])
            if is_sidecar(spec):
                runs = is_next or bool(status and status.get("started"))
                state = running(now) if runs else waiting("PodInitializing")
                inits.append(
                    dict(status)
                    if status and runs and status.get("started")
                    else container_status(pod, spec, state, ready=runs)
                )
            elif state_of(status, "terminated"):
                inits.append(dict(status or {}))
            elif state_of(status, "running"):
                inits.append(container_status(pod, spec, terminated(status, 0, now), ready=True))
            else:
                inits.append(
                    container_status(pod, spec, running(now) if is_next else waiting("PodInitializing"))
                )
                is_next = False
        waits = [container_status(pod, spec, waiting("PodInitializing")) for spec in containers_of(pod)]
        status = pod_status(pod, "Pending", now, containers=waits, inits=inits)
        return {"status": {**status, **_addresses(pod, around)}}

    return stage("pod-initialize", matches, delay, Patch(change, STRATEGIC_PATCH, "status"))


def _is_initialized(pod: Object) -> bool:
    old = statuses_of(pod, is_init=True)
    return all(
        state_of(old.get(spec["name"]), "terminated") is not None
        for spec in containers_of(pod, is_init=True)
        if not is_sidecar(spec)
    )


def _start(outcome: Outcome) -> Stage:
    ready = outcome.unready_after_s != 0

    def matches(pod: Object) -> bool:
        return phase_of(pod) == "Pending" and (not outcome.init_takes_s or _is_initialized(pod))

    def delay(pod: Object, _now: datetime) -> float:
        return 0.0 if statuses_of(pod, is_init=True) else outcome.starts_after_s

    def change(pod: Object, around: Surroundings) -> Object:
        now = format_time(around.now())
        containers = [container_status(pod, spec, running(now), ready=ready) for spec in containers_of(pod)]
        status = pod_status(pod, "Running", now, containers=containers, inits=_inits_begun(pod, now))
        return {"status": {**status, **_addresses(pod, around)}}

    return stage("pod-start", matches, delay, Patch(change, STRATEGIC_PATCH, "status"))


def _inits_begun(pod: Object, now: str) -> list[Object]:
    """Init containers have ended well, sidecars run."""
    old = statuses_of(pod, is_init=True)
    found = []
    for spec in containers_of(pod, is_init=True):
        status = old.get(spec["name"])
        if status is not None and (state_of(status, "terminated") or status.get("started")):
            found.append(dict(status))
        elif is_sidecar(spec):
            found.append(container_status(pod, spec, running(now), ready=True))
        else:
            found.append(container_status(pod, spec, terminated(None, 0, now), ready=True))
    return found


def _addresses(pod: Object, around: Surroundings) -> Object:
    node, network = spec_of(pod).get("nodeName") or "", bool(spec_of(pod).get("hostNetwork"))
    hosts = around.node_ips(node)
    ips = around.pod_ips(node, uid_of(pod), host_network=network)
    found: Object = {}
    if hosts:
        found |= {"hostIP": hosts[0], "hostIPs": [{"ip": ip} for ip in hosts]}
    if ips:
        found |= {"podIP": ips[0], "podIPs": [{"ip": ip} for ip in ips]}
    return found


# Its size


def _resize() -> Stage:
    """What its spec asks for is what it has at once (KEP-1287): whoever resizes it sees that it was done."""

    def of(pod: Object, *, is_init: bool) -> list[tuple[Mapping[str, Any], Mapping[str, Any] | None]]:
        known = statuses_of(pod, is_init=is_init)
        return [(spec, known.get(spec["name"])) for spec in containers_of(pod, is_init=is_init)]

    def matches(pod: Object) -> bool:
        every = (*of(pod, is_init=False), *of(pod, is_init=True))
        return is_running(pod) and any(is_other_size(spec, status) for spec, status in every)

    def change(pod: Object, now: str) -> Object:
        regular, initial = (
            [
                {**status, **amounts(spec)} if is_other_size(spec, status) else dict(status)
                for spec, status in of(pod, is_init=is_init)
                if status is not None
            ]
            for is_init in (False, True)
        )
        return pod_status(pod, "Running", now, containers=regular, inits=initial)

    return stage("pod-resize", matches, lambda _pod, _now: 0.0, status_patch(change))


# Readiness


def _readiness(outcome: Outcome) -> tuple[Stage, ...]:
    """Containers' readiness follows the outcome, conditions follow the containers and the readiness gates."""

    def has_other(pod: Object, wanted: bool) -> bool:
        return is_running(pod) and any(
            state_of(status, "running") and bool(status.get("ready")) != wanted
            for status in statuses_of(pod).values()
        )

    def turned(wanted: bool) -> Patch:
        def change(pod: Object, now: str) -> Object:
            containers = [
                {**status, "ready": wanted} if state_of(status, "running") else dict(status)
                for status in statuses_of(pod).values()
            ]
            return pod_status(pod, "Running", now, containers=containers)

        return status_patch(change)

    after_s = outcome.unready_after_s
    conditions = stage(
        "pod-conditions",
        lambda pod: is_running(pod) and not are_conditions_true_to(pod),
        lambda _pod, _now: 0.0,
        status_patch(_conditions),
    )
    if after_s is None:
        ready = stage("pod-ready", lambda pod: has_other(pod, True), lambda _pod, _now: 0.0, turned(True))
        return ready, conditions
    probed = Say(WARNING, "Unhealthy", "Readiness probe failed: simulated")
    unready = stage(
        "pod-unready",
        lambda pod: has_other(pod, False),
        lambda pod, now: until(began(pod), after_s, now),
        turned(False),
        probed,
    )
    return unready, conditions


def _conditions(pod: Object, now: str) -> Object:
    statuses = (list(found.values()) for found in (statuses_of(pod), statuses_of(pod, is_init=True)))
    return {"conditions": pod_conditions(pod, phase_of(pod), now, *statuses)}


# Its end by itself


def comes_to_an_end(pod: Object) -> bool:
    """Whether the pod's work is over some day: it belongs to a Job, or is not restarted for ever."""
    owned = any(owner.get("kind") == "Job" for owner in owners_of(pod))
    return owned or spec_of(pod).get("restartPolicy", "Always") != "Always"


def _complete(outcome: Outcome) -> Stage:
    return stage(
        "pod-complete",
        lambda pod: is_running(pod) and comes_to_an_end(pod),
        lambda pod, now: until(began(pod), outcome.completes_after_s, now),
        status_patch(_ended),
    )


def _evict(outcome: Outcome) -> Stage:
    assert outcome.evicted is not None
    evicted = outcome.evicted

    def change(pod: Object, now: str) -> Object:
        status = pod_status(
            pod,
            "Failed",
            now,
            containers=_all_ended(pod, 137, now),
            inits=_inits_ended(pod, now),
            reason="Evicted",
            message=evicted.message,
        )
        disruption = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "TerminationByKubelet",
            "message": evicted.message,
            "lastTransitionTime": now,
        }
        return {**status, "conditions": [*status["conditions"], disruption]}

    return stage(
        "pod-evict",
        lambda pod: is_running(pod),
        lambda pod, now: until(status_of(pod).get("startTime"), evicted.after_s, now),
        Say(WARNING, "Evicted", evicted.message),
        status_patch(change),
    )


# Images that cannot be pulled


def _images(pod: Object) -> Mapping[str, Any]:
    return {spec["name"]: spec.get("image") or "" for spec in containers_of(pod)}


def _first_image(pod: Object) -> str:
    return next(iter(_images(pod).values()), "")


_PULL_ERROR = "failed to pull and unpack image: simulated: not found"


def _waits_for(pod: Object, reason: str) -> bool:
    found = (state_of(status, "waiting") for status in statuses_of(pod).values())
    return any(state is not None and state.get("reason") == reason for state in found)


def _unpulled(reason: str, said: Callable[[str], str]) -> Patch:
    def change(pod: Object, around: Surroundings) -> Object:
        now = format_time(around.now())
        waits = [
            container_status(pod, spec, waiting(reason, said(spec.get("image") or "")))
            for spec in containers_of(pod)
        ]
        status = pod_status(pod, "Pending", now, containers=waits, inits=_inits_begun(pod, now))
        return {"status": {**status, **_addresses(pod, around)}}

    return Patch(change, STRATEGIC_PATCH, "status")


def _pull() -> Stage:
    return stage(
        "pod-pull",
        lambda pod: phase_of(pod) == "Pending" and not statuses_of(pod),
        lambda _pod, _now: 0.0,
        Say(NORMAL, "Pulling", lambda pod: f'Pulling image "{_first_image(pod)}"'),
        Say(WARNING, "Failed", lambda pod: f'Failed to pull image "{_first_image(pod)}": {_PULL_ERROR}'),
        Say(WARNING, "Failed", "Error: ErrImagePull"),
        _unpulled("ErrImagePull", lambda _: _PULL_ERROR),
    )


def _pull_back_off() -> Stage:
    return stage(
        "pod-pull-back-off",
        lambda pod: phase_of(pod) == "Pending" and _waits_for(pod, "ErrImagePull"),
        lambda _pod, _now: 1.0,
        Say(NORMAL, "BackOff", lambda pod: f'Back-off pulling image "{_first_image(pod)}"'),
        Say(WARNING, "Failed", "Error: ImagePullBackOff"),
        _unpulled("ImagePullBackOff", lambda image: f'Back-off pulling image "{image}": {_PULL_ERROR}'),
    )
