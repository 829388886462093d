"""Labels of nodes that have got other names since, and what is said about the use of the old ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STABLE_LABELS = {
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/os": "kubernetes.io/os",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
}
_SINCE = {"beta.kubernetes.io/arch": "v1.14", "beta.kubernetes.io/os": "v1.14"}


def label_message(label: str) -> str:
    """What is to be said of a node's label, "" when nothing is."""
    stable = STABLE_LABELS.get(label)
    return f'deprecated since {_SINCE.get(label, "v1.17")}; use "{stable}" instead' if stable else ""


def selector_warnings(labels: Mapping[str, Any] | None, path: str) -> list[str]:
    """The warnings about a plain `nodeSelector` at `path`."""
    return [f"{path}[{label}]: {said}" for label in labels or () if (said := label_message(label))]


def term_warnings(term: Mapping[str, Any], path: str) -> list[str]:
    """The warnings about one `NodeSelectorTerm` at `path`."""
    return [
        f"{path}.matchExpressions[{index}].key: {key} is {said}"
        for index, expression in enumerate(term.get("matchExpressions") or ())
        if (said := label_message(key := expression.get("key") or ""))
    ]


def node_selector_warnings(selector: Mapping[str, Any] | None, path: str) -> list[str]:
    """The warnings about a `NodeSelector` at `path`."""
    terms = (selector or {}).get("nodeSelectorTerms") or ()
    return [
        text
        for index, term in enumerate(terms)
        for text in term_warnings(term, f"{path}.nodeSelectorTerms[{index}]")
    ]
