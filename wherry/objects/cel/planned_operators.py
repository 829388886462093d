"""Operators as functions of the frame, with shortcuts for the types they mostly meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from wherry.objects.cel import operators
from wherry.objects.cel.cost import tenth, weight
from wherry.objects.cel.errors import CelCostError, CelError
from wherry.objects.cel.nodes import Call, Const, MakeList
from wherry.objects.cel.planned import BUDGET, Frame, Planned
from wherry.objects.cel.values import MAX_INT, MIN_INT, NO_OVERLOAD, equal

if TYPE_CHECKING:
    from wherry.objects.cel.planner import Plan

_SHORT = 10  # characters that cost no more than one operation


def _logic(plan: Plan, node: Call) -> Planned:
    stop = node.function == "_||_"
    parts = [plan.of(argument) for argument in node.arguments]
    first, first_cost = parts[0]
    rest = [(part.run, part.cost) for part in parts[1:]]

    def run(frame: Frame) -> bool:
        failed: CelError | None = None
        try:
            value = first(frame)
            if value is stop:
                return value is True
            if value.__class__ is not bool:
                failed = CelError(NO_OVERLOAD)
        except CelCostError:
            raise
        except CelError as error:
            failed = error
        for part, cost in rest:
            frame[BUDGET].spent += cost
            try:
                value = part(frame)
                if value is stop:
                    return value is True
                if value.__class__ is not bool and failed is None:
                    failed = CelError(NO_OVERLOAD)
            except CelCostError:
                raise
            except CelError as error:
                failed = failed or error
        if failed is not None:
            raise failed
        return not stop

    return Planned(run, first_cost)


def _conditional(plan: Plan, node: Call) -> Planned:
    (condition, cost), first, second = (plan.of(argument) for argument in node.arguments)
    (yes, yes_cost), (no, no_cost) = first, second

    def run(frame: Frame) -> Any:
        value = condition(frame)
        if value is True:
            frame[BUDGET].spent += yes_cost
            return yes(frame)
        if value is False:
            frame[BUDGET].spent += no_cost
            return no(frame)
        raise CelError(NO_OVERLOAD)

    return Planned(run, cost)


def _not(plan: Plan, node: Call) -> Planned:
    inner, cost = plan.of(node.arguments[0])

    def run(frame: Frame) -> bool:
        value = inner(frame)
        if value.__class__ is bool:
            return not value
        raise CelError(NO_OVERLOAD)

    return Planned(run, cost + 1)


def _negate(plan: Plan, node: Call) -> Planned:
    inner, cost = plan.of(node.arguments[0])
    return Planned(lambda frame: operators.negate(inner(frame)), cost + 1)


def _equals(plan: Plan, node: Call) -> Planned:
    (left, cost), (right, more) = (plan.of(argument) for argument in node.arguments)
    wanted = node.function == "_==_"

    def run(frame: Frame) -> bool:
        one, other = left(frame), right(frame)
        if one.__class__ is str and other.__class__ is str:
            shorter = min(len(one), len(other))
            if shorter > _SHORT:
                frame[BUDGET].spend(tenth(shorter) - 1)
            return (one == other) is wanted
        if one.__class__ is int and other.__class__ is int:
            return (one == other) is wanted
        _pay_for_equality(frame, one, other)
        return equal(one, other) is wanted

    return Planned(run, cost + more + 1)


def _ordered(plan: Plan, node: Call) -> Planned:
    (left, cost), (right, more) = (plan.of(argument) for argument in node.arguments)
    function = node.function
    holds = _HOLDS[function]

    def run(frame: Frame) -> bool:
        one, other = left(frame), right(frame)
        if one.__class__ is int and other.__class__ is int:
            return holds(one - other)
        if one.__class__ is str and other.__class__ is str:
            frame[BUDGET].spend(max(0, tenth(min(len(one), len(other))) - 1))
        return holds(operators.order(one, other, function))

    return Planned(run, cost + more + 1)


def _add(plan: Plan, node: Call) -> Planned:
    (left, cost), (right, more) = (plan.of(argument) for argument in node.arguments)

    def run(frame: Frame) -> Any:
        one, other = left(frame), right(frame)
        if one.__class__ is int and other.__class__ is int:
            made = one + other
            if MIN_INT <= made <= MAX_INT:
                return made
        if one.__class__ is str and other.__class__ is str:
            total = len(one) + len(other)
            if total > _SHORT:
                frame[BUDGET].spend(tenth(total) - 1)
            return one + other
        if isinstance(one, (bytes, list)) and isinstance(other, (bytes, list)):
            frame[BUDGET].spend(max(0, tenth(len(one) + len(other)) - 1))
        return operators.add(one, other)

    return Planned(run, cost + more + 1)


def _arithmetic(plan: Plan, node: Call) -> Planned:
    (left, cost), (right, more) = (plan.of(argument) for argument in node.arguments)
    apply = _ARITHMETIC[node.function]
    return Planned(lambda frame: apply(left(frame), right(frame)), cost + more + 1)


def _in(plan: Plan, node: Call) -> Planned:
    (value, cost), (among, more) = (plan.of(argument) for argument in node.arguments)
    listed = node.arguments[1]
    if isinstance(listed, MakeList) and all(
        isinstance(item, Const) and isinstance(item.value, str) for item in listed.items
    ):
        known = frozenset(item.value for item in listed.items if isinstance(item, Const))
        many = len(listed.items)
        return Planned(lambda frame: (found := value(frame)).__class__ is str and found in known, cost + many)

    def run(frame: Frame) -> bool:
        found, within = value(frame), among(frame)
        if isinstance(within, list):
            frame[BUDGET].spend(len(within))
            if found.__class__ is str and found in within:
                return True
        return operators.is_in(found, within)

    return Planned(run, cost + more + 1)


def _index(plan: Plan, node: Call) -> Planned:
    (operand, cost), (key, more) = (plan.of(argument) for argument in node.arguments)

    def run(frame: Frame) -> Any:
        value, at = operand(frame), key(frame)
        if value.__class__ is list and at.__class__ is int and 0 <= at < len(value):
            return value[at]
        if value.__class__ is dict and at.__class__ is str and at in value:
            return value[at]
        return operators.index(value, at)

    return Planned(run, cost + more + 1)


def _optional_index(plan: Plan, node: Call) -> Planned:
    (operand, cost), (key, more) = (plan.of(argument) for argument in node.arguments)
    return Planned(lambda frame: operators.select_optional(operand(frame), key(frame)), cost + more + 1)


def _pay_for_equality(frame: Frame, one: Any, other: Any) -> None:
    if isinstance(one, (str, bytes, list, dict)) and isinstance(other, (str, bytes, list, dict)):
        frame[BUDGET].spend(max(0, tenth(min(weight(one), weight(other))) - 1))


_ARITHMETIC = {
    "_-_": operators.subtract,
    "_*_": operators.multiply,
    "_/_": operators.divide,
    "_%_": operators.modulo,
}
_HOLDS: dict[str, Callable[[int], bool]] = {
    "_<_": lambda order: order < 0,
    "_<=_": lambda order: order <= 0,
    "_>_": lambda order: order > 0,
    "_>=_": lambda order: order >= 0,
}
PLANNERS: Mapping[str, Callable[[Any, Call], Planned]] = {
    "_&&_": _logic,
    "_||_": _logic,
    "_?_:_": _conditional,
    "!_": _not,
    "-_": _negate,
    "_==_": _equals,
    "_!=_": _equals,
    "_<_": _ordered,
    "_<=_": _ordered,
    "_>_": _ordered,
    "_>=_": _ordered,
    "_+_": _add,
    "_-_": _arithmetic,
    "_*_": _arithmetic,
    "_/_": _arithmetic,
    "_%_": _arithmetic,
    "@in": _in,
    "_[_]": _index,
    "_[?_]": _optional_index,
}
