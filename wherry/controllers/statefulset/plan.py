"""What a StatefulSet needs done: pure decisions, taken anew at each look.

First the pods that are wanted, lowest first: made, replaced when they ended, put right. Then those beyond the
wanted number go, highest first. Then pods of an older revision make way, highest first. With OrderedReady
each step waits for all pods before it to be available; with Parallel none does (updateStatefulSet in
stateful_set_control.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import TypeAlias

from wherry.api.core.pod_conditions import is_available, is_ready, is_terminal
from wherry.controllers.statefulset.identity import (
    has_identity,
    ordinal_of,
    ordinals,
    pod_name,
    revision_of_pod,
)
from wherry.controllers.statefulset.storage import (
    FindClaim,
    claim_names,
    claim_templates,
    existing_claims,
    has_storage,
    is_stale,
    unsettled,
)
from wherry.controllers.workload import min_ready_s
from wherry.objects.intstr import resolve
from wherry.objects.meta import Object, is_deleting

BURST = 500
"""Never more pods made in one go; the rest follows in the next sync."""


@dataclass(frozen=True, slots=True)
class Create:
    """Make the pod of that ordinal, of the current revision or else of the update revision."""

    ordinal: int
    is_current: bool


@dataclass(frozen=True, slots=True)
class MakeClaims:
    """A wanted pod waits, and claims of it are missing."""

    pod: Object


@dataclass(frozen=True, slots=True)
class Mend:
    """A wanted pod lacks its identity or storage."""

    pod: Object


@dataclass(frozen=True, slots=True)
class Settle:
    """Claims of a pod are to be owned otherwise: as they shall be."""

    claims: list[Object]


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the pod."""

    pod: Object


Step: TypeAlias = Create | MakeClaims | Mend | Settle | Delete


@dataclass(frozen=True, slots=True)
class Plan:
    """`phases` one after the other, each only when all before it went well.

    `outdated` of the pods deleted are of the current revision and make way for the update.
    """

    phases: list[list[Step]] = field(default_factory=list)
    outdated: int = 0


class View:
    """A set, its pods and its claims as they are at a moment."""

    def __init__(
        self, stateful_set: Object, pods: Iterable[Object], find_claim: FindClaim, now: datetime
    ) -> None:
        self.stateful_set = stateful_set
        self.find_claim = find_claim
        self.now = now
        self.has_claims = bool(claim_templates(stateful_set))
        self.is_ordered = stateful_set["spec"].get("podManagementPolicy") != "Parallel"
        self.wanted = ordinals(stateful_set)
        self._min_ready_s = min_ready_s(stateful_set)
        self._seen: dict[int, tuple[bool, bool]] = {}
        by_ordinal = sorted(((ordinal_of(pod), pod) for pod in pods), key=lambda each: each[0])
        self.replicas = {ordinal: pod for ordinal, pod in by_ordinal if ordinal in self.wanted}
        self.condemned = [
            (ordinal, pod) for ordinal, pod in reversed(by_ordinal) if ordinal not in self.wanted
        ]

    def is_ready(self, pod: Object) -> bool:
        """Whether the pod runs and is ready."""
        return self._look(pod)[0]

    def is_available(self, pod: Object) -> bool:
        """Whether the pod has been ready for long enough."""
        return self._look(pod)[1]

    def _look(self, pod: Object) -> tuple[bool, bool]:
        """(is_ready, is_available), worked out once for each pod."""
        seen = self._seen.get(id(pod))
        if seen is None:
            runs = (pod.get("status") or {}).get("phase") == "Running"
            seen = runs and is_ready(pod), is_available(pod, self._min_ready_s, self.now)
            self._seen[id(pod)] = seen
        return seen

    def is_unavailable(self, pod: Object) -> bool:
        """Whether the pod is not available, or about to go."""
        return not self.is_available(pod) or is_deleting(pod)

    def missing(self) -> Iterator[int]:
        """The wanted ordinals without a pod, lowest first; they may be billions."""
        return (ordinal for ordinal in self.wanted if ordinal not in self.replicas)


def plan(view: View, current: str, update: str) -> Plan:
    """The steps of a set that is not being deleted; `current` and `update` are the names of its revisions."""
    if view.is_ordered:
        steps, waits = _ordered_replicas(view)
    else:
        steps, waits = _parallel_replicas(view), False
    if waits:
        return Plan([steps])
    settling = [Settle(found) for ordinal, pod in view.condemned if (found := _unsettled(view, ordinal, pod))]
    going, waits = _condemned(view)
    phases: list[list[Step]] = [steps, [*settling], [*going]]
    if waits:
        return Plan(phases)
    outdated = _outdated(view, update)
    counted = sum(revision_of_pod(pod) == current for pod in outdated)
    return Plan([*phases, [Delete(pod) for pod in outdated]], counted)


