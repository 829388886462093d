"""A target's pods, sorted by what their metrics are worth. Pure.

Source: pkg/controller/podautoscaler/replica_calculator.go, groupPods and calculateRequests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from wherry.api.core.pod_conditions import find_condition, is_ready
from wherry.controllers.podautoscaler.metrics import MetricsError, Sample
from wherry.objects.meta import Object, is_deleting, later, name_of, parse_time
from wherry.objects.quantity import milli


@dataclass(frozen=True, slots=True)
class Patience:
    """For how long a young pod's processor use says nothing, in seconds.

    `initialization_s` is upstream's --horizontal-pod-autoscaler-cpu-initialization-period, `readiness_s` its
    --horizontal-pod-autoscaler-initial-readiness-delay.
    """

    initialization_s: float = 300.0
    readiness_s: float = 30.0


@dataclass(slots=True)
class Groups:
    """How many pods count, and the names of those that do not, by why."""

    ready: int = 0
    unready: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    ignored: set[str] = field(default_factory=set)


def sort_pods(
    pods: Iterable[Object], samples: Mapping[str, Sample], resource: str, now: datetime, patience: Patience
) -> Groups:
    """The pods by what is known of them; only the processor's use is doubted while a pod is young."""
    groups = Groups()
    for pod in pods:
        name, phase = name_of(pod), (pod.get("status") or {}).get("phase")
        sample = samples.get(name)
        if is_deleting(pod) or phase == "Failed":
            groups.ignored.add(name)
        elif phase == "Pending":
            groups.unready.add(name)
        elif sample is None:
            groups.missing.add(name)
        elif resource == "cpu" and _is_too_young(pod, sample, now, patience):
            groups.unready.add(name)
        else:
            groups.ready += 1
    return groups


def _is_too_young(pod: Object, sample: Sample, now: datetime, patience: Patience) -> bool:
    condition = find_condition(pod, "Ready")
    started = (pod.get("status") or {}).get("startTime")
    if condition is None or started is None:
        return True
    is_unready = condition.get("status") == "False"
    start, changed = parse_time(started), condition.get("lastTransitionTime")
    since = parse_time(changed) if changed else start
    if later(start, patience.initialization_s) > now:
        return is_unready or sample.taken < later(since, sample.window_s)
    return is_unready and later(start, patience.readiness_s) > since


def count_ready(pods: Sequence[Object]) -> int:
    """The running pods that are ready. Raises MetricsError when there is no pod at all."""
    if not pods:
        raise MetricsError("no pods returned by selector while calculating replica count")
    return sum(1 for pod in pods if (pod.get("status") or {}).get("phase") == "Running" and is_ready(pod))


def requests_of(pods: Iterable[Object], resource: str, container: str) -> dict[str, int]:
    """What each pod's containers (or the one named) request of a resource, in thousandths.

    Sidecars count with the containers; what the pod requests as a whole stands for all of them. Raises
    MetricsError for a pod that does not say.
    """
    return {name_of(pod): _request_of(pod, resource, container) for pod in pods}


def _request_of(pod: Object, resource: str, container: str) -> int:
    spec: dict[str, Any] = pod.get("spec") or {}
    if not container and (whole := _requests(spec).get(resource)) is not None:
        return milli(whole)
    sidecars = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
    total, is_found = 0, False
    for one in [*(spec.get("containers") or ()), *sidecars]:
        if container and one.get("name") != container:
            continue
        requested = _requests(one).get(resource)
        if requested is None:
            raise MetricsError(
                f"missing request for {resource} in container {one.get('name')} of Pod {name_of(pod)}"
            )
        total, is_found = total + milli(requested), True
    if container and not is_found:
        raise MetricsError(f"container {container} not found in Pod {name_of(pod)}")
    return total


def _requests(holder: Mapping[str, Any]) -> Mapping[str, str]:
    requests: Mapping[str, str] = (holder.get("resources") or {}).get("requests") or {}
    return requests
