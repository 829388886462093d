"""How many replicas samples ask for. Pure.

Source: pkg/controller/podautoscaler/replica_calculator.go and metrics/utilization.go.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from wherry.controllers.podautoscaler.metrics import MetricsError, Sample, Samples
from wherry.controllers.podautoscaler.pods import Groups

MOST = (1 << 31) - 1
"""The largest number of replicas there is."""


@dataclass(frozen=True, slots=True)
class Tolerances:
    """By which share a metric may differ from its target, below and above, before anything is scaled."""

    down: float = 0.1
    up: float = 0.1

    def are_met(self, ratio: float) -> bool:
        """Whether what is measured, as a multiple of what is wanted, is near enough to 1."""
        return 1.0 - self.down <= ratio <= 1.0 + self.up


@dataclass(frozen=True, slots=True)
class Use:
    """What pods use altogether: `ratio` to what is wanted, `average` per pod in thousandths.

    `percent` is the share of what they request, for metrics that have one.
    """

    ratio: float
    average: int
    percent: int = 0


@dataclass(frozen=True, slots=True)
class Proposal:
    """How many replicas there should be, and the use that says so."""

    replicas: int
    use: Use


class Plain:
    """Samples against a target per pod, in thousandths."""

    def __init__(self, target: int) -> None:
        self._target = target

    def use(self, samples: Mapping[str, Sample]) -> Use:
        """What the sampled pods use (there is one at least)."""
        average = sum(sample.value for sample in samples.values()) // len(samples)
        return Use(average / self._target, average)

    def in_doubt(self, _pod: str) -> int:
        """What a pod without a sample is taken to use when there seem to be too many pods."""
        return self._target


class Utilization:
    """Samples against a target share of what each pod requests, in percent."""

    def __init__(self, target: int, requests: Mapping[str, int]) -> None:
        self._target = target
        self._requests = requests

    def use(self, samples: Mapping[str, Sample]) -> Use:
        """What the sampled pods use. Raises MetricsError when none of them requests anything."""
        known = [
            (sample.value, self._requests[name]) for name, sample in samples.items() if name in self._requests
        ]
        requested = sum(request for _, request in known)
        if not requested:
            raise MetricsError("no metrics returned matched known pods")
        used = sum(value for value, _ in known)
        percent = used * 100 // requested
        return Use(percent / self._target, used // len(known), percent)

    def in_doubt(self, pod: str) -> int:
        """What a pod without a sample is taken to use when there seem to be too many pods."""
        return self._requests[pod] * max(100, self._target) // 100


def propose(
    current: int, samples: Samples, groups: Groups, measure: Plain | Utilization, tolerances: Tolerances
) -> Proposal:
    """The replicas for pods with these samples; pods nothing is known of never turn the direction.

    Raises MetricsError when no pod is left to go by.
    """
    counted = {
        name: sample for name, sample in samples.items() if name not in groups.ignored | groups.unready
    }
    if not counted:
        raise MetricsError("did not receive metrics for targeted pods (pods might be unready)")
    use = measure.use(counted)
    raises_with_unready = bool(groups.unready) and use.ratio > 1.0
    if not raises_with_unready and not groups.missing:
        if tolerances.are_met(use.ratio):
            return Proposal(current, use)
        return Proposal(replicas_for(use.ratio * groups.ready), use)
    if use.ratio < 1.0:
        counted.update((name, Sample(measure.in_doubt(name))) for name in groups.missing)
    elif use.ratio > 1.0:
        counted.update((name, Sample(0)) for name in groups.missing)
    if raises_with_unready:
        counted.update((name, Sample(0)) for name in groups.unready)
    ratio = measure.use(counted).ratio
    turns = (use.ratio < 1.0 < ratio) or (ratio < 1.0 < use.ratio)
    if tolerances.are_met(ratio) or turns:
        return Proposal(current, use)
    replicas = replicas_for(ratio * len(counted))
    if (ratio < 1.0 and replicas > current) or (ratio > 1.0 and replicas < current):
        return Proposal(current, use)
    return Proposal(replicas, use)


def propose_for_whole(current: int, value: int, target: int, ready: int, tolerances: Tolerances) -> int:
    """The replicas for a value that all pods together, `ready` of them ready, should keep at `target`."""
    ratio = value / target
    if not current:
        return replicas_for(ratio)
    return current if tolerances.are_met(ratio) else replicas_for(ratio * ready)


def propose_per_pod(current: int, value: int, target: int, tolerances: Tolerances) -> int:
    """The replicas for a value of which each pod should have `target`; `current` are those reported."""
    if current and tolerances.are_met(value / (target * current)):
        return current
    return replicas_for(value / target)


def replicas_for(share: float) -> int:
    """So many replicas, rounded up and within what a number of replicas may be."""
    return math.ceil(min(share, MOST))
