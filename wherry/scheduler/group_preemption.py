"""Which pods of lower priority have to go so that a pod group fits (`GroupPreemption`, KEP-5710), looked for
in the whole cluster.

All of lower priority are left out of a copy of the world, where the group is placed once. Then as many as
possible are given back, the most important first, those whose disruption budget would be violated before the
others: many at once, and only where that fails are halves of them tried. Nobody else sees the copy, so others
may go on meanwhile; whether what was found still holds, the group's next try will show.

Source: pkg/scheduler/framework/preemption/podgrouppreemption.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from random import Random

import numpy as np

from wherry.kit.portions import Portions, Work
from wherry.objects.meta import Object
from wherry.scheduler.binding import Binder
from wherry.scheduler.budgets import Budgets
from wherry.scheduler.consulting import Consulting
from wherry.scheduler.decisions import Decisions
from wherry.scheduler.extenders import Extender
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Reach, Refusal, overrides
from wherry.scheduler.group_placing import GroupPlacing, Outcome
from wherry.scheduler.groups import min_count, priority_of
from wherry.scheduler.profiles import Profile
from wherry.scheduler.trace import Trace
from wherry.scheduler.victims import Victim, by_budgets, victims_among
from wherry.scheduler.world import World

NO_VICTIMS = "No preemption victims found for incoming preemptor"


@dataclass(frozen=True, slots=True)
class Room:
    """Who has to go for a group, and the nodes its pods may hope for, by uid."""

    victims: tuple[PodFacts, ...]
    nodes: dict[str, str]


class GroupPreemption:
    """Finds room for groups in the cluster `world` tells of."""

    def __init__(
        self,
        world: World,
        decisions: Decisions,
        budgets: Budgets,
        binder: Binder,
        extenders: Sequence[Extender],
        random: Random,
    ) -> None:
        self._world = world
        self._decisions = decisions
        self._budgets = budgets
        self._binder = binder
        self._extenders = extenders
        self._random = random

    async def find(
        self, profile: Profile, group: Object, members: Sequence[PodFacts], scheduled: int
    ) -> tuple[Room | None, str]:
        """Room for a group of which so many pods are scheduled already, or None and why there is none."""
        priority = priority_of(group)
        placed = [one for one in self._world.placed.values() if not one.is_nominated]
        victims = list(victims_among(placed, priority, self._world))
        if not victims:
            return None, NO_VICTIMS
        is_wide = any(self._decisions.evaluation(profile, pod).hangs_together for pod in _kinds(members))
        copy = await self._without(victims, members, priority)
        outcome = Outcome(min_count(group), scheduled, len(members))
        placing = GroupPlacing(copy, self._binder, _Alone(copy, self._extenders, self._random))
        try:
            await placing.place_all(profile, members, outcome)
            if not outcome.is_enough:
                return None, outcome.error or outcome.message
            sparing = _Sparing(profile, copy, outcome.placed, is_wide=is_wide)
            left = await self._sorted_out(sparing, victims)
        finally:
            await placing.take_back(profile, outcome)
        pods = tuple(pod for victim in left for pod in victim.pods)
        return Room(pods, {pod.uid: node for pod, node in outcome.placed}), ""

    async def _sorted_out(self, sparing: _Sparing, victims: list[Victim]) -> list[Victim]:
        """Those that cannot be spared, the most important first."""
        victims.sort(key=attrgetter("order"))
        violating, others = by_budgets(victims, self._budgets)
        left = [*await sparing.left_of(list(violating)), *await sparing.left_of(others)]
        return sorted(left, key=attrgetter("order"))

    async def _without(self, victims: Sequence[Victim], members: Sequence[PodFacts], priority: int) -> World:
        """A copy of the world without some pods, and without what is promised to the group itself."""
        world, portions = self._world, Portions(Work.SCHEDULING)
        random = Random(self._random.getrandbits(64))  # noqa: S311 - makes numbers that differ
        copy = World(world.claims, world.selectors, world.devices, random, world.clock)
        copy.groups, copy.namespaces = world.groups, world.namespaces
        left_out = {pod.uid for victim in victims for pod in victim.pods} | {pod.uid for pod in members}
        for node in list(world.nodes.objects):
            await portions.next()
            copy.set_node(node)
        for uid, one in list(world.placed.items()):
            await portions.next()
            if uid not in left_out:
                copy.place(one.pod, one.node, is_assumed=one.is_assumed, is_nominated=one.is_nominated)
        copy.reserve_from(priority)
        return copy


class _Alone:
    """Decides in a copy of the world that nobody else sees."""

    def __init__(self, world: World, extenders: Sequence[Extender], random: Random) -> None:
        self._decisions = Decisions(world, random)
        self._consulting = Consulting(extenders, self._decisions, world, random)

    def is_wanted(self, uid: str) -> bool:
        """See `group_placing.Deciding`."""
        return True

    async def decided(self, profile: Profile, pod: PodFacts) -> tuple[str, Trace | None]:
        """See `group_placing.Deciding`."""
        if self._consulting.interested(pod):
            return await self._consulting.choose(profile, pod)
        return self._decisions.choose(profile, pod), None

    def trace(self, profile: Profile, pod: PodFacts) -> Trace:
        """See `group_placing.Deciding`."""
        return self._decisions.evaluation(profile, pod).trace()


class _Sparing:
    """Gives victims back to a world without them, as long as a group's pods keep their places."""

    def __init__(
        self, profile: Profile, world: World, placed: Sequence[tuple[PodFacts, str]], *, is_wide: bool
    ) -> None:
        self._world = world
        self._placed = [(pod, world.nodes.row_of[node]) for pod, node in placed]
        self._rows = {row for _, row in self._placed}
        self._is_wide = is_wide
        """Whether pods on one node matter to other nodes."""
        self._plugins = [
            one.plugin
            for one in profile.chosen
            if one.filters and overrides(one.plugin, "filter") and one.plugin.reach is not Reach.NOWHERE
        ]

    async def left_of(self, victims: list[Victim]) -> list[Victim]:
        """Those of `victims` (the most important first) that cannot be given back."""
        portions = Portions(Work.SCHEDULING)
        left: list[Victim] = []
        stack = [victims]
        while stack:
            await portions.next()
            block = stack.pop()
            if not block or self._fits_with(block):
                continue
            if len(block) == 1:
                left += block
            else:
                half = len(block) // 2
                stack += [block[half:], block[:half]]
        return left

    def _fits_with(self, block: Sequence[Victim]) -> bool:
        """Give these back; whether the group keeps its places. If not, they are taken away again."""
        moves = self._moves(block)
        rows = {row for _, row in moves}
        for pod, row in moves:
            self._world.try_out(pod, row, 1)
        checked = self._placed if self._is_wide else [one for one in self._placed if one[1] in rows]
        if self._all_fit(checked):
            return True
        for pod, row in moves:
            self._world.try_out(pod, row, -1)
        return False

    def _moves(self, block: Sequence[Victim]) -> list[tuple[PodFacts, int]]:
        """The pods that matter, with their rows."""
        row_of = self._world.nodes.row_of
        known = ((one.pod, row_of.get(one.node)) for victim in block for one in victim.placements)
        return [(pod, row) for pod, row in known if row is not None and (self._is_wide or row in self._rows)]

    def _all_fit(self, placed: Sequence[tuple[PodFacts, int]]) -> bool:
        """Whether these pods of the group could be placed again, one after the other."""
        for pod, row in placed:
            self._world.try_out(pod, row, -1)
        fits = True
        for pod, row in placed:
            fits = fits and self._fits(pod, row)
            self._world.try_out(pod, row, 1)
        return fits

    def _fits(self, pod: PodFacts, row: int) -> bool:
        rows = np.array([row], dtype=np.int64)
        for plugin in self._plugins:
            state = plugin.prepare(pod, self._world)
            if isinstance(state, Refusal):
                return False
            if state is not None and any(one.rows[0] for one in plugin.filter(state, self._world, rows)):
                return False
        return True


def _kinds(members: Sequence[PodFacts]) -> list[PodFacts]:
    """One pod of each template."""
    return list({pod.template: pod for pod in members}.values())
