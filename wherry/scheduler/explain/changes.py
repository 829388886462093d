"""The smallest change of a pod that would make it fit somewhere (`Changes`), found by trying.

Each thing the pod asks for is left out, one at a time, and the filters are asked again. Where none is enough
alone, all are left out, and as many as possible given back. What is asked for too much of is lowered to what
the node it takes least for has left.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from time import thread_time

import numpy as np

from wherry.kit.portions import Portions, Work
from wherry.objects.meta import Object
from wherry.objects.quantity import format_quantity
from wherry.scheduler.evaluation import Evaluation
from wherry.scheduler.explain.constraints import Constraint, ask_for, constraints_of, without
from wherry.scheduler.explain.status import group_of
from wherry.scheduler.facts import PodFacts, read_changed
from wherry.scheduler.interned import Ints
from wherry.scheduler.profiles import Profile
from wherry.scheduler.world import World

MIB = 1024 * 1024
MOST_ROUNDS = 3
"""So often what comes to light without the others is left out, too."""

MOST_TRIALS = 100
"""So often the filters are asked at most,"""
MOST_WORK_S = 1.0
"""and for no more processor time than this: a pod for which it is not enough has thousands of parts."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a pod that did without something: the rows it fits on, and who rejected others."""

    rows: Ints
    plugins: frozenset[str]


class StoppedError(Exception):
    """Enough was tried; the text says how much."""


