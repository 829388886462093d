"""One try of a whole pod group: all its waiting pods are placed, or none if these are too few (`GroupCycle`).

Pods are placed one after the other, each counting for the next. When as many as the group wants have a node,
those that were scheduled before included, all are bound; else everything is taken back before anybody else is
decided about. So no group holds room another waits for, and whoever is killed leaves nothing half decided:
only bindings under way can be cut off, and the next try counts those that were done.

Source: pkg/scheduler/schedule_one_podgroup.go, plugins/gangscheduling (PlacementFeasible).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from wherry.api.scheduling.pod_groups import group_key
from wherry.kit.portions import Portions
from wherry.objects.meta import Object
from wherry.scheduler.binding import Binder
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Kind, SchedulingError
from wherry.scheduler.group_status import GroupStatus, Told
from wherry.scheduler.groups import min_count
from wherry.scheduler.profiles import Profile
from wherry.scheduler.queue import PodQueue
from wherry.scheduler.reporting import SCHEDULER_ERROR, UNSCHEDULABLE
from wherry.scheduler.trace import Trace
from wherry.scheduler.world import World

SCHEDULED = "Scheduled"
PORTION_S = 0.005
GANGS = "GangScheduling"


class Host(Protocol):
    """What a cycle asks of the scheduler."""

    def is_gated(self, profile: Profile, pod: PodFacts) -> bool:
        """Whether a plugin says the pod is not to be tried yet: it rests, and nobody is told."""
        ...

    async def decided(self, profile: Profile, pod: PodFacts) -> tuple[str, Trace | None]:
        """The node a pod goes to; "" for none, with why if that is known."""
        ...

    def trace(self, profile: Profile, pod: PodFacts) -> Trace:
        """Why a pod goes nowhere."""
        ...

    async def confirm(self, profile: Profile, pod: PodFacts, node: str) -> None:
        """Bind a pod that is placed and reserved for."""
        ...

    def tell(self, pod: PodFacts, message: str, reason: str) -> None:
        """Say on a pod why it was not scheduled."""
        ...

    def rejecting(self, profile: Profile, trace: Trace) -> tuple[tuple[str, ...], frozenset[Kind]]:
        """The plugins that rejected a pod, and the changes after which it may fit."""
        ...


@dataclass(slots=True)
class _Outcome:
    """How far a cycle has come."""

    need: int
    scheduled: int
    remaining: int
    placed: list[tuple[PodFacts, str]] = field(default_factory=list)
    failed: dict[str, tuple[PodFacts, Trace]] = field(default_factory=dict)
    error: str = ""

    @property
    def is_hopeless(self) -> bool:
        """Whether there are too few pods, whatever becomes of those that remain."""
        return self.scheduled + self.remaining < self.need

    @property
    def message(self) -> str:
        """Why the group is not scheduled."""
        rest = f"{self.scheduled} scheduled, {self.remaining} remaining"
        if self.is_hopeless:
            return f"minCount ({self.need}) cannot be satisfied: {rest}"
        return f"minCount ({self.need}) is not yet satisfied: {rest}"


class GroupCycle:
    """Schedules groups in one world, by the decisions of `host`."""

    def __init__(
        self, world: World, queue: PodQueue, binder: Binder, status: GroupStatus, host: Host
    ) -> None:
        self._world = world
        self._status = status
        self._queue = queue
        self._binder = binder
        self._host = host

    async def run(self, profile: Profile, first: PodFacts) -> None:
        """Try the group of a pod that was taken from the queue, with all of its pods that wait."""
        key = group_key(first.pod)
        group = self._world.groups.get(key)
        if group is None:
            raise SchedulingError(f'pod group "{key}" is gone')
        since = self._queue.changes
        members = self._queue.take(uid for uid in self._world.groups.pods_of(key) if not self._has_node(uid))
        ready = [pod for pod in members if not self._host.is_gated(profile, pod)]
        if not ready:
            return
        if len(ready) < len(members) and self._scheduled(key) + len(ready) < min_count(group):
            uids, kinds = [pod.uid for pod in ready], frozenset({Kind.POD_GROUPS})
            self._queue.failed_together(uids, (GANGS, key), (GANGS,), kinds, since, is_gated=True)
            return  # the next of them that may be tried takes all along
        members = ready
        outcome = _Outcome(min_count(group), self._scheduled(key), len(members))
        outcome.error = self._mismatch(group, members, key)
        try:
            if not outcome.error:
                await self._place_all(profile, members, outcome)
        except BaseException:
            await self._take_back(profile, outcome)
            raise
        # While others had their turn pods may have gone.
        outcome.placed = [one for one in outcome.placed if self._is_placed(one[0])]
        outcome.scheduled = self._scheduled(key)
        if outcome.error or outcome.scheduled < outcome.need or not outcome.placed:
            await self._take_back(profile, outcome)
            self._give_up(profile, members, outcome, key, since)
            reason = SCHEDULER_ERROR if outcome.error else UNSCHEDULABLE
            self._status.say(key, Told("False", reason, outcome.error or outcome.message))
            return
        for pod, node in outcome.placed:
            await self._host.confirm(profile, pod, node)
        self._leave_behind(profile, members, outcome, since)
        self._status.say(key, Told("True", SCHEDULED))

    def _scheduled(self, key: str) -> int:
        """How many pods of a group have a node, or are about to."""
        return sum(map(self._has_node, self._world.groups.pods_of(key)))

    def _has_node(self, uid: str) -> bool:
        """Whether a pod has its node, or is being bound to it."""
        placement = self._world.placed.get(uid)
        return placement is not None and not placement.is_nominated

    def _mismatch(self, group: Object, members: Sequence[PodFacts], key: str) -> str:
        """Why these pods are not of one kind (validatePodGroup), "" if they are."""
        name = members[0].template.scheduler_name
        wanted = (group.get("spec") or {}).get("priority") or 0
        placed = (self._world.placed.get(uid) for uid in self._world.groups.pods_of(key))
        for pod in [*members, *(placement.pod for placement in placed if placement is not None)]:
            if pod.template.scheduler_name != name:
                what = "the same .spec.schedulerName set"
                names = f'"{pod.template.scheduler_name}" and "{name}"'
                return f"all pods in a single pod group should have {what}, got: {names}"
            if pod.priority != wanted:
                what = "the same priority as the pod group's priority"
                return f"all pods in a single pod group should have {what}, got {pod.priority} and {wanted}"
        return ""

    async def _place_all(self, profile: Profile, members: Sequence[PodFacts], outcome: _Outcome) -> None:
        """Place one pod after the other, as long as there may be enough."""
        portions = Portions(PORTION_S)
        for pod in members:
            await portions.next()
            if outcome.is_hopeless:
                return
            outcome.remaining -= 1
            if not self._queue.is_under_way(pod.uid):
                continue  # it has gone
            if self._world.is_nominated(pod.uid):
                self._world.displace(pod.uid)  # what is promised to it is not in its own way
            if pod.template.trouble:
                outcome.error = f"failed to schedule other pod from a pod group: {pod.template.trouble}"
                return
            try:
                node, trace = await self._host.decided(profile, pod)
                if node and self._queue.is_under_way(pod.uid):
                    await self._binder.reserve(profile, pod, node)
                    self._world.place(pod, node, is_assumed=True)
                    outcome.placed.append((pod, node))
                    outcome.scheduled += 1
                elif not node:
                    outcome.failed[pod.uid] = (pod, trace or self._host.trace(profile, pod))
            except SchedulingError as error:
                outcome.error = f"failed to schedule other pod from a pod group: {error}"
                return

    def _is_placed(self, pod: PodFacts) -> bool:
        placement = self._world.placed.get(pod.uid)
        is_ours = placement is not None and placement.is_assumed and placement.pod is pod
        return is_ours and self._queue.is_under_way(pod.uid)

    async def _take_back(self, profile: Profile, outcome: _Outcome) -> None:
        for pod, node in reversed(outcome.placed):
            placement = self._world.placed.get(pod.uid)
            if placement is not None and placement.is_assumed and placement.pod is pod:
                self._world.displace(pod.uid)
            await self._binder.unreserve(profile.binding, pod, node)

    def _give_up(
        self, profile: Profile, members: Sequence[PodFacts], outcome: _Outcome, key: str, since: int
    ) -> None:
        """Have all pods of the group wait together, those first that fit nowhere, and say so on each."""
        if outcome.error:
            for pod in members:
                self._queue.retry(pod.uid)
                self._host.tell(pod, outcome.error, SCHEDULER_ERROR)
            return
        names: dict[str, None] = {GANGS: None}
        kinds = frozenset({Kind.POD_GROUPS})
        for _, trace in outcome.failed.values():
            rejecting, more = self._host.rejecting(profile, trace)
            names.update(dict.fromkeys(rejecting))
            kinds |= more
        if len({pod.template for pod, _ in outcome.failed.values()}) > 1:
            names = {}  # the queue asks about one pod alone: any change of these kinds may help another
        waiting = sorted(members, key=lambda pod: pod.uid not in outcome.failed)
        self._queue.failed_together([pod.uid for pod in waiting], (GANGS, key), names, kinds, since)
        for pod in members:
            failure = outcome.failed.get(pod.uid)
            self._host.tell(pod, failure[1].message() if failure else outcome.message, UNSCHEDULABLE)

    def _leave_behind(
        self, profile: Profile, members: Sequence[PodFacts], outcome: _Outcome, since: int
    ) -> None:
        """Those pods of a scheduled group that fit nowhere wait each with its like."""
        for pod in members:
            if pod.uid not in outcome.failed or not self._queue.is_under_way(pod.uid):
                continue
            trace = outcome.failed[pod.uid][1]
            names, kinds = self._host.rejecting(profile, trace)
            key = (GANGS, group_key(pod.pod), pod.template)
            self._queue.failed(pod.uid, key, names, kinds, since)
            self._host.tell(pod, trace.message(), UNSCHEDULABLE)
