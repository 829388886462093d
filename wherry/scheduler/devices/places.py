"""Which nodes devices and slices can be used from (`Place`, `Places`).

Each selector is asked once about all nodes, and again only when nodes come or go or their labels change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import orjson

from wherry.scheduler.devices.steps import Steps
from wherry.scheduler.interned import Bools
from wherry.scheduler.matching import any_term_rows
from wherry.scheduler.nodes import NodeTable

MOST_SELECTORS = 4096
"""So many selectors' nodes are remembered."""
NODES_OF_A_STEP = 4096


class Place:
    """What a slice or device says of the nodes it can be used from, but for its node's name."""

    __slots__ = ("is_everywhere", "key", "terms")

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.is_everywhere = bool(spec.get("allNodes"))
        selector = None if self.is_everywhere else spec.get("nodeSelector")
        self.terms: tuple[Mapping[str, Any], ...] = tuple((selector or {}).get("nodeSelectorTerms") or ())
        self.key = b"all" if self.is_everywhere else orjson.dumps(self.terms)

    @property
    def requirements(self) -> int:
        """How many requirements and values have to be looked at."""
        return sum(
            1 + len(one.get("values") or ())
            for term in self.terms
            for one in (*(term.get("matchExpressions") or ()), *(term.get("matchFields") or ()))
        )


Sees = Callable[[Place], bool]
"""Whether a place is open to the node that is looked at. May raise OutOfSteps."""


class Places:
    """Which rows of a table of nodes places are open to."""

    def __init__(self, nodes: NodeTable) -> None:
        self._nodes = nodes
        self._version = -1
        self._rows: dict[bytes, Bools] = {}

    def rows(self, place: Place, steps: Steps) -> Bools:
        """The rows a place is open to. Raises OutOfSteps, and knows more the next time."""
        if self._version != self._nodes.labels_version:
            self._rows.clear()
            self._version = self._nodes.labels_version
        found = self._rows.get(place.key)
        if found is None:
            if place.is_everywhere:
                found = np.ones(len(self._nodes), dtype=np.bool_)
            else:
                found = any_term_rows(self._nodes, place.terms)
            if len(self._rows) >= MOST_SELECTORS:
                del self._rows[next(iter(self._rows))]
            self._rows[place.key] = found
            steps.learned((2 + place.requirements) * (1 + len(self._nodes) // NODES_OF_A_STEP))
        return found

    def seen_from(self, row: int, steps: Steps) -> Sees:
        """Whether a place is open to a row."""
        return lambda place: place.is_everywhere or bool(self.rows(place, steps)[row])

    def open_to_any(self, places: Iterable[Place], steps: Steps) -> Bools:
        """The rows at least one of the places is open to. Raises OutOfSteps."""
        found: Bools = np.zeros(len(self._nodes), dtype=np.bool_)
        for place in places:
            found |= self.rows(place, steps)
        return found
