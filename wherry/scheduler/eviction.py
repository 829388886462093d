"""Making room: finding whom to evict, in portions, and evicting them (`Evictor`)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from operator import attrgetter
from random import Random

from wherry.api.core.pods import PODS
from wherry.client.api import Client
from wherry.kit.portions import Portions, Work
from wherry.objects.errors import ApiError
from wherry.objects.meta import name_of, namespace_of
from wherry.scheduler.budgets import Budgets
from wherry.scheduler.consulting import Consulting
from wherry.scheduler.decisions import Decisions
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import SchedulingError
from wherry.scheduler.preemption import (
    Candidate,
    candidates_wanted,
    look_at,
    reasons_on,
    rows_to_try,
)
from wherry.scheduler.profiles import Profile
from wherry.scheduler.reporting import Preemptor, Reporter
from wherry.scheduler.trace import Trace, preemption_text
from wherry.scheduler.world import World

log = logging.getLogger(__name__)

MOST_AT_ONCE = 16
"""So many victims of one preemptor are told and deleted at a time (upstream's parallelism)."""
NO_CANDIDATE = "no candidate node for preemption"


class Evictor:
    """Finds victims and evicts them."""

    def __init__(
        self, client: Client, world: World, decisions: Decisions, consulting: Consulting, random: Random
    ) -> None:
        self._client = client
        self._consulting = consulting
        self._world = world
        self._decisions = decisions
        self._random = random

    async def find(
        self, profile: Profile, pod: PodFacts, trace: Trace, budgets: Budgets
    ) -> tuple[Candidate | None, str]:
        """The best node to make room on, or None and why there is none."""
        search = self._decisions.search(profile, pod)
        rows = rows_to_try(trace, search, self._random)
        names = [trace.nodes[row] for row in rows]
        wanted = candidates_wanted(profile, len(rows))
        found: list[Candidate] = []
        has_harmless = False
        evaluation = self._decisions.evaluation(profile, pod)
        portions = Portions(Work.SCHEDULING)
        for name in names:
            if await portions.next():
                evaluation = self._decisions.evaluation(profile, pod)
            row = self._world.nodes.row_of.get(name)
            if row is None:
                continue
            candidate = look_at(evaluation, search, row, pod, self._world, budgets)
            if candidate is None:
                continue
            found.append(candidate)
            has_harmless = has_harmless or not candidate.violations
            if has_harmless and len(found) >= wanted:
                break
        if not found:
            return None, preemption_text(len(trace.nodes), reasons_on(search, names))
        try:
            found = await self._consulting.preempt(pod, found)
        except SchedulingError as error:
            return None, str(error)
        if not found:
            return None, NO_CANDIDATE
        return min(found, key=attrgetter("rank")), ""

    async def evict(
        self, victims: Iterable[PodFacts], nodes: Iterable[str], by: Preemptor, reporter: Reporter
    ) -> None:
        """Evict the victims who do not go already, to make room on these nodes. Raises ApiError when one
        cannot be.
        """
        for node in nodes:
            for lower in self._world.nominated_on(node):
                if lower.priority < by.priority:
                    # It may not fit there any more: it looks for another place at once.
                    self._world.displace(lower.uid)
                    await reporter.clear_nomination(lower)
        room = asyncio.Semaphore(MOST_AT_ONCE)
        waiting = [victim for victim in victims if not victim.is_deleting]
        await asyncio.gather(*(self._evict_one(victim, by, reporter, room) for victim in waiting))

    async def _evict_one(
        self, victim: PodFacts, by: Preemptor, reporter: Reporter, room: asyncio.Semaphore
    ) -> None:
        try:
            async with room:
                await reporter.doom(victim, by)
                where = namespace_of(victim.pod)
                await self._client.delete(PODS, name_of(victim.pod), where, uid=victim.uid)
        except ApiError as error:
            if error.code in (404, 409):  # gone, or another of that name
                return
            raise
        reporter.preempted(victim, by)
