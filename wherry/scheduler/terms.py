"""What pods ask of each other: affinity terms and spread constraints, read once and comparable by value.

Label keys to match (`matchLabelKeys`) have become part of the selectors when the pod was created
(pkg/registry/core/pod/strategy.go); only constraints from elsewhere still have them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from wherry.objects.selectors import Requirement, Selector, from_label_selector

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"

HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"

HONOR = "Honor"
DO_NOT_SCHEDULE = "DoNotSchedule"
SCHEDULE_ANYWAY = "ScheduleAnyway"


@dataclass(frozen=True, slots=True)
class Term:
    """A PodAffinityTerm: pods that `selector` matches, in `namespaces` or those whose labels
    `namespace_selector` matches (None: no more namespaces), within one domain of `topology_key`.
    """

    topology_key: str
    selector: Selector
    namespaces: frozenset[str]
    namespace_selector: Selector | None = None
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = (self.topology_key, self.selector, self.namespaces, self.namespace_selector)
        object.__setattr__(self, "_hash", hash(parts))

    def __hash__(self) -> int:
        return self._hash

    def covers(self, namespace: str, namespace_labels: Mapping[str, str] | None) -> bool:
        """Whether pods of a namespace are meant; unknown labels read as none."""
        if namespace in self.namespaces:
            return True
        return self.namespace_selector is not None and self.namespace_selector.matches(namespace_labels or {})


@dataclass(frozen=True, slots=True)
class PodTerms:
    """A pod's affinity (`near`) and anti-affinity (`apart`) to others, required or preferred by weight."""

    near: tuple[Term, ...] = ()
    apart: tuple[Term, ...] = ()
    rather_near: tuple[tuple[int, Term], ...] = ()
    rather_apart: tuple[tuple[int, Term], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.near or self.apart or self.rather_near or self.rather_apart)


NO_TERMS = PodTerms()


@dataclass(frozen=True, slots=True)
class SpreadConstraint:
    """A TopologySpreadConstraint with upstream's defaults filled in; `is_hard` for DoNotSchedule."""

    topology_key: str
    max_skew: int
    is_hard: bool
    selector: Selector
    min_domains: int = 1
    honors_affinity: bool = True
    honors_taints: bool = False


def read_terms(affinity: Mapping[str, Any], namespace: str) -> PodTerms:
    """The terms of a pod in `namespace`. Raises ValueError for a selector that is none."""
    near, apart = affinity.get("podAffinity") or {}, affinity.get("podAntiAffinity") or {}
    if not near and not apart:
        return NO_TERMS
    return PodTerms(
        near=_required(near, namespace),
        apart=_required(apart, namespace),
        rather_near=_preferred(near, namespace),
        rather_apart=_preferred(apart, namespace),
    )


def _required(rules: Mapping[str, Any], namespace: str) -> tuple[Term, ...]:
    return tuple(_term(term, namespace) for term in rules.get(REQUIRED) or ())


def _preferred(rules: Mapping[str, Any], namespace: str) -> tuple[tuple[int, Term], ...]:
    return tuple(
        (weighted["weight"], _term(weighted.get("podAffinityTerm") or {}, namespace))
        for weighted in rules.get(PREFERRED) or ()
    )


def _term(term: Mapping[str, Any], namespace: str) -> Term:
    names = frozenset(term.get("namespaces") or ())
    others = term.get("namespaceSelector")
    return Term(
        topology_key=term.get("topologyKey") or "",
        selector=from_label_selector(term.get("labelSelector")),
        # Without names and selector the pod's own namespace is meant.
        namespaces=names if names or others is not None else frozenset((namespace,)),
        namespace_selector=None if others is None else from_label_selector(others),
    )


def read_spread(
    constraints: Iterable[Mapping[str, Any]], labels: Mapping[str, str]
) -> tuple[SpreadConstraint, ...]:
    """The constraints of a pod with these labels. Raises ValueError for a selector that is none."""
    return tuple(
        SpreadConstraint(
            topology_key=constraint.get("topologyKey") or "",
            max_skew=constraint.get("maxSkew") or 1,
            is_hard=constraint.get("whenUnsatisfiable") == DO_NOT_SCHEDULE,
            selector=_merged(
                from_label_selector(constraint.get("labelSelector")),
                constraint.get("matchLabelKeys") or (),
                labels,
            ),
            min_domains=constraint.get("minDomains") or 1,
            honors_affinity=constraint.get("nodeAffinityPolicy", HONOR) == HONOR,
            honors_taints=constraint.get("nodeTaintsPolicy") == HONOR,
        )
        for constraint in constraints
    )


def _merged(selector: Selector, keys: Iterable[str], labels: Mapping[str, str]) -> Selector:
    known = {r.key for r in selector.requirements}
    more = [
        Requirement(key, "in", frozenset((labels[key],)))
        for key in keys
        if key in labels and key not in known
    ]
    if not more or selector == from_label_selector(None):
        return selector
    return Selector((*selector.requirements, *more))
