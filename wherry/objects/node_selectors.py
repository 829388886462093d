"""Node selectors and node affinity of one node (component-helpers/scheduling/corev1/nodeaffinity).

Terms are alternatives, requirements within a term must all hold; a term without any matches nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wherry.kit.integers import parse_integer
from wherry.objects.meta import Object, labels_of, name_of


def node_matches_pod(node: Object, spec: Mapping[str, Any]) -> bool:
    """Whether a node fulfils the node selector and the required node affinity of a pod's spec."""
    labels = labels_of(node)
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return required is None or node_matches(node, required.get("nodeSelectorTerms") or ())


def node_matches(node: Object, terms: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a node matches at least one of the terms."""
    return any(term_matches(node, term) for term in terms)


def term_matches(node: Object, term: Mapping[str, Any]) -> bool:
    """Whether a node matches one term (core/v1's NodeSelectorTerm)."""
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    labels = labels_of(node)
    known_fields = {"metadata.name": name_of(node)}
    return all(requirement_matches(r, labels) for r in expressions) and all(
        requirement_matches(r, known_fields) for r in fields
    )


def requirement_matches(requirement: Mapping[str, Any], values: Mapping[str, str]) -> bool:
    """Whether labels (or fields) fulfil one NodeSelectorRequirement."""
    found = values.get(requirement["key"])
    wanted = requirement.get("values") or ()
    match requirement["operator"]:
        case "In":
            return found is not None and found in wanted
        case "NotIn":
            return found is None or found not in wanted
        case "Exists":
            return found is not None
        case "DoesNotExist":
            return found is None
        case operator:
            return value_matcher(operator, wanted)(found)


def value_matcher(operator: str, wanted: Sequence[str]) -> Callable[[str | None], bool]:
    """How a value is judged by an operator that compares numbers. Unknown operators match nothing."""
    bound = parse_integer(wanted[0]) if wanted else None
    if bound is None or operator not in ("Gt", "Lt"):
        return lambda _: False

    def matches(value: str | None) -> bool:
        found = parse_integer(value) if value is not None else None
        return found is not None and (found > bound if operator == "Gt" else found < bound)

    return matches
