"""Which pods of a Job that goes on are made, and which are removed. Pure: nothing is written here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from wherry.api.core.pod_conditions import find_condition
from wherry.controllers.job.backoff import Backoff, finished_at, remaining_s
from wherry.controllers.job.facts import (
    Facts,
    PodFacts,
    failures_of,
    ignored_failures_of,
    replaces_only_failed,
)
from wherry.controllers.job.indexes import Indexes
from wherry.controllers.job.verdict import Progress
from wherry.controllers.pod_control import most_restarts
from wherry.objects.meta import metadata, parse_time

MOST_AT_ONCE = 500
"""Pods made or removed by one sync (upstream's MaxPodCreateDeletePerSync)."""


@dataclass(frozen=True, slots=True)
class PodPlan:
    """Pods to remove, or pods to make; never both at once. `wait_s`: in how long some may be made."""

    remove: list[PodFacts] = field(default_factory=list)
    create: list[int | None] = field(default_factory=list)
    """The completion index of each pod to make; None in a job without indexes."""
    wait_s: float | None = None


def plan_pods(
    facts: Facts, progress: Progress | None, backoff: Backoff, replaced: dict[int, PodFacts]
) -> PodPlan:
    """What to do. `replaced` are failed pods that wait for one in their place, by index: `to_replace`."""
    if facts.is_suspended:
        return PodPlan(remove=list(facts.active))
    wanted = _wanted(facts, progress)
    remove = _to_remove(facts, max(0, len(facts.active) - wanted))[:MOST_AT_ONCE]
    if remove:
        return PodPlan(remove=remove)
    held_back = len(facts.terminating) if replaces_only_failed(facts.spec) else 0
    count = wanted - held_back - len(facts.active)
    if count <= 0:
        return PodPlan()
    if facts.limit_per_index is None:
        wait_s = backoff.remaining_s(facts.now)
        if wait_s > 0:
            return PodPlan(wait_s=wait_s)
    count = min(count, MOST_AT_ONCE)
    if progress is None:
        return PodPlan(create=[None] * count)
    indexes = list(islice(_pending(facts, progress), count))
    if facts.limit_per_index is None:
        return PodPlan(create=list(indexes))
    return _those_due(facts.now, indexes, replaced)


def to_replace(facts: Facts, progress: Progress | None) -> dict[int, PodFacts]:
    """By index, the failed pod that keeps its finalizer until there is a pod in its place.

    That pod takes over its count of failures: only with `backoffLimitPerIndex`.
    """
    if progress is None or progress.failed is None:
        return {}
    active = {pod.index for pod in facts.active}
    found: dict[int, PodFacts] = {}
    for pod in facts.pods:
        index = pod.index
        if index is None or not pod.is_tracked or not facts.is_failed(pod) or index in active:
            continue
        if index in progress.succeeded or index in progress.failed:
            continue
        known = found.get(index)
        if known is None or (
            _all_failures(known) <= _all_failures(pod) and finished_at(known.pod) <= finished_at(pod.pod)
        ):
            found[index] = pod
    return found


def index_wait_s(failed: PodFacts | None, now: datetime) -> float:
    """How long to wait before `failed` is replaced, in seconds."""
    if failed is None:
        return 0.0
    return remaining_s(_all_failures(failed) + 1, finished_at(failed.pod), now)


def _wanted(facts: Facts, progress: Progress | None) -> int:
    """How many pods should be active."""
    spec = facts.spec
    parallelism: int = spec.get("parallelism") or 0
    completions: int | None = spec.get("completions")
    succeeded = len(progress.succeeded) if progress is not None else facts.successes()
    if completions is None:
        # After the first success the others may end by themselves, but are not replaced.
        return len(facts.active) if succeeded else parallelism
    return max(0, min(completions - succeeded, parallelism))


def _to_remove(facts: Facts, at_least: int) -> list[PodFacts]:
    """Pods whose index another one has, or that have none; then those that lose least, `at_least` in all."""
    remove, left = _without_doubles(facts.active) if facts.is_indexed else ([], list(facts.active))
    missing = at_least - len(remove)
    if missing > 0:
        remove += sorted(left, key=_worth)[:missing]
    return remove


def _without_doubles(pods: Sequence[PodFacts]) -> tuple[list[PodFacts], list[PodFacts]]:
    by_index: dict[int | None, list[PodFacts]] = {}
    for pod in pods:
        by_index.setdefault(pod.index, []).append(pod)
    remove, left = by_index.pop(None, []), list[PodFacts]()
    for same in by_index.values():
        *spare, best = sorted(same, key=_worth) if len(same) > 1 else same
        remove += spare
        left.append(best)
    return remove, left


def _pending(facts: Facts, progress: Progress) -> Iterator[int]:
    """The indexes that need a pod, the lowest first."""
    busy = facts.active + (facts.terminating if replaces_only_failed(facts.spec) else [])
    taken = progress.succeeded | Indexes.of(pod.index for pod in busy if pod.index is not None)
    if progress.failed is not None:
        taken |= progress.failed
    return taken.missing(facts.spec.get("completions") or 0)


def _those_due(now: datetime, indexes: list[int], replaced: dict[int, PodFacts]) -> PodPlan:
    waits = {index: index_wait_s(replaced.get(index), now) for index in indexes}
    due: list[int | None] = [index for index in indexes if waits[index] <= 0]
    later = [wait for wait in waits.values() if wait > 0]
    return PodPlan(create=due, wait_s=min(later, default=None))


def _all_failures(pod: PodFacts) -> int:
    return failures_of(pod.pod) + ignored_failures_of(pod.pod)


_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}
_NEVER = datetime.max.replace(tzinfo=UTC)


def _worth(pod: PodFacts) -> tuple[Any, ...]:
    """The less a pod has come, the sooner it goes (upstream's ActivePods)."""
    ready = find_condition(pod.pod, "Ready")
    is_ready = ready is not None and ready.get("status") == "True"
    since = ready.get("lastTransitionTime") if ready is not None and is_ready else None
    regular, sidecars = most_restarts(pod.pod)
    created = metadata(pod.pod).get("creationTimestamp")
    return (
        bool((pod.pod.get("spec") or {}).get("nodeName")),
        _PHASES.get(pod.phase, 0),
        is_ready,
        -_seconds(since),
        -regular,
        -sidecars,
        -_seconds(created),
        pod.uid,
    )


def _seconds(moment: str | None) -> float:
    return (parse_time(moment) if moment else _NEVER).timestamp()
