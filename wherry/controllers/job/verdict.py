"""Whether a Job has come to its end, and which. Pure: nothing is written here.

A verdict is first said as an interim condition (FailureTarget, SuccessCriteriaMet), and as Failed or Complete
once every pod is counted and none is terminating any more (KEP-3939, KEP-3998).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wherry.api.batch.job_status import COMPLETE, FAILED, MET, TARGET
from wherry.controllers.job.facts import Facts, PodFacts, failures_of
from wherry.controllers.job.failure_policy import match_failure
from wherry.controllers.job.indexes import Indexes
from wherry.objects.conditions import find_condition
from wherry.objects.meta import parse_time


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the job ends: `interim` is the condition said at once, `final` the one said in the end."""

    interim: str
    reason: str
    message: str

    @property
    def final(self) -> str:
        return COMPLETE if self.interim == MET else FAILED

    @property
    def is_success(self) -> bool:
        return self.interim == MET


REACHED = Verdict(MET, "CompletionsReached", "Reached expected number of succeeded pods")


@dataclass(frozen=True, slots=True)
class Progress:
    """What an indexed job has behind it: indexes counted before, those with the new ones, failed ones."""

    before: Indexes
    succeeded: Indexes
    failed: Indexes | None
    """None without `backoffLimitPerIndex`."""


def progress_of(facts: Facts) -> Progress | None:
    """The progress of an indexed job, None for another."""
    if not facts.is_indexed:
        return None
    completions = facts.spec.get("completions") or 0
    before = Indexes.parse(facts.status.get("completedIndexes") or "", completions)
    new = Indexes.of(
        pod.index
        for pod in facts.pods
        if pod.index is not None and pod.is_tracked and pod.phase == "Succeeded"
    )
    failed: Indexes | None = None
    if facts.limit_per_index is not None:
        failed = Indexes.parse(facts.status.get("failedIndexes") or "", completions) | Indexes.of(
            pod.index
            for pod in facts.pods
            if pod.index is not None and pod.is_tracked and _fails_index(facts, pod)
        )
    return Progress(before, before | new, failed)


def judge(facts: Facts, progress: Progress | None) -> Verdict | None:
    """The verdict on a job that is not finished, None while it goes on (for `REACHED` see the controller)."""
    said = _said_before(facts)
    if said is not None:
        return said
    return _by_policy(facts) or _by_limits(facts) or (_by_indexes(facts, progress) if progress else None)


def deadline_s(facts: Facts) -> float | None:
    """In how many seconds `activeDeadlineSeconds` is over (0 or less: it is), None without one that runs."""
    limit, started = facts.spec.get("activeDeadlineSeconds"), facts.status.get("startTime")
    if limit is None or not started or facts.is_suspended:
        return None
    left: float = limit - (facts.now - parse_time(started)).total_seconds()
    return left


def success_message(policy: Mapping[str, Any] | None, completions: int, succeeded: Indexes) -> str:
    """The words for the first rule of a `successPolicy` that these indexes fulfil, "" without one."""
    if not succeeded.intervals:
        return ""
    for number, rule in enumerate((policy or {}).get("rules") or ()):
        count, wanted = rule.get("succeededCount"), rule.get("succeededIndexes")
        if wanted is not None:
            needed = Indexes.parse(wanted, completions)
            shared = needed.shared_with(succeeded)
            is_met = bool(needed.intervals) and (
                shared == len(needed) or (count is not None and shared >= count)
            )
        else:
            is_met = count is not None and len(succeeded) >= count
        if is_met:
            return f"Matched rules at index {number}"
    return ""


def _said_before(facts: Facts) -> Verdict | None:
    conditions = facts.status.get("conditions")
    for kind in (MET, TARGET):
        found = find_condition(conditions, kind)
        if found is not None and found.get("status") == "True":
            return Verdict(kind, found.get("reason") or "", found.get("message") or "")
    return None


def _by_policy(facts: Facts) -> Verdict | None:
    if facts.policy is None:
        return None
    for pod in facts.pods:
        if facts.is_failed(pod) and (message := match_failure(facts.policy, pod.pod).job_message):
            return Verdict(TARGET, "PodFailurePolicy", message)
    return None


def _by_limits(facts: Facts) -> Verdict | None:
    limit = facts.spec.get("backoffLimit")
    if limit is not None and (facts.failures() > limit or _restarts_exceed(facts, limit)):
        return Verdict(TARGET, "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    left = deadline_s(facts)
    if left is not None and left <= 0:
        return Verdict(TARGET, "DeadlineExceeded", "Job was active longer than specified deadline")
    return None


def _by_indexes(facts: Facts, progress: Progress) -> Verdict | None:
    completions, failed = facts.spec.get("completions") or 0, progress.failed
    if failed is not None:
        most = facts.spec.get("maxFailedIndexes")
        if most is not None and len(failed) > most:
            message = "Job has exceeded the specified maximal number of failed indexes"
            return Verdict(TARGET, "MaxFailedIndexesExceeded", message)
        if failed.intervals and len(failed) + len(progress.succeeded) >= completions:
            return Verdict(TARGET, "FailedIndexes", "Job has failed indexes")
    message = success_message(facts.spec.get("successPolicy"), completions, progress.succeeded)
    return Verdict(MET, "SuccessPolicy", message) if message else None


def _restarts_exceed(facts: Facts, limit: int) -> bool:
    """Whether containers were restarted too often (restartPolicy OnFailure: no new pods are made then)."""
    template = (facts.spec.get("template") or {}).get("spec") or {}
    if template.get("restartPolicy") != "OnFailure":
        return False
    restarts = sum(
        container.get("restartCount") or 0
        for pod in facts.pods
        if pod.phase in ("Running", "Pending")
        for name in ("initContainerStatuses", "containerStatuses")
        for container in (pod.pod.get("status") or {}).get(name) or ()
    )
    return restarts > 0 if limit == 0 else restarts >= limit


def _fails_index(facts: Facts, pod: PodFacts) -> bool:
    if not facts.is_failed(pod):
        return False
    match = match_failure(facts.policy, pod.pod)
    if match.action == "FailIndex":
        return True
    return match.counts and failures_of(pod.pod) >= (facts.limit_per_index or 0)
