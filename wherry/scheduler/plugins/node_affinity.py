"""NodeAffinity: node selectors and node affinity, required and preferred, the pod's own and added ones.

Added affinity (NodeAffinityArgs.addedAffinity) holds for all pods of a profile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Kind, Plugin, Refusal, Rejection, scaled
from wherry.scheduler.interned import Bools, Ints, Rows
from wherry.scheduler.matching import any_term_rows, preference_rows, required_rows
from wherry.scheduler.world import World

NOT_MATCHED = "node(s) didn't match Pod's node affinity/selector"
NOT_ENFORCED = "node(s) didn't match scheduler-enforced node affinity"
CONFLICT = "pod affinity terms conflict"


@dataclass(frozen=True, slots=True)
class _Affinity:
    """Rows that are out by the added affinity and by the pod's own, rows that are named, and the raw
    scores.
    """

    not_enforced: Bools | None
    not_matched: Bools | None
    named: Bools | None
    raw: Ints | None


class NodeAffinity(Plugin):
    """`spec.nodeSelector` and `spec.affinity.nodeAffinity`."""

    name = "NodeAffinity"
    scales = True
    changes = frozenset({Kind.NODE})

    def __init__(self, added: Mapping[str, Any] | None = None) -> None:
        added = added or {}
        required = added.get("requiredDuringSchedulingIgnoredDuringExecution")
        self._added = None if required is None else tuple(required.get("nodeSelectorTerms") or ())
        self._preferred = tuple(added.get("preferredDuringSchedulingIgnoredDuringExecution") or ())

    def prepare(self, pod: PodFacts, world: World) -> _Affinity | Refusal | None:
        """See `Plugin.prepare`."""
        template, nodes = pod.template, world.nodes
        preferred = (*self._preferred, *template.preferred_terms)
        own = required_rows(nodes, template)
        if own is None and self._added is None and not preferred:
            return None
        names = _names(template.required_terms or ())
        if names is not None and not names:
            return Refusal(CONFLICT)
        return _Affinity(
            not_enforced=None if self._added is None else ~any_term_rows(nodes, self._added),
            not_matched=None if own is None else ~own,
            named=None if names is None else _rows_named(names, world),
            raw=preference_rows(nodes, preferred) if preferred else None,
        )

    def only(self, state: _Affinity, world: World) -> Bools | None:
        """See `Plugin.only`: the nodes a pod names are all that is looked at."""
        return state.named

    def filter(self, state: _Affinity, world: World, rows: Rows) -> list[Rejection]:
        """See `Plugin.filter`."""
        found = []
        if state.not_enforced is not None:
            found.append(Rejection(state.not_enforced[rows], NOT_ENFORCED))
        if state.not_matched is not None:
            out = state.not_matched[rows]
            if state.not_enforced is not None:
                out = out & ~state.not_enforced[rows]
            found.append(Rejection(out, NOT_MATCHED))
        return found

    def score(self, state: _Affinity, world: World, rows: Rows, feasible: Bools) -> Ints | None:
        """See `Plugin.score`: the summed weights of the preferred terms that match."""
        return None if state.raw is None else scaled(state.raw, feasible)


def _names(terms: Sequence[Mapping[str, Any]]) -> set[str] | None:
    """The names of the only nodes the terms allow, None if they do not name any."""
    if not terms:
        return None
    found: set[str] = set()
    for term in terms:
        named: set[str] | None = None
        for requirement in term.get("matchFields") or ():
            if requirement["key"] == "metadata.name" and requirement["operator"] == "In":
                values = set(requirement.get("values") or ())
                named = values if named is None else named & values
        if named is None:
            return None
        found |= named
    return found


def _rows_named(names: set[str], world: World) -> Bools:
    rows = np.zeros(len(world.nodes), dtype=np.bool_)
    for name in names:
        row = world.nodes.row_of.get(name)
        if row is not None:
            rows[row] = True
    return rows
