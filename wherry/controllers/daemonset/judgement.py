"""How one node of a DaemonSet stands: pods missing or too many, what it counts, how far its update is.

Pure, and of one node alone: what holds for all nodes is worked out of these (podsShouldBeOnNode,
rollingUpdate and updateDaemonSetStatus in pkg/controller/daemon).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from wherry.api.core.pod_conditions import is_available, is_ready, is_terminal
from wherry.controllers.daemonset.placement import Placement, is_updated, template_generation
from wherry.controllers.history import POD_REVISION_LABEL
from wherry.controllers.workload import available_at, min_ready_s
from wherry.objects.intstr import resolve
from wherry.objects.meta import Object, is_deleting, labels_of, metadata, name_of

COUNTS = (
    "desiredNumberScheduled",
    "currentNumberScheduled",
    "numberMisscheduled",
    "numberReady",
    "numberAvailable",
    "updatedNumberScheduled",
)
"""What a node counts in the status, one each."""

IN_USE = "in use"
"""Counted beside them while updates surge: nodes with an available pod, wanted there or not."""


class Stage(Enum):
    """How far a node is with an update, from pods of other revisions (old) to one of the present (new)."""

    SETTLED = "nothing to do"
    BUSY = "counts against the limit: pods are missing, too many, or not available yet"
    FREE = "the old pod is of no use: replaced whatever the limit"
    CANDIDATE = "the old pod is in use: replaced when the limit allows it"
    DONE = "the old pod goes: the new one is there, or it is of no use where it should not be"
    LEAVING = "the old pod is in use where it should not be: it goes when there are enough elsewhere"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one look at a node said.

    `excess`: pods to delete. `failed`: pods to delete when their back-off is over; `ended`: those that ran
    to a good end. `changes_at`: when a pod will have been ready for long enough. `revisions`: the hashes its
    pods carry.
    """

    counts: tuple[str, ...] = ()
    needs_pod: bool = False
    excess: list[Object] = field(default_factory=list)
    failed: list[Object] = field(default_factory=list)
    ended: list[Object] = field(default_factory=list)
    stage: Stage = Stage.SETTLED
    old: Object | None = None
    changes_at: datetime | None = None
    revisions: tuple[str, ...] = ()

    @property
    def has_work(self) -> bool:
        """Whether pods are to be made or deleted, updates aside."""
        return bool(self.needs_pod or self.excess or self.failed or self.ended)


NOTHING = Judgement()


