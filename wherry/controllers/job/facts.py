"""What one sync of a Job sees: the job, its pods sorted by what has become of them, and the time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from wherry.api.core.pod_conditions import is_ready
from wherry.controllers.job.failure_policy import match_failure
from wherry.kit.integers import parse_integer
from wherry.objects.meta import Object, annotations_of, is_deleting, metadata, uid_of

FINALIZER = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED_FAILURES = "batch.kubernetes.io/job-index-ignored-failure-count"
MANAGER = "kubernetes.io/job-controller"


@dataclass(frozen=True, slots=True)
class PodFacts:
    """One pod: `is_tracked` says that it has our finalizer, so that it is not yet counted."""

    pod: Object
    uid: str
    phase: str
    is_deleting: bool
    is_tracked: bool
    index: int | None
    """Its completion index, None without a sensible one (below `completions`)."""

    @property
    def has_ended(self) -> bool:
        return self.phase in ("Succeeded", "Failed")

    @property
    def is_active(self) -> bool:
        return not self.has_ended and not self.is_deleting

    @property
    def is_terminating(self) -> bool:
        return not self.has_ended and self.is_deleting


@dataclass(frozen=True, slots=True)
class Facts:
    """See the module. `succeeded` and `failed` are the pods that are not counted anywhere yet."""

    job: Object
    pods: list[PodFacts]
    now: datetime
    active: list[PodFacts] = field(default_factory=list)
    terminating: list[PodFacts] = field(default_factory=list)
    ready: int = 0
    succeeded: list[PodFacts] = field(default_factory=list)
    failed: list[PodFacts] = field(default_factory=list)

    @property
    def spec(self) -> dict[str, Any]:
        found: dict[str, Any] = self.job.get("spec") or {}
        return found

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.job.get("status") or {}
        return found

    @property
    def is_indexed(self) -> bool:
        return self.spec.get("completionMode") == "Indexed"

    @property
    def limit_per_index(self) -> int | None:
        """`backoffLimitPerIndex` of an indexed job that has one."""
        limit: int | None = self.spec.get("backoffLimitPerIndex") if self.is_indexed else None
        return limit

    @property
    def is_suspended(self) -> bool:
        return bool(self.spec.get("suspend"))

    @property
    def policy(self) -> Mapping[str, Any] | None:
        policy: Mapping[str, Any] | None = self.spec.get("podFailurePolicy")
        return policy

    def uncounted(self, outcome: str) -> list[str]:
        """The uids of pods the status holds as "succeeded" or "failed" without having counted them."""
        return list((self.status.get("uncountedTerminatedPods") or {}).get(outcome) or ())

    def is_failed(self, pod: PodFacts) -> bool:
        """Whether the pod counts as failed; one being deleted does, unless only ended ones are replaced."""
        if pod.phase == "Failed":
            return True
        return pod.is_deleting and pod.phase != "Succeeded" and not replaces_only_failed(self.spec)

    def failures(self) -> int:
        """How many pods failed in all, without those the policy has us ignore."""
        new = sum(match_failure(self.policy, pod.pod).counts for pod in self.failed)
        return (self.status.get("failed") or 0) + new + len(self.uncounted("failed"))

    def successes(self) -> int:
        """How many pods of a job without indexes succeeded in all."""
        return (self.status.get("succeeded") or 0) + len(self.succeeded) + len(self.uncounted("succeeded"))


def look(job: Object, pods: Iterable[Object], now: datetime, released: Collection[str] = ()) -> Facts:
    """Sort the pods of a job. `released` are uids whose finalizer is gone though `pods` may not show it."""
    completions = (job.get("spec") or {}).get("completions")
    seen = [_look_at(pod, completions, released) for pod in pods]
    facts = Facts(
        job,
        seen,
        now,
        [pod for pod in seen if pod.is_active],
        [pod for pod in seen if pod.is_terminating],
        sum(pod.is_active and is_ready(pod.pod) for pod in seen),
    )
    facts.succeeded.extend(_uncounted(facts, "succeeded", lambda pod: pod.phase == "Succeeded"))
    facts.failed.extend(_uncounted(facts, "failed", facts.is_failed))
    return facts


def replaces_only_failed(spec: Mapping[str, Any]) -> bool:
    """Whether a pod is replaced only once it has ended, not when it is being deleted."""
    return spec.get("podReplacementPolicy") == "Failed" or spec.get("podFailurePolicy") is not None


def is_tracked(pod: Object) -> bool:
    """Whether the pod has our finalizer."""
    return FINALIZER in (metadata(pod).get("finalizers") or ())


def is_ours(job: Object) -> bool:
    """Whether this controller is to look after the job (`managedBy`)."""
    manager = (job.get("spec") or {}).get("managedBy")
    return manager is None or manager == MANAGER


def failures_of(pod: Object) -> int:
    """How many failures of its index that count came before this pod."""
    return _counter(pod, FAILURES)


def ignored_failures_of(pod: Object) -> int:
    """How many failures of its index that were ignored came before this pod."""
    return _counter(pod, IGNORED_FAILURES)


def _look_at(pod: Object, completions: int | None, released: Collection[str]) -> PodFacts:
    index = parse_integer(annotations_of(pod).get(INDEX, ""), 64)
    uid = uid_of(pod)
    return PodFacts(
        pod,
        uid,
        (pod.get("status") or {}).get("phase") or "",
        is_deleting(pod),
        is_tracked(pod) and uid not in released,
        index if index is not None and 0 <= index < (completions or 0) else None,
    )


def _uncounted(facts: Facts, outcome: str, has_ended: Callable[[PodFacts], bool]) -> list[PodFacts]:
    known = set(facts.uncounted(outcome))
    return [
        pod
        for pod in facts.pods
        if pod.is_tracked
        and pod.uid not in known
        and (pod.index is not None or not facts.is_indexed)
        and has_ended(pod)
    ]


def _counter(pod: Object, annotation: str) -> int:
    """A count from an annotation; 0 for what anybody may have written there instead."""
    found = parse_integer(annotations_of(pod).get(annotation, ""), 64)
    return found if found is not None and 0 <= found < 2**31 else 0
