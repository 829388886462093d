"""How long a pod's worker takes, for the agent's metrics (`PodTiming`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.kubelet.pod import regular_containers, status_of
from wherry.kubelet.workers.context import WorkerContext
from wherry.kubelet.workers.ending import Step
from wherry.objects.meta import Object, metadata, parse_time, uid_of


class PodTiming:
    """The clock of one pod; a pod that ran before the agent did is not timed from its beginning."""

    def __init__(self, context: WorkerContext, pod: Object) -> None:
        self._metrics = context.metrics
        self._pulling_s = context.images.pulling_s
        self._uid = uid_of(pod)
        self._clock = context.clock
        self._seen_s = self._clock.monotonic()
        self._created: str = metadata(pod).get("creationTimestamp") or ""
        self._awaits_start = not status_of(pod).get("startTime")
        self._awaits_look = True
        self._act: tuple[str, float] | None = None
        self._has_built = not self._awaits_start
        self._metrics.containers_per_pod.observe(len(regular_containers(pod)))

    def looked(self) -> None:
        """The worker looks at the pod."""
        if self._awaits_look:
            self._awaits_look = False
            self._metrics.pod_worker_start.observe(self._clock.monotonic() - self._seen_s)

    def began(self, step: str) -> None:
        """An act begins."""
        kind = "kill"
        if step == Step.BUILD_UP.value:
            kind, self._has_built = ("sync" if self._has_built else "create"), True
        self._act = (kind, self._clock.monotonic())

    def ended(self) -> None:
        """The act has ended."""
        if self._act is not None:
            kind, began_s = self._act
            self._metrics.pod_worker_duration.observe(self._clock.monotonic() - began_s, kind)
            self._act = None

    def shown(self, status: Mapping[str, Any]) -> None:
        """The pod is said to be so; the first time it runs counts."""
        if not self._awaits_start or status.get("phase") not in ("Running", "Succeeded", "Failed"):
            return
        self._awaits_start = False
        if status.get("phase") == "Running":
            self._metrics.pod_start.observe(self._clock.monotonic() - self._seen_s)
            if self._created:
                took = self._clock.now() - parse_time(self._created)
                took_s = max(took.total_seconds(), 0.0)
                self._metrics.pod_start_total.observe(took_s)
                apart_s = self._pulling_s(self._uid) + _init_s(status)
                self._metrics.pod_start_sli.observe(max(took_s - apart_s, 0.0))


def _init_s(status: Mapping[str, Any]) -> float:
    """For how long init containers ran that have ended, in seconds."""
    ended = [one.get("state", {}).get("terminated") for one in status.get("initContainerStatuses") or ()]
    times = [(one.get("startedAt"), one.get("finishedAt")) for one in ended if one]
    return sum(
        (parse_time(last) - parse_time(first)).total_seconds() for first, last in times if first and last
    )