class Judge:
    """Judges nodes of a DaemonSet as it is now, `revision` being the hash of its present revision."""

    def __init__(self, daemon_set: Object, revision: str) -> None:
        self.placement = Placement(daemon_set)
        self.has_surge = allows_surge(daemon_set)
        self._revision = revision
        self._generation = template_generation(daemon_set)
        self._min_ready_s = min_ready_s(daemon_set)

    def look(self, node: Object | None, pods: Iterable[Object], now: datetime) -> Judgement:
        """The node (None when it is gone) with the set's pods that are on it or for it."""
        # What has ended and is going away is as good as gone.
        left = (pod for pod in pods if not (is_terminal(pod) and is_deleting(pod)))
        present = sorted(left, key=_oldest_first)
        if node is None:
            return self._without_node(present)
        should_run, may_stay = self.placement.verdict(node)
        if not present and not should_run:
            return NOTHING
        counts = self._counts(present, should_run, now)
        stage, old, is_in_use = self._stage(present, should_run, now)
        running = [pod for pod in present if not is_deleting(pod) and not is_terminal(pod)]
        excess: list[Object] = []
        failed: list[Object] = []
        ended: list[Object] = []
        if not may_stay:
            excess = [pod for pod in present if not is_deleting(pod)]
        else:
            failed = _of_phase(present, "Failed")
            ended = _of_phase(present, "Succeeded")
            excess = self._surplus(running, now)
        # Beside one that failed, and waits for its back-off, no other is made: it would fail as fast.
        is_bare = not present or (self.has_surge and not running and not failed)
        return Judgement(
            counts=(*counts, IN_USE) if is_in_use else counts,
            needs_pod=should_run and is_bare,
            excess=excess,
            failed=failed,
            ended=ended,
            stage=stage,
            old=old,
            changes_at=self._changes_at(running, now),
            revisions=_revisions(present),
        )

    def _without_node(self, pods: Sequence[Object]) -> Judgement:
        """Pods nobody will ever schedule are deleted here; those that ran go by pod garbage collection."""
        unscheduled = [pod for pod in pods if not pod["spec"].get("nodeName") and not is_deleting(pod)]
        return Judgement(excess=unscheduled, revisions=_revisions(pods))

    def _is_new(self, pod: Object) -> bool:
        return is_updated(pod, self._revision, self._generation)

    def _is_available(self, pod: Object, now: datetime) -> bool:
        return is_available(pod, self._min_ready_s, now)

    def _counts(self, pods: Sequence[Object], should_run: bool, now: datetime) -> tuple[str, ...]:
        if not should_run:
            return ("numberMisscheduled",) if pods else ()
        if not pods:
            return ("desiredNumberScheduled",)
        oldest = pods[0]
        counts = ["desiredNumberScheduled", "currentNumberScheduled"]
        if is_ready(oldest):
            counts.append("numberReady")
            if self._is_available(oldest, now):
                counts.append("numberAvailable")
        if self._is_new(oldest):
            counts.append("updatedNumberScheduled")
        return tuple(counts)

    def _surplus(self, running: Sequence[Object], now: datetime) -> list[Object]:
        """The pods beyond one, or beyond one old and one new while an update surges."""
        if len(running) <= 1:
            return []
        if not self.has_surge:
            return list(running[1:])
        new = next((pod for pod in running if labels_of(pod).get(POD_REVISION_LABEL) == self._revision), None)
        old = next((pod for pod in running if labels_of(pod).get(POD_REVISION_LABEL) != self._revision), None)
        surplus = [pod for pod in running if pod is not new and pod is not old]
        if old is not None and new is not None and (not is_ready(old) or self._is_available(new, now)):
            surplus.append(old)
        return surplus

    def _stage(
        self, pods: Sequence[Object], should_run: bool, now: datetime
    ) -> tuple[Stage, Object | None, bool]:
        """The stage, the old pod, and whether a pod here is of use while updates surge."""
        live = [pod for pod in pods if not is_deleting(pod)]
        news = [pod for pod in live if self._is_new(pod)]
        olds = [pod for pod in live if not self._is_new(pod)]
        if len(news) > 1 or len(olds) > 1:
            return Stage.BUSY, None, False
        new, old = next(iter(news), None), next(iter(olds), None)
        if not self.has_surge:
            return self._plain_stage(new, old, now), old, False
        used = old or new
        is_in_use = used is not None and self._is_available(used, now)
        return self._surge_stage(new, old, should_run, now), old, is_in_use

    def _plain_stage(self, new: Object | None, old: Object | None, now: datetime) -> Stage:
        if (old is None) == (new is None):
            return Stage.BUSY
        if new is not None:
            return Stage.SETTLED if self._is_available(new, now) else Stage.BUSY
        return Stage.CANDIDATE if old is not None and self._is_available(old, now) else Stage.FREE

    def _surge_stage(self, new: Object | None, old: Object | None, should_run: bool, now: datetime) -> Stage:
        if old is None:
            return Stage.SETTLED
        if new is not None:
            return Stage.DONE if self._is_available(new, now) else Stage.BUSY
        if self._is_available(old, now):
            return Stage.CANDIDATE if should_run else Stage.LEAVING
        return Stage.FREE if should_run else Stage.DONE

    def _changes_at(self, pods: Iterable[Object], now: datetime) -> datetime | None:
        if not self._min_ready_s:
            return None
        dues = (available_at(pod, self._min_ready_s) for pod in pods)
        return min((due for due in dues if due is not None and due > now), default=None)


def allows_surge(daemon_set: Object) -> bool:
    """Whether an update makes the new pod before the old one goes."""
    strategy = daemon_set["spec"].get("updateStrategy") or {}
    surge = (strategy.get("rollingUpdate") or {}).get("maxSurge") or 0
    return strategy.get("type") == "RollingUpdate" and resolve(surge, 1, round_up=True) > 0


def _of_phase(pods: Iterable[Object], phase: str) -> list[Object]:
    return [pod for pod in pods if (pod.get("status") or {}).get("phase") == phase and not is_deleting(pod)]


def _oldest_first(pod: Object) -> tuple[bool, str, str]:
    """Those on a node before those that wait for it."""
    is_waiting = not (pod.get("spec") or {}).get("nodeName")
    return is_waiting, metadata(pod).get("creationTimestamp") or "", name_of(pod)


def _revisions(pods: Iterable[Object]) -> tuple[str, ...]:
    return tuple(labels_of(pod).get(POD_REVISION_LABEL, "") for pod in pods)
