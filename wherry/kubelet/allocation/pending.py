"""Pods whose spec asks for another size than they were given: allocated when the node has room.

Source: pkg/kubelet/allocation, RetryPendingResizes, sortPendingResizes, canResizePod, with its texts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.kubelet.admission import find_shortage
from wherry.kubelet.allocation.conditions import DEFERRED, INFEASIBLE, PENDING
from wherry.kubelet.allocation.messages import resize_message
from wherry.kubelet.allocation.sizes import Allocation
from wherry.kubelet.cgroups import pod_request, qos_class
from wherry.kubelet.pod import init_containers, is_static, is_terminal, regular_containers, spec_of
from wherry.kubelet.workers.context import WorkerContext
from wherry.objects.meta import Object, is_deleting, key_of, metadata, uid_of
from wherry.objects.quantity import milli, whole

log = logging.getLogger(__name__)

RETRY_S = 180.0
FIRST_RETRY_S = 1.0
PERIODIC = "periodic_retry"
"""Why resizes are tried again, for the metrics; else pods_removed or pod_updated."""


class Waiting(NamedTuple):
    """A pod whose resize waits: as asked for, as allocated, since when."""

    pod: Object
    allocated: Object
    since: str


def find_obstacle(
    pod: Object,
    others: Sequence[Object],
    allocatable: Mapping[str, str],
    policy: tuple[str, str] | None = None,
) -> tuple[str, str] | None:
    """(Deferred or Infeasible, message) why the node cannot give `pod` what it asks for, None if it can.

    `others` are the other pods with what they were given, `policy` (its text first) what stands in the way of
    any other size.
    """
    if is_static(pod):
        return INFEASIBLE, "In-place resize of static-pods is not supported"
    if policy is not None:
        return INFEASIBLE, policy[0]
    capacity = {
        "memory": whole(allocatable.get("memory", "0")),
        "cpu": milli(allocatable.get("cpu", "0")),
    }
    for name, there in capacity.items():
        if (asked := pod_request(pod, name)) > there:
            return (
                INFEASIBLE,
                f"Node didn't have enough capacity: {name}, requested: {asked}, capacity: {there}",
            )
    shortage = find_shortage(pod, others, allocatable)
    return (DEFERRED, shortage[1]) if shortage is not None else None


def in_order(waiting: Sequence[Waiting]) -> list[Waiting]:
    """Who is looked at first: who asks for no more, then by priority, quality of service, waiting time."""

    def rank(one: Waiting) -> tuple[bool, int, bool, bool, str]:
        grows = any(pod_request(one.pod, r) > pod_request(one.allocated, r) for r in ("cpu", "memory"))
        priority = int(spec_of(one.pod).get("priority") or 0)
        return grows, -priority, qos_class(one.pod) != "Guaranteed", not one.since, one.since

    return sorted(waiting, key=rank)


class PendingResizes:
    """Gives the node's pods other sizes, as there is room.

    `pods` are all pods of the node as their specs ask, `resized(uid)` is called when what a pod was given, or
    what is to be shown of it, changed.
    """

    def __init__(
        self, context: WorkerContext, pods: Callable[[], Sequence[Object]], resized: Callable[[str], None]
    ) -> None:
        self._context = context
        self._pods = pods
        self._resized = resized
        self._uids: set[str] = set()
        self._trigger = PERIODIC
        self._tasks = Tasks("resizes")
        self._trying = Repeater(
            "resizes that wait",
            self._try_all,
            self._tasks,
            context.clock,
            first_s=FIRST_RETRY_S,
            longest_s=RETRY_S,
            expected=(OSError,),
        )

    def __len__(self) -> int:
        return len(self._uids)

    def changed(self, pod: Object) -> None:
        """The pod came, or its spec may ask for something else."""
        uid = uid_of(pod)
        allocations = self._context.allocations
        if allocations.allocated(pod) is pod or is_deleting(pod):
            self._uids.discard(uid)
            status = allocations.find_status(uid)
            if status is not None and status.pending is not None:
                status.pending = None
                self._resized(uid)
        else:
            self._uids.add(uid)
            self._trigger = "pod_updated"
            self._trying.hurry()

    def room(self) -> None:
        """The node may have more room than before."""
        if self._uids:
            self._trigger = "pods_removed"
            self._trying.hurry()

    async def close(self) -> None:
        """Stop trying."""
        await self._trying.close()
        await self._tasks.close()

    async def _try_all(self) -> float | None:
        allocations = self._context.allocations
        waiting = []
        for pod in self._pods():
            if uid_of(pod) in self._uids and not is_terminal(pod):
                status = allocations.status(uid_of(pod))
                since = status.since.get(PENDING, "")
                waiting.append(Waiting(pod, allocations.allocated(pod), since))
        self._uids = {uid_of(one.pod) for one in waiting}
        for one in in_order(waiting):
            await self._try(one.pod)
        self._trigger = PERIODIC
        return RETRY_S if self._uids else None

    async def _try(self, pod: Object) -> None:
        """Give the pod what it asks for, or say why not. Raises OSError when that cannot be written."""
        context, uid = self._context, uid_of(pod)
        allocations = context.allocations
        status = allocations.find_status(uid)
        if status is None:
            return
        others = [allocations.counted(p) for p in self._pods() if uid_of(p) != uid]
        generation = int(metadata(pod).get("generation") or 0)
        policy = context.managers.resize_obstacle(pod, changed_amounts(pod, allocations.allocated(pod)))
        obstacle = find_obstacle(pod, others, context.allocatable(), policy)
        if obstacle is not None:
            reason, message = obstacle
            if reason == INFEASIBLE:
                self._uids.discard(uid)
            if status.defer(reason, message, generation):
                if reason == INFEASIBLE:
                    context.metrics.resizes_infeasible.inc(_detail(pod, policy))
                told = resize_message(reason, pod, generation, message)
                context.recorder.event(pod, "Warning", f"Resize{reason}", told)
                self._resized(uid)
            return
        if status.pending is not None and status.pending.reason == DEFERRED:
            context.metrics.resizes_deferred_accepted.inc(self._trigger)
        await allocations.give(uid, Allocation.of(pod))
        self._uids.discard(uid)
        status.begin(generation)
        log.info("pod %s is given what it asks for", key_of(pod))
        context.recorder.event(pod, "Normal", "ResizeStarted", resize_message("started", pod, generation))
        self._resized(uid)


def changed_amounts(pod: Object, allocated: Object) -> set[str]:
    """Which resources the containers of `pod` ask for otherwise than they were given."""
    found = set()
    for asked, given in zip(_containers(pod), _containers(allocated), strict=False):
        for kind in ("requests", "limits"):
            wanted, has = ((one.get("resources") or {}).get(kind) or {} for one in (asked, given))
            found |= {name for name in {*wanted, *has} if wanted.get(name) != has.get(name)}
    return found


def _containers(pod: Object) -> list[Mapping[str, Any]]:
    return [*init_containers(pod), *regular_containers(pod)]


def _detail(pod: Object, policy: tuple[str, str] | None) -> str:
    """Why a resize is infeasible, for the metrics."""
    if is_static(pod):
        return "static_pod"
    return "insufficient_node_allocatable" if policy is None else policy[1]
