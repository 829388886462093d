"""NodeAffinity: node selectors and node affinity, required and preferred.

A requirement is decided once per distinct label value; nodes only look the answer up. Terms are
alternatives, requirements within a term must all hold (core/v1's NodeSelectorTerm).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from wherry.kit.integers import parse_integer
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Rejection, nobody, scaled
from wherry.scheduler.table import ABSENT, FIELD_PREFIX, Bools, Ints, NodeTable


class NodeAffinity:
    """`spec.nodeSelector` and `spec.affinity.nodeAffinity`."""

    name = "NodeAffinity"

    def filter(self, pod: PodFacts, nodes: NodeTable) -> list[Rejection]:
        """See `FilterPlugin.filter`."""
        if not pod.node_selector and pod.required_terms is None:
            return []
        wanted = np.ones(len(nodes), dtype=np.bool_)
        for key, value in pod.node_selector.items():
            wanted &= _rows(nodes, {"key": key, "operator": "In", "values": [value]})
        if pod.required_terms is not None:
            any_term = nobody(nodes)
            for term in pod.required_terms:
                any_term |= _term_rows(nodes, term)
            wanted &= any_term
        if wanted.all():
            return []
        return [Rejection(~wanted, "node(s) didn't match Pod's node affinity/selector")]

    def score(self, pod: PodFacts, nodes: NodeTable, feasible: Bools) -> Ints | None:
        """See `ScorePlugin.score`: the summed weights of the preferred terms that match."""
        if not pod.preferred_terms:
            return None
        raw: Ints = np.zeros(len(nodes), dtype=np.int64)
        for preference in pod.preferred_terms:
            raw += preference["weight"] * _term_rows(nodes, preference.get("preference") or {})
        return scaled(raw, feasible)


def _term_rows(nodes: NodeTable, term: Mapping[str, Any]) -> Bools:
    """The rows one term matches; an empty term matches none."""
    expressions = term.get("matchExpressions") or ()
    fields = term.get("matchFields") or ()
    if not expressions and not fields:
        return nobody(nodes)
    rows = np.ones(len(nodes), dtype=np.bool_)
    for requirement in expressions:
        rows &= _rows(nodes, requirement)
    for requirement in fields:
        rows &= _rows(nodes, {**requirement, "key": FIELD_PREFIX + requirement["key"]})
    return rows


def _rows(nodes: NodeTable, requirement: Mapping[str, Any]) -> Bools:
    """The rows one requirement matches."""
    operator, values = requirement["operator"], requirement.get("values") or ()
    column = nodes.label_codes(requirement["key"])
    absent_matches = operator in ("NotIn", "DoesNotExist")
    if column is None:
        return np.full(len(nodes), absent_matches)
    codes, interned = column
    if operator in ("In", "NotIn"):
        wanted = [interned.known_code(value) for value in values]
        found: Bools = codes == wanted[0] if len(wanted) == 1 else np.isin(codes, wanted)
        return found if operator == "In" else ~found
    if operator in ("Exists", "DoesNotExist"):
        present: Bools = codes != ABSENT
        return present if operator == "Exists" else ~present
    matches = _matcher(operator, values)
    answers = np.array([*map(matches, interned.values), absent_matches], dtype=np.bool_)
    rows: Bools = answers[codes]  # the code of an absent label is -1: the last answer
    return rows


def _matcher(operator: str, values: Sequence[str]) -> Callable[[str | None], bool]:
    """How a value is judged by an operator that compares numbers. Unknown operators match nothing."""
    bound = parse_integer(values[0]) if values else None
    if bound is None or operator not in ("Gt", "Lt"):
        return lambda _: False

    def matches(value: str | None) -> bool:
        found = parse_integer(value) if value is not None else None
        return found is not None and (found > bound if operator == "Gt" else found < bound)

    return matches
