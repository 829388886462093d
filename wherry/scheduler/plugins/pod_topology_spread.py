"""PodTopologySpread: pods that a selector matches are spread evenly over the domains of a topology key.

Hard constraints rule nodes out, soft ones are scored (`podtopologyspread/{filtering,scoring}.go`). Pods
without constraints of their own have the cluster's, for the pods their services and their controller
select.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from wherry.objects.selectors import Selector, from_label_selector
from wherry.scheduler.domains import Domains
from wherry.scheduler.facts import PodFacts, Template
from wherry.scheduler.framework import TOP_SCORE, Change, Kind, Plugin, Reach, Rejection, every
from wherry.scheduler.interned import Bools, Ints, Rows
from wherry.scheduler.matching import required_rows, untolerated_rows
from wherry.scheduler.pods import Question
from wherry.scheduler.terms import HOSTNAME, SCHEDULE_ANYWAY, ZONE, SpreadConstraint, read_spread
from wherry.scheduler.world import World

NOT_SPREAD = "node(s) didn't match pod topology spread constraints"
NO_LABEL = f"{NOT_SPREAD} (missing required label)"
SYSTEM_DEFAULTS: tuple[Mapping[str, Any], ...] = (
    {"topologyKey": HOSTNAME, "maxSkew": 3, "whenUnsatisfiable": SCHEDULE_ANYWAY},
    {"topologyKey": ZONE, "maxSkew": 5, "whenUnsatisfiable": SCHEDULE_ANYWAY},
)


@dataclass(slots=True)
class _Spread:
    """One constraint: the domains, the rows whose pods count, and how many match in each domain."""

    constraint: SpreadConstraint
    domains: Domains
    counted: Bools
    sums: Ints
    present: Bools
    own: int
    """1 if the pod matches its own selector."""

    def least(self) -> int:
        """The fewest pods in any domain (upstream's global minimum)."""
        if np.count_nonzero(self.present) < self.constraint.min_domains:
            return 0
        return int(self.sums[self.present].min())


@dataclass(slots=True)
class _State:
    namespace: str
    hard: list[_Spread]
    soft: list[_Spread]
    wants_all_keys: bool
    matches: dict[Template, tuple[bool, ...]] = field(default_factory=dict)
    """Which constraints (hard, then soft) count the pods of a template."""


class PodTopologySpread(Plugin):
    """Spreading by the pod's constraints, or by `defaults` (of which system defaults want no labels)."""

    name = "PodTopologySpread"
    reach = Reach.CLUSTER
    scales = True
    changes = frozenset({Kind.NODE, Kind.POD_PLACED, Kind.POD_GONE, Kind.POD_LABELS})

    def __init__(self, defaults: Sequence[Mapping[str, Any]] | None = None) -> None:
        self._defaults = SYSTEM_DEFAULTS if defaults is None else tuple(defaults)
        self._is_system = defaults is None

    def prepare(self, pod: PodFacts, world: World) -> _State | None:
        """See `Plugin.prepare`."""
        template = pod.template
        constraints = template.spread or self._default_constraints(pod, world)
        if not constraints:
            return None
        wants_all = bool(template.spread) or not self._is_system
        hard = [constraint for constraint in constraints if constraint.is_hard]
        soft = [constraint for constraint in constraints if not constraint.is_hard]
        own = required_rows(world.nodes, template)
        out = untolerated_rows(world.nodes, template.tolerations)
        policies = (own, None if out is None else ~out)
        return _State(
            template.namespace,
            _spreads(hard, template, world, policies, wants_keys=True),
            _spreads(soft, template, world, policies, wants_keys=wants_all),
            wants_all,
        )

    def _default_constraints(self, pod: PodFacts, world: World) -> tuple[SpreadConstraint, ...]:
        if not self._defaults:
            return ()
        requirements = [
            requirement
            for selector in world.selectors.selecting(pod)
            for requirement in from_label_selector(selector).requirements
        ]
        if not requirements:
            return ()
        selector = Selector(requirements)
        found = read_spread(self._defaults, pod.template.labels)
        return tuple(replace(constraint, selector=selector) for constraint in found)

    def filter(self, state: _State, world: World, rows: Rows) -> list[Rejection]:
        """See `Plugin.filter`: the first constraint a node fails tells why."""
        rejections = []
        fine: Bools | None = None
        for spread in state.hard:
            slots = spread.domains.slots[rows]
            lacking = slots == 0
            skew = spread.sums[slots] + (spread.own - spread.least())
            crowded = (skew > spread.constraint.max_skew) & ~lacking
            if fine is not None:
                lacking, crowded = lacking & fine, crowded & fine
            rejections.append(Rejection(lacking, NO_LABEL))
            rejections.append(Rejection(crowded, NOT_SPREAD, resolvable=True))
            out = lacking | crowded
            fine = ~out if fine is None else fine & ~out
        return rejections

    def score(self, state: _State, world: World, rows: Rows, feasible: Bools) -> Ints | None:
        """See `Plugin.score`: the fewer matching pods in a node's domains, the better."""
        if not state.soft:
            return None
        scored = feasible
        if state.wants_all_keys:
            for spread in state.soft:
                scored = scored & spread.domains.has_key
        points = np.zeros(len(feasible), dtype=np.float64)
        for spread in state.soft:
            domains = spread.domains
            size = np.count_nonzero(scored) if domains.key == HOSTNAME else _distinct(domains, scored)
            weights = spread.sums * math.log(size + 2) + (spread.constraint.max_skew - 1)
            weights[0] = 0  # a node without the label is in no domain
            points += weights[domains.slots]
        raw = np.floor(points + 0.5).astype(np.int64)
        return _normalized(raw, scored)

    def moved(self, state: _State, world: World, pod: PodFacts, row: int, sign: int) -> bool:
        """See `Plugin.moved`."""
        if pod.is_deleting or pod.template.namespace != state.namespace:
            return False
        matches = state.matches.get(pod.template)
        spreads = (*state.hard, *state.soft)
        if matches is None:
            labels = pod.template.labels
            matches = tuple(spread.constraint.selector.matches(labels) for spread in spreads)
            state.matches[pod.template] = matches
        changed = False
        for spread, is_match in zip(spreads, matches, strict=True):
            slot = spread.domains.slots[row]
            if is_match and slot and spread.counted[row]:
                spread.sums[slot] += sign
                changed = True
        return changed

    def is_idle(self, state: _State) -> bool:
        """See `Plugin.is_idle`."""
        return not state.hard

    def concerned(self, pod: PodFacts, change: Change, world: World) -> bool:
        """See `Plugin.concerned`: whether any node passes now, if the change matters at all."""
        state = self.prepare(pod, world)
        if state is None:
            return True
        if change.kind is not Kind.NODE and not _is_about(state, change.pods.values()):
            return False
        rejected = np.zeros(len(world.nodes), dtype=np.bool_)
        for rejection in self.filter(state, world, every(world)):
            rejected |= rejection.rows
        return not rejected.all()


def _spreads(
    constraints: Sequence[SpreadConstraint],
    template: Template,
    world: World,
    policies: tuple[Bools | None, Bools | None],
    *,
    wants_keys: bool,
) -> list[_Spread]:
    """The constraints with their counts; `policies` are the rows by node affinity and by taints."""
    all_domains = [Domains(world.nodes, constraint.topology_key) for constraint in constraints]
    base: Bools = np.ones(len(world.nodes), dtype=np.bool_)
    if wants_keys:
        for domains in all_domains:
            base &= domains.has_key
    found = []
    for constraint, domains in zip(constraints, all_domains, strict=True):
        counted = base
        if not constraint.is_hard and constraint.topology_key == HOSTNAME:
            counted = np.ones(len(world.nodes), dtype=np.bool_)  # each node's own pods, whatever the policies
        else:
            if constraint.honors_affinity and policies[0] is not None:
                counted = counted & policies[0]
            if constraint.honors_taints and policies[1] is not None:
                counted = counted & policies[1]
        question = Question(((frozenset((template.namespace,)), constraint.selector),), counts_deleting=False)
        found.append(
            _Spread(
                constraint=constraint,
                domains=domains,
                counted=counted,
                sums=domains.sums(world.pods.count(question), counted),
                present=domains.present(counted),
                own=int(constraint.selector.matches(template.labels)),
            )
        )
    return found


def _distinct(domains: Domains, rows: Bools) -> int:
    """How many domains the marked rows are in; those without the label count as one."""
    found = np.zeros(domains.size, dtype=np.bool_)
    found[domains.slots[rows]] = True
    return int(np.count_nonzero(found))


def _normalized(raw: Ints, scored: Bools) -> Ints:
    known = raw[scored]
    if not len(known):
        return np.zeros(len(raw), dtype=np.int64)
    least, most = int(known.min()), int(known.max())
    if most == 0:
        return np.where(scored, TOP_SCORE, 0)
    return np.where(scored, TOP_SCORE * (most + least - raw) // most, 0)


def _is_about(state: _State, pods: Iterable[PodFacts]) -> bool:
    return any(
        pod.template.namespace == state.namespace
        and any(spread.constraint.selector.matches(pod.template.labels) for spread in state.hard)
        for pod in pods
    )
