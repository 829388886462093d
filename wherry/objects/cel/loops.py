"""Macros that go through lists, maps and into optional values, as functions of the frame.

What one round costs beyond its own parts is what cel-go's expansion of the macro costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from wherry.objects.cel.cost import EXCEEDED, Budget
from wherry.objects.cel.errors import CelCostError, CelError
from wherry.objects.cel.nodes import Loop
from wherry.objects.cel.planned import BUDGET, Frame, Planned, Step
from wherry.objects.cel.values import NO_OVERLOAD, NOTHING, Optional, compare, find, go_name, sort_key

if TYPE_CHECKING:
    from wherry.objects.cel.planner import Plan

_ROUND = {
    "all": 3, "exists": 3, "exists_one": 2, "map": 12, "filter": 12,
    "transformList": 12, "transformMap": 3, "transformMapEntry": 2, "sortBy": 12,
}  # fmt: skip
_PASSED_OVER = 1
"""What a round costs whose condition does not hold."""


def _pairs(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, list):
        return enumerate(value)
    if isinstance(value, Mapping):
        return value.items()
    raise CelError(f"unsupported comprehension range type: {go_name(value)}")


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, (list, Mapping)):
        return value
    raise CelError(f"got '{go_name(value)}', expected iterable type")


class _Rounds:
    """The rounds of one loop: who evaluates what in them, and what each costs."""

    def __init__(self, plan: Plan, node: Loop) -> None:
        self.over, self.cost = plan.of(node.over)
        places, (condition, body) = plan.both_within(node.names, node.condition, node.body)
        assert body is not None
        self.body: Step = body.run
        self.condition: Step | None = condition.run if condition is not None else None
        self.chosen = _ROUND[node.macro] + body.cost
        self.charge = self.chosen if condition is None else condition.cost
        self.result = 1 if condition is None else 0
        if node.macro == "filter":  # whose body is the condition
            self.charge = body.cost + _PASSED_OVER
        self.first = places[0]
        self.second = places[1] if len(places) == 2 else None

    def each(self, frame: Frame) -> Iterable[Any]:
        """Bind the names for each round, and pay for it; yields what the first name stands for."""
        budget: Budget = frame[BUDGET]
        charge, first, second = self.charge, self.first, self.second
        value = self.over(frame)
        if second is None:
            for item in _items(value):
                budget.spent += charge
                if budget.spent > budget.limit:
                    raise CelCostError(EXCEEDED)
                frame[first] = item
                yield item
            return
        for key, item in _pairs(value):
            budget.spent += charge
            if budget.spent > budget.limit:
                raise CelCostError(EXCEEDED)
            frame[first], frame[second] = key, item
            yield key

    def holds(self, frame: Frame) -> bool:
        """Whether the condition holds in this round."""
        if self.condition is None:
            return True
        holds = truth(self.condition(frame))
        frame[BUDGET].spent += self.chosen if holds else _PASSED_OVER
        return holds


def truth(value: Any) -> bool:
    """The value, which must be a bool. Raises CelError."""
    if value.__class__ is bool:
        return bool(value)
    raise CelError(NO_OVERLOAD)


def _quantified(plan: Plan, node: Loop) -> Planned:
    """`all` and `exists`: a round that fails counts only when no other decides."""
    rounds = _Rounds(plan, node)
    stop = node.macro == "exists"
    body = rounds.body

    def run(frame: Frame) -> bool:
        failed: CelError | None = None
        for _ in rounds.each(frame):
            try:
                value = body(frame)
                if value is stop:
                    return value is True
                if value.__class__ is not bool:
                    failed = failed or CelError(NO_OVERLOAD)
            except CelCostError:
                raise
            except CelError as error:
                failed = failed or error
        if failed is not None:
            raise failed
        return not stop

    return Planned(run, rounds.cost + 1)


def _exists_one(plan: Plan, node: Loop) -> Planned:
    rounds = _Rounds(plan, node)
    body = rounds.body

    def run(frame: Frame) -> bool:
        return sum(1 for _ in rounds.each(frame) if truth(body(frame))) == 1

    return Planned(run, rounds.cost + 2)


def _mapped(plan: Plan, node: Loop) -> Planned:
    rounds = _Rounds(plan, node)
    body = rounds.body
    if node.condition is not None:

        def chosen(frame: Frame) -> list[Any]:
            return [body(frame) for _ in rounds.each(frame) if rounds.holds(frame)]

        return Planned(chosen, rounds.cost + rounds.result)
    return Planned(lambda frame: [body(frame) for _ in rounds.each(frame)], rounds.cost + rounds.result)


def _filtered(plan: Plan, node: Loop) -> Planned:
    rounds = _Rounds(plan, node)
    body = rounds.body

    def run(frame: Frame) -> list[Any]:
        made = []
        for item in rounds.each(frame):
            if truth(body(frame)):
                frame[BUDGET].spent += _ROUND["filter"]
                made.append(item)
        return made

    return Planned(run, rounds.cost)


def _transformed_map(plan: Plan, node: Loop) -> Planned:
    rounds = _Rounds(plan, node)
    body = rounds.body

    def run(frame: Frame) -> dict[Any, Any]:
        return {key: body(frame) for key in rounds.each(frame) if rounds.holds(frame)}

    return Planned(run, rounds.cost + rounds.result)


def _transformed_entries(plan: Plan, node: Loop) -> Planned:
    rounds = _Rounds(plan, node)
    body = rounds.body

    def run(frame: Frame) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for _ in rounds.each(frame):
            if not rounds.holds(frame):
                continue
            entry = body(frame)
            if not isinstance(entry, Mapping):
                raise CelError(NO_OVERLOAD)
            for key, value in entry.items():
                if find(made, key)[0]:
                    raise CelError(f"insert failed: key {key} already exists")
                made[key] = value
        return made

    return Planned(run, rounds.cost + rounds.result)


def _sorted_by(plan: Plan, node: Loop) -> Planned:
    rounds = _Rounds(plan, node)
    body = rounds.body

    def run(frame: Frame) -> list[Any]:
        keyed = [(body(frame), item) for item in rounds.each(frame)]
        return [item for _, item in sorted_values(keyed, of=lambda pair: pair[0])]

    return Planned(run, rounds.cost + 11)


def sorted_values(values: list[Any], of: Callable[[Any], Any]) -> list[Any]:
    """The values in order of what `of` tells of them. Raises CelError for what has no order."""
    if not values:
        return []
    first = of(values[0])
    if compare(first, first) is None:
        raise CelError("list elements must be comparable")
    for value in values:
        if go_name(of(value)) != go_name(first):
            raise CelError("list elements must have the same type")
    return sorted(values, key=sort_key(lambda one, other: compare(of(one), of(other)) or 0))


def _into_optional(plan: Plan, node: Loop) -> Planned:
    over, cost = plan.of(node.over)
    (place,), (body, body_cost) = plan.within(node.names, node.body)
    wraps = node.macro == "optMap"

    def run(frame: Frame) -> Any:
        value = over(frame)
        if not isinstance(value, Optional):
            raise CelError(NO_OVERLOAD)
        if not value.is_there:
            return NOTHING
        frame[place] = value.value
        frame[BUDGET].spent += body_cost
        made = body(frame)
        return Optional(made) if wraps else made

    return Planned(run, cost + 2)


def _bound(plan: Plan, node: Loop) -> Planned:
    value, cost = plan.of(node.over)
    (place,), (body, body_cost) = plan.within(node.names, node.body)

    def run(frame: Frame) -> Any:
        frame[place] = value(frame)
        return body(frame)

    return Planned(run, cost + body_cost + 10)


PLANNERS: Mapping[str, Callable[[Any, Loop], Any]] = {
    "all": _quantified,
    "exists": _quantified,
    "exists_one": _exists_one,
    "map": _mapped,
    "filter": _filtered,
    "transformList": _mapped,
    "transformMap": _transformed_map,
    "transformMapEntry": _transformed_entries,
    "sortBy": _sorted_by,
    "optMap": _into_optional,
    "optFlatMap": _into_optional,
    "bind": _bound,
}
