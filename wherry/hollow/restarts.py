"""Containers that exit, and what their restart policy makes of it: CrashLoopBackOff and all.

The back-off is the kubelet's (10 s, doubled up to 5 minutes, none for the first restart), counted from
`restartCount`, so that nothing has to be remembered. Source: upstream's kuberuntime_manager.go, doBackOff.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from wherry.client.events import WARNING
from wherry.hollow.outcomes import Exits
from wherry.hollow.pod_stage import began, is_running, stage, status_patch, until
from wherry.hollow.pod_status import (
    container_status,
    containers_of,
    pod_status,
    running,
    spec_of,
    state_of,
    statuses_of,
    terminated,
    waiting,
)
from wherry.hollow.stages import Say, Stage, Step
from wherry.objects.meta import Object, name_of, namespace_of, uid_of

FIRST_BACK_OFF_S = 10.0
LONGEST_BACK_OFF_S = 300.0


def exit_stages(exits: Exits) -> list[Stage]:
    """The stages of pods whose containers exit: the end, and the restart if there is one."""

    def exiting(pod: Object) -> list[Mapping[str, Any]]:
        return [
            spec
            for spec in containers_of(pod)
            if (not exits.container or spec["name"] == exits.container)
            and state_of(statuses_of(pod).get(spec["name"]), "running") is not None
        ]

    def resting(pod: Object) -> list[Mapping[str, Any]]:
        return [spec for spec in containers_of(pod) if _rests(pod, spec)]

    def end(pod: Object, now: str) -> Object:
        return _end(pod, [spec["name"] for spec in exiting(pod)], exits, now)

    def ending(pod: Object) -> list[Step]:
        steps: list[Step] = [status_patch(end)]
        if is_restarted(pod, exits.code):
            steps += [
                Say(
                    WARNING,
                    "BackOff",
                    f"Back-off restarting failed container {spec['name']} in pod {_whole_name(pod)}",
                )
                for spec in exiting(pod)
                if back_off_s(statuses_of(pod)[spec["name"]].get("restartCount") or 0, exits.after_s)
            ]
        return steps

    def again(pod: Object, now: str) -> Object:
        names = {spec["name"] for spec in resting(pod)}
        old = statuses_of(pod)
        containers = [
            container_status(
                pod,
                spec,
                running(now),
                ready=True,
                restarts=(old[spec["name"]].get("restartCount") or 0) + 1,
            )
            if spec["name"] in names
            else dict(old.get(spec["name"]) or {})
            for spec in containers_of(pod)
        ]
        return pod_status(pod, "Running", now, containers=containers)

    def wait(pod: Object, now: datetime) -> float:
        return max((_wait_s(pod, spec, exits, now) for spec in resting(pod)), default=0.0)

    return [
        stage(
            "pod-exit",
            lambda pod: is_running(pod) and bool(exiting(pod)),
            lambda pod, now: until(began(pod), exits.after_s, now),
            steps_of=ending,
        ),
        stage(
            "pod-restart",
            lambda pod: is_running(pod) and not exiting(pod) and bool(resting(pod)),
            wait,
            status_patch(again),
        ),
    ]


def back_off_s(restarts: int, ran_s: float) -> float:
    """Seconds to wait before the restart after `restarts` earlier ones; none after a run of ten minutes."""
    if restarts == 0 or ran_s >= 2 * LONGEST_BACK_OFF_S:
        return 0.0
    return float(min(FIRST_BACK_OFF_S * 2.0 ** min(restarts - 1, 16), LONGEST_BACK_OFF_S))


def is_restarted(pod: Object, code: int) -> bool:
    """Whether the pod's policy restarts a container that exited with that code."""
    policy = spec_of(pod).get("restartPolicy", "Always")
    return bool(policy == "Always" or (policy == "OnFailure" and code != 0))


def _rests(pod: Object, spec: Mapping[str, Any]) -> bool:
    """Whether a container has ended and will be restarted."""
    status = statuses_of(pod).get(spec["name"])
    ended = state_of(status, "terminated")
    if ended is not None:
        return is_restarted(pod, ended["exitCode"])
    return (state_of(status, "waiting") or {}).get("reason") == "CrashLoopBackOff"


def _wait_s(pod: Object, spec: Mapping[str, Any], exits: Exits, now: datetime) -> float:
    status = statuses_of(pod)[spec["name"]]
    ended = state_of(status, "terminated") or (status.get("lastState") or {}).get("terminated") or {}
    delay_s = back_off_s(status.get("restartCount") or 0, exits.after_s)
    return until(ended.get("finishedAt"), delay_s, now)


def _end(pod: Object, names: list[str], exits: Exits, now: str) -> Object:
    restarted = is_restarted(pod, exits.code)
    old = statuses_of(pod)
    containers: list[Object] = []
    for spec in containers_of(pod):
        status = old.get(spec["name"])
        if spec["name"] not in names:
            containers.append(dict(status or {}))
            continue
        state = terminated(status, exits.code, now)
        restarts = (status or {}).get("restartCount") or 0
        delay_s = back_off_s(restarts, exits.after_s)
        ended = container_status(pod, spec, state)
        if restarted and delay_s:
            message = (
                f"back-off {_shown(delay_s)} restarting failed container={spec['name']} "
                f"pod={_whole_name(pod)}"
            )
            ended |= {"state": waiting("CrashLoopBackOff", message), "lastState": state}
        containers.append(ended)
    phase = "Running"
    codes = [(state_of(status, "terminated") or {}).get("exitCode") for status in containers]
    if not restarted and None not in codes:
        phase = "Failed" if any(codes) else "Succeeded"
    return pod_status(pod, phase, now, containers=containers)


def _whole_name(pod: Object) -> str:
    return f"{name_of(pod)}_{namespace_of(pod)}({uid_of(pod)})"


def _shown(seconds: float) -> str:
    """As Go shows it: 10s, 1m20s, 5m0s."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
