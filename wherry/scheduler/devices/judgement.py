"""On which nodes claims can be allocated (`Judgement`): looked at once, as long as nothing changes there.

What was found on a node holds for all claims that want the same. A decision looks at nodes until it knows
enough of them with devices, or has spent its steps: what it found out is remembered, so the next gets
further.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import orjson

from wherry.api.dynamicresources.claims import ALTERNATIVES_LIMIT
from wherry.scheduler.devices.allocator import (
    AllocationError,
    BrokenSelector,
    find_devices,
)
from wherry.scheduler.devices.results import Given
from wherry.scheduler.devices.steps import OutOfSteps, Steps
from wherry.scheduler.devices.wanted import Wanted
from wherry.scheduler.framework import SchedulingError
from wherry.scheduler.interned import Bools, Ints
from wherry.scheduler.recent import Recent
from wherry.scheduler.world import World

NOT_ENOUGH = "cannot allocate all claims"
TIMED_OUT = "timed out trying to allocate devices"
STEPS_ON_A_NODE = 4_000
STEPS_IN_ALL = 4_000
"""So much is looked at for one decision: some ten milliseconds of everybody's."""
ENOUGH_NODES = 100
"""So many nodes with devices are enough to choose from (as upstream's numFeasibleNodesToFind)."""
MOST_WANTS, MOST_WANTS_TRIED = 16, 4
Verdict = str
"""Why claims cannot be allocated on a node, "" if they can."""
Known = dict[str | int, tuple[Hashable, Verdict, int]]
"""By node, or by what is in reach of nodes without devices of their own (`Places.reach`): what the verdict
rests on, the verdict, and the points for alternatives.
"""


class Judgement:
    """Remembers what was found for the latest wants."""

    def __init__(self) -> None:
        self._known: Recent[bytes, Known] = Recent(MOST_WANTS, MOST_WANTS_TRIED)

    def judged(self, wanted: Sequence[Wanted], world: World, left: Bools) -> tuple[Ints, list[Verdict], Ints]:
        """Why claims cannot be allocated on each row that is `left`: numbers of verdicts, 0 if they can.

        And the points of each row, more for alternatives that stand further in front. Raises SchedulingError.
        """
        points = np.zeros(len(left), dtype=np.int64)
        texts, codes = ["", NOT_ENOUGH, TIMED_OUT], np.zeros(len(left), dtype=np.int64)
        rows = np.flatnonzero(left)
        judge, feasible = _Judge(self._known_for(wanted, world), wanted, world), 0
        if any(one.requests for one in wanted):
            codes[rows] = 1
            rows = np.flatnonzero(left & judge.having())
        for number, row in enumerate(map(int, rows)):
            verdict, points[row] = judge.verdict(row)
            if verdict not in texts:
                texts.append(verdict)
            codes[row] = texts.index(verdict)
            feasible += not verdict
            if feasible >= ENOUGH_NODES:
                codes[rows[number + 1 :]] = 2
                break
        if not feasible and judge.is_exhausted:
            raise SchedulingError(TIMED_OUT)
        return codes, texts, points

    def _known_for(self, wanted: Sequence[Wanted], world: World) -> Known:
        wants = orjson.dumps([one.claim.get("spec") for one in wanted])
        known = self._known.of(wants, dict, is_trying=world.pods.is_trying)
        if len(known) > 64 + 2 * len(world.nodes):
            known.clear()  # of nodes that are gone, mostly
        return known


class _Judge:
    """Says of nodes whether claims can be allocated there; `known` are verdicts of before, with stamps."""

    def __init__(self, known: Known, wanted: Sequence[Wanted], world: World) -> None:
        self._known = known
        self._wanted = wanted
        self._keys = tuple(one.key for one in wanted)
        self._inventory = world.devices
        self._names = world.nodes.names
        self._nodes = world.nodes
        self._places = world.places
        self._reach: Ints = np.zeros(len(world.nodes), dtype=np.int64)
        self._steps = STEPS_IN_ALL
        self._is_cut_short = False

    @property
    def is_exhausted(self) -> bool:
        """Whether not all nodes were looked at to the end, and another try gets further."""
        return self._is_cut_short or self._steps <= 0

    def having(self) -> Bools:
        """The rows with devices. Raises SchedulingError."""
        steps = Steps(self._steps)
        try:
            self._reach = self._places.reach(self._inventory.places, steps)
        except OutOfSteps as error:
            raise SchedulingError(TIMED_OUT) from error
        self._steps = steps.left
        found: Bools = self._reach != 0
        row_of = self._nodes.row_of
        found[[row for node in self._inventory.nodes() if (row := row_of.get(node, -1)) >= 0]] = True
        return found

    def verdict(self, row: int) -> tuple[Verdict, int]:
        """Why the claims cannot be allocated on a node ("" if they can), points. Raises SchedulingError."""
        node, reach = self._names[row], int(self._reach[row])
        stamp = (self._inventory.stamp(node), reach)
        where = node if self._inventory.has_own(node) else reach
        before = self._known.get(where)
        if before is not None and before[0] in ((stamp, ()), (stamp, self._keys)):
            return before[1:]
        if self._steps <= 0:
            return TIMED_OUT, 0
        steps = Steps(min(STEPS_ON_A_NODE, self._steps))
        is_whole = steps.left == STEPS_ON_A_NODE
        found, points = self._looked(row, steps)
        if found == TIMED_OUT and (steps.has_learned or not is_whole):
            self._is_cut_short = True
        else:
            names_claim = found not in ("", NOT_ENOUGH, TIMED_OUT)
            self._known[where] = ((stamp, self._keys if names_claim else ()), found, points)
        return found, points

    def _looked(self, row: int, steps: Steps) -> tuple[Verdict, int]:
        given = steps.left
        try:
            sees = self._places.seen_from(row, steps)
            found = find_devices(self._inventory, self._wanted, self._names[row], sees, steps)
        except OutOfSteps:
            return TIMED_OUT, 0
        except AllocationError as error:
            return str(error), 0
        except BrokenSelector as error:
            raise SchedulingError(str(error)) from error
        finally:
            self._steps -= given - steps.left
        return (NOT_ENOUGH, 0) if found is None else ("", _points(found))


def _points(given: Sequence[Sequence[Given]]) -> int:
    """The more, the further in front the alternatives that were taken stand (upstream's computeScore)."""
    taken = {
        (number, one.request.full_name): one.request.rank
        for number, own in enumerate(given)
        for one in own
        if one.request.parent
    }
    return sum(ALTERNATIVES_LIMIT - rank for rank in taken.values())
