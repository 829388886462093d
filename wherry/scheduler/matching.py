"""Which nodes a selector or a toleration matches, for all nodes at once.

A requirement is decided once per distinct label value; nodes only look the answer up. Terms are
alternatives, requirements within a term must all hold (core/v1's NodeSelectorTerm).
`objects/node_selectors` says the same of one node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wherry.objects.node_selectors import value_matcher
from wherry.objects.taints import Taint, tolerates_any
from wherry.scheduler.facts import Template
from wherry.scheduler.interned import ABSENT, Bools, Ints
from wherry.scheduler.nodes import FIELD_PREFIX, NodeTable

HARD_EFFECTS = ("NoSchedule", "NoExecute")


def required_rows(nodes: NodeTable, template: Template) -> Bools | None:
    """The rows that match a pod's node selector and required node affinity; None if it has neither."""
    if not template.node_selector and template.required_terms is None:
        return None
    rows: Bools = np.ones(len(nodes), dtype=np.bool_)
    for key, value in template.node_selector.items():
        rows &= requirement_rows(nodes, {"key": key, "operator": "In", "values": [value]})
    if template.required_terms is not None:
        rows &= any_term_rows(nodes, template.required_terms)
    return rows


def any_term_rows(nodes: NodeTable, terms: Sequence[Mapping[str, Any]]) -> Bools:
    """The rows at least one of the terms matches."""
    rows: Bools = np.zeros(len(nodes), dtype=np.bool_)
    for term in terms:
        rows |= term_rows(nodes, term)
    return rows


def preference_rows(nodes: NodeTable, terms: Sequence[Mapping[str, Any]]) -> Ints:
    """Of every row the summed weights of the preferences (PreferredSchedulingTerms) that match it."""
    total: Ints = np.zeros(len(nodes), dtype=np.int64)
    for preference in terms:
        weight = preference.get("weight") or 0
        if weight:
            total += weight * term_rows(nodes, preference.get("preference") or {})
    return total


def term_rows(nodes: NodeTable, term: Mapping[str, Any]) -> Bools:
    """The rows one term matches; an empty term matches none."""
    expressions = term.get("matchExpressions") or ()
    fields = term.get("matchFields") or ()
    if not expressions and not fields:
        return np.zeros(len(nodes), dtype=np.bool_)
    rows: Bools = np.ones(len(nodes), dtype=np.bool_)
    for requirement in expressions:
        rows &= requirement_rows(nodes, requirement)
    for requirement in fields:
        rows &= requirement_rows(nodes, {**requirement, "key": FIELD_PREFIX + requirement["key"]})
    return rows


def requirement_rows(nodes: NodeTable, requirement: Mapping[str, Any]) -> Bools:
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
    matches = value_matcher(operator, values)
    answers = np.array([*map(matches, interned.values), absent_matches], dtype=np.bool_)
    rows: Bools = answers[codes]  # the code of an absent label is -1: the last answer
    return rows


def untolerated_rows(nodes: NodeTable, tolerations: Sequence[Mapping[str, Any]]) -> Bools | None:
    """The rows with a taint that keeps such pods away; None if there is none."""
    out = [
        any(taint[2] in HARD_EFFECTS and not tolerates_any(tolerations, taint) for taint in _known(taints))
        for taints in nodes.taints.values
    ]
    if not any(out):
        return None
    rows: Bools = np.array([*out, False])[nodes.column(nodes.taints.codes)]  # an absent code is -1
    return rows


def soft_taints(nodes: NodeTable, tolerations: Sequence[Mapping[str, Any]]) -> Ints | None:
    """How many PreferNoSchedule taints of each row are not tolerated; None if none anywhere."""
    soft = [t for t in tolerations if t.get("effect") in (None, "", "PreferNoSchedule")]
    counts = [
        sum(taint[2] == "PreferNoSchedule" and not tolerates_any(soft, taint) for taint in _known(taints))
        for taints in nodes.taints.values
    ]
    if not any(counts):
        return None
    rows: Ints = np.array([*counts, 0], dtype=np.int64)[nodes.column(nodes.taints.codes)]
    return rows


def _known(taints: tuple[Taint, ...] | None) -> tuple[Taint, ...]:
    """The taints of a code; a free code (None) has none."""
    return taints or ()
