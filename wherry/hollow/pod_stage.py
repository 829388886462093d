"""What the stages of simulated pods are made with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeAlias

from wherry.api.core.pods import PODS
from wherry.client.transport import STRATEGIC_PATCH
from wherry.hollow.pod_status import phase_of, state_of, statuses_of
from wherry.hollow.stages import Delay, Patch, Stage, Step, Surroundings
from wherry.objects.meta import Object, format_time, is_deleting, parse_time

Made: TypeAlias = Callable[[Object, str], Object]
"""A pod's new status at a wire time."""


def status_patch(make: Made) -> Patch:
    """Write a pod's status: merged by condition type, so that conditions of others stay."""

    def change(pod: Object, around: Surroundings) -> Object:
        return {"status": make(pod, format_time(around.now()))}

    return Patch(change, STRATEGIC_PATCH, "status")


def stage(
    name: str,
    matches: Callable[[Object], bool],
    delay: Callable[[Object, datetime], float],
    *steps: Step,
    steps_of: Callable[[Object], Sequence[Step]] | None = None,
) -> Stage:
    """A stage of living pods; its `steps`, or those `steps_of` the pod."""
    return Stage(
        name=name,
        resource=PODS,
        matches=lambda pod: not is_deleting(pod) and matches(pod),
        steps=steps_of or (lambda _: steps),
        delay=lambda pod, now: Delay(delay(pod, now)),
        is_ordered=True,
    )


def until(since: str | None, seconds: float, now: datetime) -> float:
    """Seconds from `now` to `seconds` after a wire time; without one, from now on."""
    return (parse_time(since) - now).total_seconds() + seconds if since else seconds


def began(pod: Object) -> str | None:
    """When the pod's newest container began to run."""
    found = (state_of(status, "running") for status in statuses_of(pod).values())
    return max((state["startedAt"] for state in found if state), default=None)


def is_running(pod: Object) -> bool:
    """Whether the pod runs, or did and is between restarts."""
    return phase_of(pod) == "Running"
