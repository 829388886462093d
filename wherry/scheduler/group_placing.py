"""Placing the pods of a group one after the other, each counting for the next (`GroupPlacing`).

Source: pkg/scheduler/schedule_one_podgroup.go (podGroupSchedulingDefaultAlgorithm), plugins/gangscheduling
(PlacementFeasible).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from wherry.kit.portions import Portions, Work
from wherry.scheduler.binding import Binder
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import SchedulingError
from wherry.scheduler.profiles import Profile
from wherry.scheduler.trace import Trace
from wherry.scheduler.world import World


class Deciding(Protocol):
    """Who decides about single pods in the world that pods are placed in."""

    def is_wanted(self, uid: str) -> bool:
        """Whether a pod is still to be placed."""
        ...

    async def decided(self, profile: Profile, pod: PodFacts) -> tuple[str, Trace | None]:
        """The node a pod goes to; "" for none, with why if that is known."""
        ...

    def trace(self, profile: Profile, pod: PodFacts) -> Trace:
        """Why a pod goes nowhere."""
        ...


@dataclass(slots=True)
class Outcome:
    """How far the placing of a group has come."""

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
    def is_enough(self) -> bool:
        """Whether the group can be scheduled with the pods that were placed."""
        return not self.error and self.scheduled >= self.need and bool(self.placed)

    @property
    def message(self) -> str:
        """Why the group is not scheduled."""
        rest = f"{self.scheduled} scheduled, {self.remaining} remaining"
        if self.is_hopeless:
            return f"minCount ({self.need}) cannot be satisfied: {rest}"
        return f"minCount ({self.need}) is not yet satisfied: {rest}"


class GroupPlacing:
    """Places groups in `world`, by the decisions of `deciding`."""

    def __init__(self, world: World, binder: Binder, deciding: Deciding) -> None:
        self._world = world
        self._binder = binder
        self._deciding = deciding

    async def place_all(self, profile: Profile, members: Sequence[PodFacts], outcome: Outcome) -> None:
        """Place one pod after the other, as long as there may be enough."""
        portions = Portions(Work.SCHEDULING)
        for pod in members:
            await portions.next()
            if outcome.is_hopeless:
                return
            outcome.remaining -= 1
            if not self._deciding.is_wanted(pod.uid):
                continue  # it has gone
            if self._world.is_nominated(pod.uid):
                self._world.displace(pod.uid)  # what is promised to it is not in its own way
            if pod.template.trouble:
                outcome.error = f"failed to schedule other pod from a pod group: {pod.template.trouble}"
                return
            try:
                node, trace = await self._deciding.decided(profile, pod)
                if node and self._deciding.is_wanted(pod.uid):
                    await self._binder.reserve(profile, pod, node, self._world)
                    self._world.place(pod, node, is_assumed=True)
                    outcome.placed.append((pod, node))
                    outcome.scheduled += 1
                elif not node:
                    outcome.failed[pod.uid] = (pod, trace or self._deciding.trace(profile, pod))
            except SchedulingError as error:
                outcome.error = f"failed to schedule other pod from a pod group: {error}"
                return

    async def take_back(self, profile: Profile, outcome: Outcome) -> None:
        """Take everything back that was placed and is not being bound."""
        for pod, node in reversed(outcome.placed):
            placement = self._world.placed.get(pod.uid)
            if placement is not None and placement.is_assumed and placement.pod is pod:
                self._world.displace(pod.uid)
            await self._binder.unreserve(profile.binding, pod, node, self._world)
