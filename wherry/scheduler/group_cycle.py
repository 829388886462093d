"""One try of a whole pod group: all its waiting pods are placed, or none if these are too few (`GroupCycle`).

Pods are placed one after the other, each counting for the next. When as many as the group wants have a node,
those that were scheduled before included, all are bound; else everything is taken back before anybody else is
decided about. So no group holds room another waits for, and whoever is killed leaves nothing half decided:
only bindings under way can be cut off, and the next try counts those that were done.

Source: pkg/scheduler/schedule_one_podgroup.go, plugins/gangscheduling (PlacementFeasible).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from wherry.api.scheduling.pod_groups import group_key
from wherry.objects.meta import Object, uid_of
from wherry.scheduler.binding import Binder
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Change, Kind, SchedulingError
from wherry.scheduler.group_placing import Deciding, GroupPlacing, Outcome
from wherry.scheduler.group_preemption import GroupPreemption, Room
from wherry.scheduler.group_status import GroupStatus, Told
from wherry.scheduler.groups import min_count, priority_of
from wherry.scheduler.preemption import NEVER
from wherry.scheduler.profiles import Profile
from wherry.scheduler.queue import PodQueue
from wherry.scheduler.reporting import SCHEDULER_ERROR, UNSCHEDULABLE, Preemptor
from wherry.scheduler.trace import Trace
from wherry.scheduler.victims import is_being_preempted
from wherry.scheduler.world import World

SCHEDULED = "Scheduled"
GANGS = "GangScheduling"
NOT_ALONE = "not eligible due to workload aware preemption enabled"
"""Why no room is made for a single pod of a group."""


class Host(Deciding, Protocol):
    """What a cycle asks of the scheduler."""

    def is_gated(self, profile: Profile, pod: PodFacts) -> bool:
        """Whether a plugin says the pod is not to be tried yet: it rests, and nobody is told."""
        ...

    async def confirm(self, profile: Profile, pod: PodFacts, node: str) -> None:
        """Bind a pod that is placed and reserved for."""
        ...

    def tell(self, pod: PodFacts, message: str, reason: str, nominated: str = "") -> None:
        """Say on a pod why it was not scheduled, and the node it may hope for."""
        ...

    def rejecting(self, profile: Profile, trace: Trace) -> tuple[tuple[str, ...], frozenset[Kind]]:
        """The plugins that rejected a pod, and the changes after which it may fit."""
        ...

    def make_room(
        self,
        profile: Profile,
        victims: Sequence[PodFacts],
        nodes: Iterable[str],
        by: Preemptor,
        then: Callable[[bool], None],
    ) -> None:
        """Begin to evict pods; `then` is told whether all are being evicted."""
        ...


@dataclass(frozen=True, slots=True)
class _Try:
    """A try of a group that came to nothing."""

    profile: Profile
    group: Object
    key: str
    members: Sequence[PodFacts]
    outcome: Outcome
    promised: dict[str, str]
    """The nodes its pods were nominated to before, by uid."""
    since: int


class GroupCycle:
    """Schedules groups in one world, by the decisions of `host`."""

    def __init__(
        self,
        world: World,
        queue: PodQueue,
        binder: Binder,
        status: GroupStatus,
        preemption: GroupPreemption,
        host: Host,
    ) -> None:
        self._world = world
        self._status = status
        self._queue = queue
        self._preemption = preemption
        self._placing = GroupPlacing(world, binder, host)
        self._host = host
        self._making_room: set[str] = set()
        """Groups others are being evicted for."""

    async def run(self, profile: Profile, first: PodFacts) -> None:
        """Try the group of a pod that was taken from the queue, with all of its pods that wait."""
        key = group_key(first.pod)
        group = self._world.groups.get(key)
        if group is None:
            raise SchedulingError(f'pod group "{key}" is gone')
        since = self._queue.changes
        if key in self._making_room:
            self._rest_gated([first], key, since)
            return
        members = self._queue.take(uid for uid in self._world.groups.pods_of(key) if not self._has_node(uid))
        ready = [pod for pod in members if not self._host.is_gated(profile, pod)]
        if not ready:
            return
        if len(ready) < len(members) and self._scheduled(key) + len(ready) < min_count(group):
            self._rest_gated(ready, key, since)
            return  # the next of them that may be tried takes all along
        members = ready
        promised = self._promised(members)
        outcome = Outcome(min_count(group), self._scheduled(key), len(members))
        outcome.error = self._mismatch(group, members, key)
        try:
            if not outcome.error:
                await self._placing.place_all(profile, members, outcome)
        except BaseException:
            await self._placing.take_back(profile, outcome)
            self._released(members, promised, {})
            raise
        # While others had their turn pods may have gone.
        outcome.placed = [one for one in outcome.placed if self._is_placed(one[0])]
        outcome.scheduled = self._scheduled(key)
        if not outcome.is_enough:
            await self._placing.take_back(profile, outcome)
            await self._not_placed(_Try(profile, group, key, members, outcome, promised, since))
            return
        for pod, node in outcome.placed:
            await self._host.confirm(profile, pod, node)
        self._released(members, promised, {pod.uid: node for pod, node in outcome.placed})
        self._leave_behind(profile, members, outcome, since)
        self._status.say(key, Told("True", SCHEDULED))

    def _rest_gated(self, pods: Sequence[PodFacts], key: str, since: int) -> None:
        """Have pods wait that cannot be tried just now."""
        uids, kinds = [pod.uid for pod in pods], frozenset({Kind.POD_GROUPS})
        self._queue.failed_together(uids, (GANGS, key), (GANGS,), kinds, since, is_gated=True)

    def _promised(self, members: Sequence[PodFacts]) -> dict[str, str]:
        """The nodes pods are nominated to, by uid."""
        found = ((pod.uid, self._world.nomination(pod.uid)) for pod in members)
        return {uid: placement.node for uid, placement in found if placement is not None}

    def _released(self, members: Sequence[PodFacts], promised: dict[str, str], kept: dict[str, str]) -> None:
        """Others may have what was promised to pods, but for what they keep."""
        for pod in members:
            node = promised.get(pod.uid)
            if node is None or kept.get(pod.uid) == node:
                continue
            if self._world.is_nominated(pod.uid):
                self._world.displace(pod.uid)
            self._queue.changed(Change(Kind.POD_GONE, {node: None}, {pod.uid: pod}))

    async def _not_placed(self, one: _Try) -> None:
        """See whether others can be evicted for the group, tell its pods, and let them wait."""
        if one.outcome.error:
            self._released(one.members, one.promised, {})
            for pod in one.members:
                self._queue.retry(pod.uid)
                self._host.tell(pod, one.outcome.error, SCHEDULER_ERROR)
            self._status.say(one.key, Told("False", SCHEDULER_ERROR, one.outcome.error))
            return
        room, text = await self._room(one)
        message = f"{one.outcome.message}, pod group preemption: {text}"
        hopes = room.nodes if room is not None else {}
        members = [pod for pod in one.members if self._queue.is_under_way(pod.uid)]
        self._released(one.members, one.promised, hopes)
        for pod in members:
            failure = one.outcome.failed.get(pod.uid)
            if pod.uid in hopes:
                self._world.place(pod, hopes[pod.uid], is_nominated=True)
            why = _told(one.profile, failure[1]) if failure else message
            self._host.tell(pod, why, UNSCHEDULABLE, hopes.get(pod.uid, ""))
        self._status.say(one.key, Told("False", UNSCHEDULABLE, message))
        if room is None or not room.victims:
            self._rest(one)
            return
        self._making_room.add(one.key)
        by = Preemptor("podgroup", uid_of(one.group), priority_of(one.group), "cluster")
        nodes = dict.fromkeys(hopes.values())
        self._host.make_room(
            one.profile, room.victims, nodes, by, lambda is_done: self._room_made(one, is_done)
        )

    def _room_made(self, one: _Try, is_done: bool) -> None:
        """The group waits for the end of those that go, or is tried again if some could not be evicted."""
        self._making_room.discard(one.key)
        if is_done:
            self._rest(one)
        else:
            for pod in one.members:
                self._queue.retry(pod.uid)

    async def _room(self, one: _Try) -> tuple[Room | None, str]:
        """What can be made room of for a group, and what is to be said of it."""
        if not one.profile.preempts:
            return None, "default preemption plugin is not registered, workload aware preemption is disabled"
        if not all(pod.template.may_preempt for pod in one.members):
            return None, NEVER
        if self._is_room_being_made(one):
            return Room((), one.promised), "ongoing preemption on nominated nodes"
        room, text = await self._preemption.find(
            one.profile, one.group, one.members, self._scheduled(one.key)
        )
        if room is None:
            return None, text
        return room, f"found a placement for podgroup, preempting {len(room.victims)} victims"

    def _is_room_being_made(self, one: _Try) -> bool:
        """Whether pods on the nodes promised to the group still go."""
        priority, nodes = priority_of(one.group), self._world.nodes
        rows = {nodes.row_of[node] for node in one.promised.values() if node in nodes.row_of}
        others = (other for row in rows for other in nodes.pods[row].values())
        return any(other.priority < priority and is_being_preempted(other) for other in others)

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

    def _is_placed(self, pod: PodFacts) -> bool:
        placement = self._world.placed.get(pod.uid)
        is_ours = placement is not None and placement.is_assumed and placement.pod is pod
        return is_ours and self._queue.is_under_way(pod.uid)

    def _rest(self, one: _Try) -> None:
        """Have all pods of the group wait together, those first that fit nowhere."""
        names: dict[str, None] = {GANGS: None}
        kinds = frozenset({Kind.POD_GROUPS})
        for _, trace in one.outcome.failed.values():
            rejecting, more = self._host.rejecting(one.profile, trace)
            names.update(dict.fromkeys(rejecting))
            kinds |= more
        if len({pod.template for pod, _ in one.outcome.failed.values()}) > 1:
            names = {}  # the queue asks about one pod alone: any change of these kinds may help another
        waiting = sorted(one.members, key=lambda pod: pod.uid not in one.outcome.failed)
        self._queue.failed_together([pod.uid for pod in waiting], (GANGS, one.key), names, kinds, one.since)

    def _leave_behind(
        self, profile: Profile, members: Sequence[PodFacts], outcome: Outcome, since: int
    ) -> None:
        """Those pods of a scheduled group that fit nowhere wait each with its like."""
        for pod in members:
            if pod.uid not in outcome.failed or not self._queue.is_under_way(pod.uid):
                continue
            trace = outcome.failed[pod.uid][1]
            names, kinds = self._host.rejecting(profile, trace)
            key = (GANGS, group_key(pod.pod), pod.template)
            self._queue.failed(pod.uid, key, names, kinds, since)
            self._host.tell(pod, _told(profile, trace), UNSCHEDULABLE)


def _told(profile: Profile, trace: Trace) -> str:
    """What is said to a pod of a group that fits nowhere itself."""
    return trace.message(NOT_ALONE if profile.preempts else "")
