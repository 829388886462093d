"""Topology domains: which row is in which domain of a key (such as a zone), and sums over them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from wherry.scheduler.interned import Bools, Ints
from wherry.scheduler.nodes import NodeTable

FEW = 32


class Domains:
    """The domains of one topology key. Slot 0 is for nodes without the label; the others are numbered
    anyhow.
    """

    def __init__(self, nodes: NodeTable, key: str) -> None:
        self.key = key
        column = nodes.label_codes(key)
        if column is None:
            self.slots: Ints = np.zeros(len(nodes), dtype=np.int64)
            self.size = 1
        else:
            codes, interned = column
            self.slots = codes + 1
            self.size = len(interned.values) + 1
        self.has_key: Bools = self.slots != 0
        """The rows that have the label."""

    def sums(self, counts: Ints, rows: Bools | None = None) -> Ints:
        """`counts` (by row) summed over each domain; of the marked rows alone if `rows` is given."""
        counted = counts[: len(self.slots)]
        slots = self.slots
        if rows is not None:
            slots, counted = slots[rows], counted[rows]
        found: Ints = np.bincount(slots, weights=counted, minlength=self.size).astype(np.int64)
        found[0] = 0
        return found

    def sums_of(self, counts: Mapping[int, int]) -> Ints:
        """The same of counts for a few rows."""
        if len(counts) > FEW:
            rows = np.fromiter(counts.keys(), dtype=np.int64, count=len(counts))
            values = np.fromiter(counts.values(), dtype=np.int64, count=len(counts))
            found: Ints = np.bincount(self.slots[rows], weights=values, minlength=self.size).astype(np.int64)
        else:
            found = np.zeros(self.size, dtype=np.int64)
            for row, count in counts.items():
                found[self.slots[row]] += count
        found[0] = 0
        return found

    def present(self, rows: Bools) -> Bools:
        """The domains some marked row is in."""
        found: Bools = np.zeros(self.size, dtype=np.bool_)
        found[self.slots[rows]] = True
        found[0] = False
        return found
