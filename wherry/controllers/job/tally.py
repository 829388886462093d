"""How ended pods of a Job are counted: once each, whenever the controller is killed.

First the status notes their uids as uncounted, then their finalizer goes, then the counters rise and the uids
go: whoever comes after a crash sees by finalizer and uids how far it was (KEP-2307). In an indexed job the
indexes that succeeded are noted instead of uids. Pure: nothing is written here.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from wherry.controllers.job.conditions import new_condition, with_condition
from wherry.controllers.job.facts import Facts, PodFacts
from wherry.controllers.job.failure_policy import match_failure
from wherry.controllers.job.indexes import Indexes
from wherry.controllers.job.verdict import Progress, Verdict
from wherry.objects.meta import is_deleting

MOST = 2**31 - 1
"""No counter says more than its field can: anybody who may write the status may have written that."""
MOST_UNCOUNTED = 500
"""Pods counted by one sync (upstream's MaxUncountedPods): the uids in a status stay below 20 KB."""


@dataclass(slots=True)
class Tally:
    """`status` is to be written before the finalizers of `release` go; `is_partial`: there are more."""

    status: dict[str, Any]
    release: list[PodFacts]
    is_partial: bool = False


def plan_tally(
    facts: Facts,
    status: dict[str, Any],
    progress: Progress | None,
    verdict: Verdict | None,
    kept: Collection[str] = (),
) -> Tally:
    """What of the ended pods is counted now. `kept` are uids of pods that keep their finalizer for now.

    `status` is what is known of it already; its counters are completed here.
    """
    count(status, {pod.uid for pod in facts.pods if pod.is_tracked})
    uncounted = {name: list(uids) for name, uids in status["uncountedTerminatedPods"].items()}
    failed_before = frozenset(uncounted.get("failed", ()))
    counting = _Counting(facts, verdict, uncounted, failed_before, progress.before if progress else Indexes())
    tally = Tally(status, [])
    for pod in sorted(facts.pods, key=_by_index) if progress is not None else facts.pods:
        if not pod.is_tracked or not _may_go(facts, pod, verdict, kept):
            continue
        tally.release.append(pod)
        counting.add(pod)
        if counting.size >= MOST_UNCOUNTED:
            tally.is_partial = True
            break
    status["uncountedTerminatedPods"] = {name: uids for name, uids in uncounted.items() if uids}
    if progress is not None:
        status["succeeded"], status["completedIndexes"] = (
            _successes(facts, status, progress),
            str(progress.succeeded),
        )
        status.pop("failedIndexes", None)
        if progress.failed is not None:
            status["failedIndexes"] = str(progress.failed)
    if verdict is not None:
        interim = new_condition(verdict.interim, "True", verdict.reason, verdict.message, facts.now)
        if not _has(status, verdict.interim):
            status["conditions"] = with_condition(status.get("conditions") or [], interim)
    return tally


def count(status: dict[str, Any], tracked: Collection[str]) -> None:
    """Count the uncounted pods that have no finalizer any more; `tracked` are the uids of those that have."""
    uncounted = status.get("uncountedTerminatedPods") or {}
    left: dict[str, list[str]] = {}
    for outcome in ("succeeded", "failed"):
        uids = uncounted.get(outcome) or []
        still = [uid for uid in uids if uid in tracked]
        status[outcome] = min((status.get(outcome) or 0) + len(uids) - len(still), MOST)
        if still:
            left[outcome] = still
    status["uncountedTerminatedPods"] = left


@dataclass(slots=True)
class _Counting:
    facts: Facts
    verdict: Verdict | None
    uncounted: dict[str, list[str]]
    failed_before: frozenset[str]
    before: Indexes
    size: int = 0

    def __post_init__(self) -> None:
        self.size = sum(map(len, self.uncounted.values()))

    def add(self, pod: PodFacts) -> None:
        facts = self.facts
        if pod.phase == "Succeeded" and pod.uid not in self.failed_before:
            self._add_success(pod)
        elif facts.is_failed(pod) or (self.verdict is not None and not self.verdict.is_success):
            # In a job that failed every pod that had not ended has failed too.
            if pod.uid in self.failed_before or (facts.is_indexed and pod.index is None):
                return
            if match_failure(facts.policy, pod.pod).counts:
                self._note("failed", pod.uid)

    def _add_success(self, pod: PodFacts) -> None:
        if not self.facts.is_indexed:
            if pod.uid not in self.uncounted.get("succeeded", ()):
                self._note("succeeded", pod.uid)
        elif pod.index is not None and pod.index not in self.before:
            self.size += 1

    def _note(self, outcome: str, uid: str) -> None:
        self.uncounted.setdefault(outcome, []).append(uid)
        self.size += 1


def _successes(facts: Facts, status: dict[str, Any], progress: Progress) -> int:
    """The indexes that succeeded; no fewer than were said before, which the server would refuse.

    Only where the number of indexes may be lowered does that of successes go back, too.
    """
    spec, known = facts.spec, len(progress.succeeded)
    is_elastic = spec.get("completions") == spec.get("parallelism")
    return known if is_elastic else max(known, status.get("succeeded") or 0)


def _may_go(facts: Facts, pod: PodFacts, verdict: Verdict | None, kept: Collection[str]) -> bool:
    """Whether the pod may lose its finalizer."""
    if is_deleting(facts.job) or verdict is not None or pod.phase == "Succeeded":
        return True
    return facts.is_failed(pod) and pod.uid not in kept


def _by_index(pod: PodFacts) -> int:
    return -1 if pod.index is None else pod.index


def _has(status: dict[str, Any], kind: str) -> bool:
    return any(c.get("type") == kind and c.get("status") == "True" for c in status.get("conditions") or ())
