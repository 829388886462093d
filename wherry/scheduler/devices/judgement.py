"""On which nodes claims can be allocated (`Judgement`): looked at once, as long as nothing changes there.

What was found on a node holds for all claims that want the same. A decision looks at nodes until it knows
enough of them with devices, or has spent its steps: what it found out is remembered, so the next gets
further.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from wherry.api.dynamicresources.claims import ALTERNATIVES_LIMIT
from wherry.scheduler.devices.allocator import (
    AllocationError,
    BrokenSelector,
    OutOfSteps,
    Sees,
    Steps,
    find_devices,
)
from wherry.scheduler.devices.results import Given
from wherry.scheduler.devices.wanted import Wanted
from wherry.scheduler.framework import SchedulingError
from wherry.scheduler.interned import Bools, Ints
from wherry.scheduler.matching import any_term_rows
from wherry.scheduler.world import World

NOT_ENOUGH = "cannot allocate all claims"
TIMED_OUT = "timed out trying to allocate devices"
STEPS_ON_A_NODE = 2_000
STEPS_IN_ALL = 3_000
"""So much is looked at for one decision: some ten milliseconds of everybody's."""
ENOUGH_NODES = 100
"""So many nodes with devices are enough to choose from (as upstream's numFeasibleNodesToFind)."""
MOST_WANTS = 16
Verdict = str
"""Why claims cannot be allocated on a node, "" if they can."""
Known = dict[str, tuple[Hashable, Verdict, int]]
"""By node: what the verdict rests on, the verdict, and the points for alternatives."""


class Places:
    """Which rows places (nodeSelector, allNodes) are open to, each worked out once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rows: dict[bytes, Bools] = {}

    def seen_from(self, row: int) -> Sees:
        """Whether a place is open to a row."""

        def sees(place: Mapping[str, Any]) -> bool:
            if place.get("allNodes"):
                return True
            selector = place.get("nodeSelector")
            if selector is None:
                return False
            key = orjson.dumps(selector)
            if key not in self._rows:
                terms = selector.get("nodeSelectorTerms") or ()
                self._rows[key] = any_term_rows(self._world.nodes, terms)
            return bool(self._rows[key][row])

        return sees


class Judgement:
    """Remembers what was found for the latest wants."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Known] = OrderedDict()

    def judged(self, wanted: Sequence[Wanted], world: World, left: Bools) -> tuple[Ints, list[Verdict], Ints]:
        """Why claims cannot be allocated on each row that is `left`: numbers of verdicts, 0 if they can.

        And the points of each row, more for alternatives that stand further in front. Raises SchedulingError.
        """
        points = np.zeros(len(left), dtype=np.int64)
        texts, codes = ["", NOT_ENOUGH, TIMED_OUT], np.zeros(len(left), dtype=np.int64)
        rows = np.flatnonzero(left)
        having = world.devices.nodes()
        if having is not None and any(one.requests for one in wanted):
            codes[rows] = 1
            row_of = world.nodes.row_of
            candidates = [row for node in having if (row := row_of.get(node, -1)) >= 0 and left[row]]
            rows = np.array(candidates, dtype=np.int64)
        judge, feasible = _Judge(self._known_for(wanted), wanted, world), 0
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

    def _known_for(self, wanted: Sequence[Wanted]) -> Known:
        wants = orjson.dumps([one.claim.get("spec") for one in wanted])
        known = self._known.setdefault(wants, {})
        self._known.move_to_end(wants)
        if len(self._known) > MOST_WANTS:
            self._known.popitem(last=False)
        return known


class _Judge:
    """Says of nodes whether claims can be allocated there; `known` are verdicts of before, with stamps."""

    def __init__(self, known: Known, wanted: Sequence[Wanted], world: World) -> None:
        self._known = known
        self._wanted = wanted
        self._inventory = world.devices
        self._names = world.nodes.names
        self._places = Places(world)
        self._era = world.era if world.devices.selects_nodes else 0
        self._steps = STEPS_IN_ALL

    @property
    def is_exhausted(self) -> bool:
        """Whether not all nodes were looked at."""
        return self._steps <= 0

    def verdict(self, row: int) -> tuple[Verdict, int]:
        """Why the claims cannot be allocated on a node ("" if they can), points. Raises SchedulingError."""
        node = self._names[row]
        stamp = (self._inventory.stamp(node), self._era)
        before = self._known.get(node)
        if before is not None and before[0] == stamp:
            return before[1:]
        if self.is_exhausted:
            return TIMED_OUT, 0
        found, points = self._looked(node, self._places.seen_from(row))
        if found in ("", NOT_ENOUGH, TIMED_OUT):  # others name the claim
            self._known[node] = (stamp, found, points)
        return found, points

    def _looked(self, node: str, sees: Sees) -> tuple[Verdict, int]:
        own = Steps(STEPS_ON_A_NODE)
        try:
            found = find_devices(self._inventory, self._wanted, node, sees, own)
        except OutOfSteps:
            return TIMED_OUT, 0
        except AllocationError as error:
            return str(error), 0
        except BrokenSelector as error:
            raise SchedulingError(str(error)) from error
        finally:
            self._steps -= STEPS_ON_A_NODE - max(own.left, 0)
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