def _ordered_replicas(view: View) -> tuple[list[Step], bool]:
    """The steps, and whether whatever comes after has to wait."""
    steps: list[Step] = []
    for ordinal in view.wanted:
        pod = view.replicas.get(ordinal)
        if pod is None:
            return [*steps, *_creation(view, ordinal)], True
        if is_terminal(pod):
            return [*steps, *_replacement(pod)], True
        steps += _claims_missing(view, ordinal, pod)
        if view.is_unavailable(pod) or not view.is_ready(pod):
            return steps, True
        steps += _repairs(view, ordinal, pod)
    return steps, False


def _parallel_replicas(view: View) -> list[Step]:
    steps: list[Step] = []
    for ordinal, pod in view.replicas.items():
        if is_terminal(pod):
            steps += _replacement(pod)
        else:
            steps += _claims_missing(view, ordinal, pod)
            steps += _repairs(view, ordinal, pod)
    for ordinal in islice(view.missing(), BURST):
        steps += _creation(view, ordinal)
    return steps


def _creation(view: View, ordinal: int) -> list[Step]:
    """A pod is made once no claim of its name goes with an earlier pod."""
    if is_stale(view.stateful_set, pod_name(view.stateful_set, ordinal), ordinal, view.find_claim):
        return []
    return [Create(ordinal, _is_below_update(view, ordinal))]


def _replacement(pod: Object) -> list[Step]:
    """A pod that ended is deleted; the next one is made when it is gone."""
    return [] if is_deleting(pod) else [Delete(pod)]


def _claims_missing(view: View, ordinal: int, pod: Object) -> list[Step]:
    if not view.has_claims or (pod.get("status") or {}).get("phase") != "Pending":
        return []
    found = existing_claims(view.stateful_set, ordinal, view.find_claim)
    is_complete = len(found) == len(claim_names(view.stateful_set, ordinal))
    return [] if is_complete and not any(map(is_deleting, found)) else [MakeClaims(pod)]


def _repairs(view: View, ordinal: int, pod: Object) -> list[Step]:
    steps: list[Step] = []
    if not has_identity(pod) or (view.has_claims and not has_storage(view.stateful_set, pod, ordinal)):
        steps.append(Mend(pod))
    if claims := _unsettled(view, ordinal, pod):
        steps.append(Settle(claims))
    return steps


def _unsettled(view: View, ordinal: int, pod: Object) -> list[Object]:
    if not view.has_claims:
        return []
    return unsettled(view.stateful_set, pod, ordinal, ordinal in view.wanted, view.find_claim)


def _condemned(view: View) -> tuple[Sequence[Step], bool]:
    """The pods to delete because fewer are wanted, and whether updates have to wait for that."""
    if not view.is_ordered:
        return [Delete(pod) for _, pod in view.condemned if not is_deleting(pod)], False
    if not view.condemned:
        return [], False
    _, highest = view.condemned[0]
    sick = [pod for _, pod in view.condemned if view.is_unavailable(pod)]
    is_well = view.is_available(highest) and view.is_ready(highest)
    if is_deleting(highest) or not (is_well or highest is sick[-1]):
        return [], True
    return [Delete(highest)], True


def _outdated(view: View, update: str) -> list[Object]:
    """The pods to delete so that they come back as the update revision has them, highest first."""
    strategy = view.stateful_set["spec"].get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return []
    partition, budget = _rolling(view)
    first = view.wanted.start + partition
    candidates = [
        pod
        for ordinal, pod in reversed(view.replicas.items())
        if ordinal >= first and revision_of_pod(pod) != update and not is_deleting(pod)
        if not is_terminal(pod)  # that goes anyway
    ]
    missing = len(view.wanted) - len(view.replicas)
    left = budget - missing - sum(view.is_unavailable(pod) for pod in view.replicas.values())
    if view.is_ordered:
        return candidates[: max(left, 0)]
    # What is of no use to anybody goes first and costs nothing.
    useless = [pod for pod in candidates if not view.is_available(pod)]
    useful = [pod for pod in candidates if view.is_available(pod)]
    return useless + useful[: max(left, 0)]


def _rolling(view: View) -> tuple[int, int]:
    """(partition, how many pods may be unavailable) of a rolling update."""
    rolling = (view.stateful_set["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    most = resolve(rolling.get("maxUnavailable") or 1, len(view.wanted), round_up=False)
    return int(rolling.get("partition") or 0), max(most, 1)


def _is_below_update(view: View, ordinal: int) -> bool:
    """Whether a pod made now is still of the current revision."""
    spec, status = view.stateful_set["spec"], view.stateful_set.get("status") or {}
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return False
    rolling = strategy.get("rollingUpdate")
    untouched = (
        int(status.get("currentReplicas") or 0) if rolling is None else int(rolling.get("partition") or 0)
    )
    return ordinal < view.wanted.start + untouched
