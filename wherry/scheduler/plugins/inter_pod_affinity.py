"""InterPodAffinity: pods want to be near to others, or apart from them
(`interpodaffinity/{filtering,scoring}.go`).

It works both ways: placed pods that want to be apart from such a pod keep it out of their domains, and
their other terms count in the score. Near a required one are nodes in whose domain some pod matches all
required terms at once; the first of a group that wants to be near itself goes anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from wherry.scheduler.domains import Domains
from wherry.scheduler.facts import PodFacts, Template
from wherry.scheduler.framework import TOP_SCORE, Change, Kind, Plugin, Reach, Rejection
from wherry.scheduler.interned import Bools, Ints, Rows
from wherry.scheduler.pods import Question, TermKey, terms_of
from wherry.scheduler.terms import Term
from wherry.scheduler.world import World

NOT_NEAR = "node(s) didn't match pod affinity rules"
NOT_APART = "node(s) didn't match pod anti-affinity rules"
FORBIDDEN = "node(s) didn't satisfy existing pods anti-affinity rules"


@dataclass(slots=True)
class _Sums:
    """Something summed over the domains of one key."""

    domains: Domains
    values: Ints


@dataclass(frozen=True, slots=True)
class _Effect:
    """What one pod of a template does to the sums: on terms by number, on keys with weights."""

    near: bool
    apart: tuple[int, ...]
    forbids: tuple[str, ...]
    points: tuple[tuple[str, int], ...]

    def __bool__(self) -> bool:
        return bool(self.near or self.apart or self.forbids or self.points)


@dataclass(slots=True)
class _State:
    template: Template
    near: list[_Sums]
    is_near_itself: bool
    """Whether the pod matches its own required terms."""
    apart: list[_Sums]
    forbidden: dict[str, _Sums] = field(default_factory=dict)
    points: dict[str, _Sums] = field(default_factory=dict)
    effects: dict[Template, _Effect] = field(default_factory=dict)


class InterPodAffinity(Plugin):
    """Affinity to pods. `hard_weight` is what a required term of a placed pod counts in the score.

    With `ignores_preferred` the preferred terms of placed pods do not count for pods without terms.
    """

    name = "InterPodAffinity"
    reach = Reach.CLUSTER
    scales = True
    changes = frozenset({Kind.NODE, Kind.POD_PLACED, Kind.POD_GONE, Kind.POD_LABELS, Kind.NAMESPACES})

    def __init__(self, hard_weight: int = 1, *, ignores_preferred: bool = False) -> None:
        self._hard_weight = hard_weight
        self._ignores_preferred = ignores_preferred

    def prepare(self, pod: PodFacts, world: World) -> _State:
        """See `Plugin.prepare`."""
        template = pod.template
        terms = template.terms
        near: list[_Sums] = []
        if terms.near:
            counts = world.pods.count(_question(terms.near, world))
            near = [_sums(world, term, counts) for term in terms.near]
        state = _State(
            template=template,
            near=near,
            is_near_itself=bool(terms.near) and _matches_all(terms.near, template, world),
            apart=[_sums(world, term, world.pods.count(_question((term,), world))) for term in terms.apart],
        )
        for weight, term in (*terms.rather_near, *((-w, t) for w, t in terms.rather_apart)):
            counts = world.pods.count(_question((term,), world))
            found = _at(state.points, world, term.topology_key)
            found.values += weight * found.domains.sums(counts)
        self._take_held(state, world)
        return state

    def _take_held(self, state: _State, world: World) -> None:
        """The terms of placed pods."""
        template = state.template
        labels = world.namespaces.get(template.namespace)
        for held in world.pods.terms_about(template.namespace, labels or {}, template.labels):
            term = held.term
            if not term.covers(template.namespace, labels) or not term.selector.matches(template.labels):
                continue
            if held.weight is None and not held.is_near:
                found = _at(state.forbidden, world, term.topology_key)
                found.values += found.domains.sums_of(held.rows)
            elif weight := self._weight(state, (term, held.is_near, held.weight)):
                found = _at(state.points, world, term.topology_key)
                found.values += weight * found.domains.sums_of(held.rows)

    def _weight(self, state: _State, key: TermKey) -> int:
        """What a term of a placed pod that matches counts in the score."""
        _, is_near, weight = key
        if self._ignores_preferred and not (
            state.template.terms.rather_near or state.template.terms.rather_apart
        ):
            return 0
        if weight is None:
            return self._hard_weight if is_near else 0
        return weight if is_near else -weight

    def filter(self, state: _State, world: World, rows: Rows) -> list[Rejection]:
        """See `Plugin.filter`."""
        rejections = []
        out: Bools | None = None
        if state.near:
            out = ~self._near_rows(state, rows)
            rejections.append(Rejection(out, NOT_NEAR))
        for sums, reason in ((state.apart, NOT_APART), (list(state.forbidden.values()), FORBIDDEN)):
            if not sums:
                continue
            close = sums[0].values[sums[0].domains.slots[rows]] > 0
            for more in sums[1:]:
                close |= more.values[more.domains.slots[rows]] > 0
            if out is not None:
                close &= ~out
            rejections.append(Rejection(close, reason, resolvable=True))
            out = close if out is None else out | close
        return rejections

    def _near_rows(self, state: _State, rows: Rows) -> Bools:
        """The rows near to pods that match all required terms, or, for the first of its kind, with the
        keys.
        """
        with_keys, with_pods = _near_to(state.near[0], rows)
        for sums in state.near[1:]:
            has_key, has_pods = _near_to(sums, rows)
            with_keys, with_pods = with_keys & has_key, with_pods & has_pods
        if state.is_near_itself and not any((sums.values > 0).any() for sums in state.near):
            return with_keys
        return with_pods

    def score(self, state: _State, world: World, rows: Rows, feasible: Bools) -> Ints | None:
        """See `Plugin.score`: the sum of the weights of the terms that hold there."""
        if not state.points:
            return None
        raw: Ints = np.zeros(len(feasible), dtype=np.int64)
        for sums in state.points.values():
            raw += sums.values[sums.domains.slots]
        known = raw[feasible]
        if not len(known):
            return None
        least, most = int(known.min()), int(known.max())
        if most == least:
            return None
        points: Ints = (TOP_SCORE * ((raw - least) / (most - least))).astype(np.int64)
        return points

    def moved(self, state: _State, world: World, pod: PodFacts, row: int, sign: int) -> bool:
        """See `Plugin.moved`."""
        effect = self._effect(state, pod.template, world)
        if not effect:
            return False
        if effect.near:
            for sums in state.near:
                _shift(sums, row, sign)
        for number in effect.apart:
            _shift(state.apart[number], row, sign)
        for key in effect.forbids:
            _shift(_at(state.forbidden, world, key), row, sign)
        for key, weight in effect.points:
            _shift(_at(state.points, world, key), row, sign * weight)
        return True

    def _effect(self, state: _State, other: Template, world: World) -> _Effect:
        found = state.effects.get(other)
        if found is None:
            found = state.effects[other] = self._worked_out(state, other, world)
        return found

    def _worked_out(self, state: _State, other: Template, world: World) -> _Effect:
        own = state.template.terms
        held = [key for key in terms_of(other) if _matches(key[0], state.template, world)]
        points = [
            (term.topology_key, weight) for weight, term in own.rather_near if _matches(term, other, world)
        ]
        points += [
            (term.topology_key, -weight) for weight, term in own.rather_apart if _matches(term, other, world)
        ]
        points += [(key[0].topology_key, weight) for key in held if (weight := self._weight(state, key))]
        return _Effect(
            near=bool(own.near) and _matches_all(own.near, other, world),
            apart=tuple(n for n, term in enumerate(own.apart) if _matches(term, other, world)),
            forbids=tuple(term.topology_key for term, near, weight in held if weight is None and not near),
            points=tuple(points),
        )

    def is_idle(self, state: _State) -> bool:
        """See `Plugin.is_idle`."""
        return not (state.near or state.apart or state.forbidden)

    def concerned(self, pod: PodFacts, change: Change, world: World) -> bool:
        """See `Plugin.concerned`: of pods, those that are in the way or wanted."""
        if change.kind is Kind.NAMESPACES:
            return True
        if change.kind is Kind.NODE:
            return super().concerned(pod, change, world)
        state = _State(pod.template, [], False, [])
        return any(self._worked_out(state, other.template, world) for other in change.pods.values())


def _question(terms: tuple[Term, ...], world: World) -> Question:
    """For the pods that match all the terms."""
    return Question(tuple((_namespaces(term, world), term.selector) for term in terms))


def _namespaces(term: Term, world: World) -> frozenset[str] | None:
    """The namespaces a term is about just now, None for all."""
    others = term.namespace_selector
    if others is None:
        return term.namespaces
    if others.is_empty:
        return None
    return term.namespaces | {name for name, labels in world.namespaces.items() if others.matches(labels)}


def _matches(term: Term, template: Template, world: World) -> bool:
    labels = world.namespaces.get(template.namespace)
    return term.covers(template.namespace, labels) and term.selector.matches(template.labels)


def _matches_all(terms: tuple[Term, ...], template: Template, world: World) -> bool:
    return all(_matches(term, template, world) for term in terms)


def _sums(world: World, term: Term, counts: Ints) -> _Sums:
    domains = Domains(world.nodes, term.topology_key)
    return _Sums(domains, domains.sums(counts))


def _at(sums: dict[str, _Sums], world: World, key: str) -> _Sums:
    """The sums of a key, none of them yet if there are none."""
    found = sums.get(key)
    if found is None:
        domains = Domains(world.nodes, key)
        found = sums[key] = _Sums(domains, np.zeros(domains.size, dtype=np.int64))
    return found


def _near_to(sums: _Sums, rows: Rows) -> tuple[Bools, Bools]:
    """The rows that are in a domain, and those in one that counts a pod."""
    slots = sums.domains.slots[rows]
    return slots != 0, sums.values[slots] > 0


def _shift(sums: _Sums, row: int, by: int) -> None:
    slot = sums.domains.slots[row]
    if slot:
        sums.values[slot] += by
