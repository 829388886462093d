"""Which nodes devices and slices can be used from (`Place`, `Places`).

Each selector is asked once about all nodes, and again only when nodes come or go or their labels change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

import numpy as np
import orjson

from wherry.scheduler.devices.steps import Steps
from wherry.scheduler.interned import Bools, Ints
from wherry.scheduler.matching import any_term_rows
from wherry.scheduler.nodes import NodeTable

MOST_SELECTORS = 4096
"""So many selectors' nodes are remembered."""
NODES_OF_A_STEP = 4096
VALUES_OF_A_STEP = 16
"""Of the values of a label, which are compared as numbers one by one."""


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
        return sum(1 + len(one.get("values") or ()) for one in self._requirements())

    @property
    def comparisons(self) -> int:
        """How many requirements compare numbers."""
        return sum(one.get("operator") in ("Gt", "Lt") for one in self._requirements())

    def _requirements(self) -> Iterator[Mapping[str, Any]]:
        for term in self.terms:
            yield from term.get("matchExpressions") or ()
            yield from term.get("matchFields") or ()


Sees = Callable[[Place], bool]
"""Whether a place is open to the node that is looked at. May raise OutOfSteps."""


class Places:
    """Which rows of a table of nodes places are open to; `random` makes their numbers."""

    def __init__(self, nodes: NodeTable, random: Random) -> None:
        self._nodes = nodes
        self._random = random
        self._version = -1
        self._rows: dict[bytes, Bools] = {}
        self._weights: dict[bytes, int] = {}
        """The number of each place that was summed, kept as long as there is such a place."""
        self._summed: dict[bytes, Place] = {}
        self._sums: Ints = np.zeros(0, dtype=np.int64)

    def rows(self, place: Place, steps: Steps) -> Bools:
        """The rows a place is open to. Raises OutOfSteps, and knows more the next time."""
        self._renew()
        found = self._rows.get(place.key)
        if found is None:
            if place.is_everywhere:
                found = np.ones(len(self._nodes), dtype=np.bool_)
            else:
                found = any_term_rows(self._nodes, place.terms)
            if len(self._rows) >= MOST_SELECTORS:
                del self._rows[next(iter(self._rows))]
            self._rows[place.key] = found
            by_column = (2 + place.requirements) * (1 + len(self._nodes) // NODES_OF_A_STEP)
            steps.learned(by_column + place.comparisons * len(self._nodes) // VALUES_OF_A_STEP)
        return found

    def seen_from(self, row: int, steps: Steps) -> Sees:
        """Whether a place is open to a row."""
        return lambda place: place.is_everywhere or bool(self.rows(place, steps)[row])

    def reach(self, places: Mapping[bytes, Place], steps: Steps) -> Ints:
        """By row a number: the same where the same places are open, 0 where none is. Not to be changed.

        Each number is a sum of random ones, one for each place that is open. Raises OutOfSteps, and goes on
        from there the next time. Numbers are given in the order of `places`, so that one seed makes the same.
        """
        self._renew()
        for key in [key for key in self._summed if key not in places]:
            rows = self.rows(self._summed[key], steps)
            self._sums[rows] -= self._weights[key]
            del self._summed[key]
            steps.learned(1)
        for key, place in places.items():
            if key in self._summed:
                continue
            rows = self.rows(place, steps)
            if key not in self._weights:
                self._weights[key] = self._random.getrandbits(62) | 1
            self._sums[rows] += self._weights[key]
            self._summed[key] = place
            steps.learned(1)
        if len(self._weights) > 64 + 2 * len(places):
            self._weights = {key: self._weights[key] for key in places}
        return self._sums

    def _renew(self) -> None:
        """Begin anew if nodes came or went, or their labels changed."""
        if self._version != self._nodes.labels_version:
            self._version = self._nodes.labels_version
            self._rows.clear()
            self._summed.clear()
            self._sums = np.zeros(len(self._nodes), dtype=np.int64)
