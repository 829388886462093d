"""What a scheduling plugin is: a filter, a score, or both, over all nodes at once; or a look before.

A filter answers with the reasons why nodes are out (an empty answer passes all); a score with a
number from 0 to 100 per row. Plugins are stateless and never know each other; `catalog` puts them
in order and gives the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from wherry.objects.meta import Object
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.table import Bools, Ints, NodeTable

TOP_SCORE = 100


@dataclass(frozen=True, slots=True)
class Rejection:
    """The rows in `rows` cannot take the pod, because of `reason` (upstream's wording).

    `resolvable` tells whether evicting pods there could help (upstream's Unschedulable as against
    UnschedulableAndUnresolvable).
    """

    rows: Bools
    reason: str
    resolvable: bool = False


class Plugin(Protocol):
    """A named plugin."""

    @property
    def name(self) -> str: ...


class Storage(Protocol):
    """What is known of claims and classes."""

    def claim(self, key: str) -> Object | None:
        """The PersistentVolumeClaim `namespace/name`."""
        ...

    def storage_class(self, name: str) -> Object | None:
        """The StorageClass `name`."""
        ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a pod goes nowhere; `of_each_node` if upstream finds it out node by node."""

    reason: str
    of_each_node: bool = False


class PreFilterPlugin(Plugin, Protocol):
    """Refuses a pod before any node is looked at."""

    def refuse(self, pod: PodFacts, storage: Storage) -> Refusal | None:
        """Why no node can take the pod whatever it is, None if some may."""
        ...


@runtime_checkable
class FilterPlugin(Plugin, Protocol):
    """Rules nodes out."""

    def filter(self, pod: PodFacts, nodes: NodeTable) -> list[Rejection]:
        """Why nodes cannot take the pod, one rejection per reason."""
        ...


@runtime_checkable
class ScorePlugin(Plugin, Protocol):
    """Prefers some nodes to others."""

    def score(self, pod: PodFacts, nodes: NodeTable, feasible: Bools) -> Ints | None:
        """0 to 100 for every row, the higher the better; None when all are alike.

        Rows that are not `feasible` may hold anything.
        """
        ...


def scaled(raw: Ints, feasible: Bools, *, reverse: bool = False) -> Ints | None:
    """`raw` scores brought to 0-100 by the highest feasible one; None when that is zero.

    `reverse` makes the highest the worst (upstream's DefaultNormalizeScore).
    """
    highest = int(raw[feasible].max(initial=0))
    if highest == 0:
        return None
    shares: Ints = raw * TOP_SCORE // highest
    return TOP_SCORE - shares if reverse else shares


def nobody(nodes: NodeTable) -> Bools:
    """A mask without any row."""
    return np.zeros(len(nodes), dtype=np.bool_)
