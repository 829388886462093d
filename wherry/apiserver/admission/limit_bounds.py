"""What a LimitRange allows (`Bounds`): read once, then held against pods and claims. Pure.

A name that some container leaves unsaid is told once, however many leave it so; of the containers after it
only what they do say is looked at. So judging costs the bounds and the object together, not their product.
The sentences are upstream's (plugin/pkg/admission/limitranger, PodValidateLimitFunc and its neighbours).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from wherry.api.core.pod_resources import pod_limits, pod_requests
from wherry.api.quota.amounts import read_amounts, spell
from wherry.objects.meta import Object
from wherry.objects.quantity import Quantity, canonical_quantity, parse_quantity

CONTAINER, POD, CLAIM = "Container", "Pod", "PersistentVolumeClaim"
Numbers = Mapping[str, Decimal]
_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Asked:
    """What one container, pod or claim asks for."""

    requests: Numbers
    limits: Numbers


@dataclass(frozen=True, slots=True)
class Bound:
    """One bound on one resource: its number, how it is told, and the quantity as it was written."""

    amount: Decimal
    words: str
    written: Quantity


class Rule:
    """All bounds of one sort (`min`, `max`, `maxLimitRequestRatio`) of one item."""

    __slots__ = ("_bounds", "_judge", "_said", "_unsaid")

    def __init__(
        self,
        bounds: Mapping[str, Bound],
        said: Callable[[Asked], Numbers],
        unsaid: str,
        judge: Callable[[Bound, str, Asked], str],
    ) -> None:
        self._bounds = bounds
        self._said = said
        self._unsaid = unsaid
        self._judge = judge

    def problems(self, asked: Asked, untold: Mapping[str, Bound]) -> Iterator[str]:
        """What of `asked` lies outside; `untold` are the bounds of names nobody left unsaid so far."""
        said = self._said(asked)
        for name, bound in untold.items():
            if name not in said:
                yield bound.words + self._unsaid
            elif problem := self._judge(bound, name, asked):
                yield problem
        for name in said:
            told = None if name in untold else self._bounds.get(name)
            if told is not None and (problem := self._judge(told, name, asked)):
                yield problem

    def all_problems(self, several: Iterable[Asked]) -> Iterator[tuple[int, str]]:
        """What of each of `several` lies outside, with its place among them."""
        untold = self._bounds
        for place, asked in enumerate(several):
            if untold or self._said(asked):
                for problem in self.problems(asked, untold):
                    yield place, problem
            said = self._said(asked)
            untold = {name: bound for name, bound in untold.items() if name in said}


class Bounds:
    """The bounds of one LimitRange, by what they are on, and its defaults for containers."""

    __slots__ = ("_rules", "default_limits", "default_requests")

    def __init__(self, limit_range: Object) -> None:
        self._rules: dict[str, list[Sequence[Rule]]] = {}
        self.default_requests: dict[str, Any] = {}
        self.default_limits: dict[str, Any] = {}
        for item in (limit_range.get("spec") or {}).get("limits") or ():
            kind = item.get("type")
            if kind == CONTAINER:
                self.default_requests |= item.get("defaultRequest") or {}
                self.default_limits |= item.get("default") or {}
            rules = _claim_rules(item) if kind == CLAIM else _pod_rules(item)
            self._rules.setdefault(kind, []).append(rules)

    def problems(self, kind: str, asked: Sequence[Asked]) -> list[str]:
        """What of several containers, or of one pod or claim, lies outside, each sentence once."""
        found: dict[str, None] = {}
        for rules in self._rules.get(kind, ()):
            told = [(place, number, text) for number, rule in enumerate(rules)
                    for place, text in rule.all_problems(asked)]  # fmt: skip
            told.sort(key=lambda one: one[:2])
            found.update(dict.fromkeys(text for _, _, text in told))
        return list(found)

    def pod_problems(self, pod: Object) -> list[str]:
        """What of the pod lies outside, containers before the whole."""
        found = self.problems(CONTAINER, _of_containers(pod)) if CONTAINER in self._rules else []
        if POD in self._rules:
            found += self.problems(POD, [Asked(pod_requests(pod), pod_limits(pod))])
        return list(dict.fromkeys(found))

    def claim_problems(self, claim: Object) -> list[str]:
        """What of the claim lies outside; only its requests count."""
        if CLAIM not in self._rules:
            return []
        resources = (claim.get("spec") or _NOTHING).get("resources") or _NOTHING
        return self.problems(CLAIM, [Asked(read_amounts(resources.get("requests")), {})])


def _of_containers(pod: Object) -> list[Asked]:
    spec = pod.get("spec") or _NOTHING
    asked = []
    for field in ("containers", "initContainers"):
        for container in spec.get(field) or ():
            resources = container.get("resources") or _NOTHING
            asked.append(
                Asked(read_amounts(resources.get("requests")), read_amounts(resources.get("limits")))
            )
    return asked


def _pod_rules(item: Mapping[str, Any]) -> Sequence[Rule]:
    return (
        Rule(_bounds(item, "min", "minimum"), _requests, ".  No request is specified", _too_little),
        Rule(_bounds(item, "max", "maximum"), _limits, ".  No limit is specified", _too_much),
        Rule(_ratios(item), _requested, ", but no request is specified or request is 0", _too_wide),
    )


def _claim_rules(item: Mapping[str, Any]) -> Sequence[Rule]:
    unsaid = ".  No request is specified"
    return (
        Rule(_bounds(item, "min", "minimum"), _requests, unsaid, _too_little),
        Rule(_bounds(item, "max", "maximum"), _requests, unsaid, _requests_too_much),
    )


def _bounds(item: Mapping[str, Any], field: str, which: str) -> dict[str, Bound]:
    kind = item.get("type")
    return {
        name: Bound(
            parse_quantity(most), f"{which} {name} usage per {kind} is {canonical_quantity(most)}", most
        )
        for name, most in (item.get(field) or _NOTHING).items()
    }


def _ratios(item: Mapping[str, Any]) -> dict[str, Bound]:
    words = f"max limit to request ratio per {item.get('type')} is"
    return {
        name: Bound(parse_quantity(ratio), f"{name} {words} {canonical_quantity(ratio)}", ratio)
        for name, ratio in (item.get("maxLimitRequestRatio") or _NOTHING).items()
    }


def _requests(asked: Asked) -> Numbers:
    return asked.requests


def _limits(asked: Asked) -> Numbers:
    return asked.limits


def _requested(asked: Asked) -> Numbers:
    return {name: amount for name, amount in asked.requests.items() if amount}


def _too_little(bound: Bound, name: str, asked: Asked) -> str:
    for which, amounts in (("request", asked.requests), ("limit", asked.limits)):
        if name in amounts and amounts[name] < bound.amount:
            return f"{bound.words}, but {which} is {spell(amounts[name], bound.written)}"
    return ""


def _too_much(bound: Bound, name: str, asked: Asked) -> str:
    for which, amounts in (("limit", asked.limits), ("request", asked.requests)):
        if name in amounts and amounts[name] > bound.amount:
            return f"{bound.words}, but {which} is {spell(amounts[name], bound.written)}"
    return ""


def _requests_too_much(bound: Bound, name: str, asked: Asked) -> str:
    amount = asked.requests[name]
    return f"{bound.words}, but request is {spell(amount, bound.written)}" if amount > bound.amount else ""


def _too_wide(bound: Bound, name: str, asked: Asked) -> str:
    limit = asked.limits.get(name)
    if not limit:
        return f"{bound.words}, but no limit is specified or limit is 0"
    ratio = limit / asked.requests[name]
    return f"{bound.words}, but provided ratio is {ratio:.6f}" if ratio > bound.amount else ""