class Changes:
    """Looks for changes of one pod, in one world."""

    def __init__(self, world: World, profile: Profile, pod: PodFacts) -> None:
        self._world = world
        self._profile = profile
        self._pod = pod
        self._portions = Portions(Work.REQUESTS)
        self._trials = 0
        self._worked_s = 0.0
        self.stopped = ""
        """Why not all was tried that could have been, once `find` is through; "" if it was."""

    async def find(self) -> list[Object] | None:
        """Changes that are each enough, the best first; none if nothing would help, None if it fits now."""
        first = await self._try(())
        if len(first.rows):
            return None
        found: list[Object] = []
        try:
            await self._look(first, found)
        except StoppedError as error:
            self.stopped = str(error)
        return sorted(found, key=lambda change: (len(change["steps"]), -change["count"]))

    async def _look(self, first: Trial, found: list[Object]) -> None:
        """Put into `found` what is enough. Raises StoppedError."""
        known = constraints_of(self._pod, first.plugins, self._world)
        for constraint in known:
            trial = await self._try((constraint,))
            if len(trial.rows):
                found.append(await self._told((constraint,), trial))
        if not found:
            together = await self._together(known)
            if together:
                found.append(await self._told(together, await self._judged(self._without(together))))

    async def _together(self, known: list[Constraint]) -> tuple[Constraint, ...]:
        """As few of them as possible that are enough together; more than that if it would take too long."""
        for _ in range(MOST_ROUNDS):
            trial = await self._try(known)
            if len(trial.rows):
                break
            more = constraints_of(self._pod, trial.plugins, self._world)
            present = {(one.field, one.change) for one in known}
            fresh = [one for one in more if (one.field, one.change) not in present]
            if not fresh:
                return ()
            known = [*known, *fresh]
        else:
            return ()
        needed = list(known)
        try:
            for constraint in known:
                left = [one for one in needed if one is not constraint]
                if len((await self._try(left)).rows):
                    needed = left
        except StoppedError as error:
            self.stopped = str(error)  # what is found so far is enough, if not the least
        return tuple(needed)

    async def _try(self, constraints: Sequence[Constraint]) -> Trial:
        """What becomes of the pod without these. Raises StoppedError."""
        if self._trials >= MOST_TRIALS:
            raise StoppedError(f"stopped looking after {MOST_TRIALS} trials")
        if self._worked_s >= MOST_WORK_S and self._trials:
            raise StoppedError(f"stopped looking after {MOST_WORK_S:g} s of work and {self._trials} trials")
        self._trials += 1
        return await self._judged(self._without(constraints))

    def _without(self, constraints: Sequence[Constraint]) -> Object:
        return without(self._pod.pod, constraints)

    async def _judged(self, pod: Object) -> Trial:
        """What becomes of it, in two portions: it is read, and held against the nodes."""
        await self._portions.next()
        began = thread_time()
        facts = read_changed(self._pod, pod)
        self._worked_s += self._portions.since(began)
        await self._portions.next()
        began = thread_time()
        trial = self._held(facts)
        self._worked_s += self._portions.since(began)
        return trial

    def _held(self, pod: PodFacts) -> Trial:
        world = self._world
        aside = [placement.pod.uid for placement in world.nominated_below(self._pod.priority)]
        own = [self._pod.uid] if self._pod.uid in world.placed else []
        with world.what_if((*own, *(uid for uid in aside if uid != self._pod.uid))):
            evaluation = Evaluation(self._profile, pod, world)
            if evaluation.refusal is not None:
                return Trial(np.zeros(0, dtype=np.int64), frozenset({evaluation.refused_by}))
            trace = evaluation.trace()
        rejecting = {trace.filters[int(index)] for index in np.flatnonzero(trace.blocked.any(axis=1))}
        return Trial(np.flatnonzero(evaluation.feasible), frozenset(rejecting))

    async def _told(self, constraints: Sequence[Constraint], trial: Trial) -> Object:
        lowered = {one.resource for one in constraints if one.resource}
        rows = trial.rows
        amounts: dict[str, _Amounts] = {}
        if lowered:
            row = self._closest(rows, lowered)
            amounts = {name: self._amounts(row, name) for name in sorted(lowered)}
            pod = self._without([one for one in constraints if not one.resource])
            for name, found in amounts.items():
                ask_for(name, shown(name, found.left), pod)
            rows = (await self._judged(pod)).rows
        group = group_of(self._world.nodes.names, rows)
        steps = [_step(one, amounts.get(one.resource), group["nodes"]) for one in constraints]
        return {"steps": steps, **group}

    def _closest(self, rows: Ints, resources: Iterable[str]) -> int:
        """The row on which the least is missing, by the share of what the pod asks for."""
        missing = np.zeros(len(rows), dtype=np.float64)
        for name in resources:
            wanted = self._pod.template.requests[name]
            missing = np.maximum(missing, (wanted - self._left(name)[rows]) / wanted)
        return int(rows[int(missing.argmin())])

    def _left(self, resource: str) -> Ints:
        nodes = self._world.nodes
        return nodes.resource(nodes.allocatable, resource) - nodes.resource(nodes.requested, resource)

    def _amounts(self, row: int, resource: str) -> _Amounts:
        wanted, nodes = self._pod.template.requests[resource], self._world.nodes
        left = max(min(int(self._left(resource)[row]), wanted), 0)
        left -= left % MIB if _is_bytes(resource) and left < wanted else 0
        return _Amounts(wanted, left, int(nodes.resource(nodes.allocatable, resource)[row]) >= wanted)


@dataclass(frozen=True, slots=True)
class _Amounts:
    """What the pod asks for, what a node has left of it, and whether the node would do if it were empty."""

    wanted: int
    left: int
    would_do: bool


def _step(constraint: Constraint, amounts: _Amounts | None, nodes: Sequence[str]) -> Object:
    change, instead = constraint.change, constraint.instead
    if amounts is not None:
        name, wanted = constraint.resource, shown(constraint.resource, amounts.wanted)
        field = constraint.field.removeprefix("spec.")
        change = f"lower {field} from {wanted} to {shown(name, amounts.left)}"
        missing = shown(name, amounts.wanted - amounts.left)
        instead = (
            f"free {missing} of {name} on NODE" if amounts.would_do else f"add a node with {wanted} of {name}"
        )
    first = nodes[0] if nodes else "NODE"
    step = {"field": constraint.field, "change": change}
    return {**step, "instead": instead.replace("NODE", first)} if instead else step


def shown(resource: str, amount: int) -> str:
    """An amount of a resource, CPU in millicores, as a quantity."""
    if resource == "cpu":
        return format_quantity(Decimal(amount) / 1000)
    return format_quantity(Decimal(amount), "binary" if _is_bytes(resource) else "decimal")


def _is_bytes(resource: str) -> bool:
    return resource in ("memory", "ephemeral-storage") or resource.startswith("hugepages-")
