"""Turn a checked tree into functions that evaluate it: `plan`.

Each node becomes one function of the frame: a list with the budget, the functions only this evaluation has,
and the values of all names, each at a place known beforehand. What a part of the tree costs whenever it is
evaluated at all is summed up beforehand and spent where its evaluation begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from wherry.objects.cel import loops, operators, planned_operators
from wherry.objects.cel.checker import TYPE_NAMES, dotted
from wherry.objects.cel.constructors import make_object
from wherry.objects.cel.declarations import Overload
from wherry.objects.cel.errors import CelError
from wherry.objects.cel.nodes import (
    Call,
    Const,
    Loop,
    MakeList,
    MakeMap,
    MakeObject,
    Name,
    Node,
    Select,
    operands_first,
)
from wherry.objects.cel.planned import BUDGET, FIRST, FUNCTIONS, Frame, Planned, Step
from wherry.objects.cel.values import (
    NO_OVERLOAD,
    Optional,
    TypeValue,
    kind,
    no_overload,
)

ABSENT = object()
_FOLDED = frozenset(
    {"bool", "bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type", "uint"}
)
_FAILURES = (ValueError, TypeError, KeyError, IndexError, ArithmeticError, RecursionError)


class Plan:
    """An expression ready to be evaluated: `run` with a frame as `frame` makes it."""

    def __init__(self, tree: Node) -> None:
        self.names: dict[str, int] = {}
        self.functions: set[str] = set()
        self._scopes: list[dict[str, int]] = []
        self._size = FIRST
        self._done: dict[int, tuple[Node, Planned]] = {}
        made = self.of(tree)
        self.run, self.cost = made.run, made.cost
        self._names = sorted(self.names.items(), key=lambda pair: pair[1])

    def frame(self, budget: Any, functions: Mapping[str, Any], variables: Mapping[str, Any]) -> Frame:
        """What `run` is to be given."""
        made: Frame = [None] * self._size
        made[BUDGET], made[FUNCTIONS] = budget, functions
        for name, place in self._names:
            made[place] = variables.get(name, ABSENT)
        return made

    def of(self, node: Node) -> Planned:
        """What evaluates the node."""
        if (done := self._done.pop(node.at, None)) is not None and done[0] is node:
            return done[1]
        for part in operands_first(node):
            self._done[part.at] = part, _BY_CLASS[part.__class__](self, part)
        return _BY_CLASS[node.__class__](self, node)

    def place(self) -> int:
        """A new place in the frame."""
        self._size += 1
        return self._size - 1

    def within(self, names: list[str], node: Node) -> tuple[list[int], Planned]:
        """A part of the tree in which these names stand for something of its own, and where they are."""
        places = [self.place() for _ in names]
        self._scopes.append(dict(zip(names, places, strict=True)))
        made = self.of(node)
        self._scopes.pop()
        return places, made

    def both_within(self, names: list[str], *nodes: Node | None) -> tuple[list[int], list[Planned | None]]:
        """As `within`, for several parts."""
        places = [self.place() for _ in names]
        self._scopes.append(dict(zip(names, places, strict=True)))
        made = [None if node is None else self.of(node) for node in nodes]
        self._scopes.pop()
        return places, made

    def _const(self, node: Const) -> Planned:
        value = node.value
        return Planned(lambda _frame: value, 0)

    def _slot(self, name: str) -> int | None:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return self.names.get(name)

    def _name(self, node: Name) -> Planned:
        name = node.name.lstrip(".")
        place = self._slot(name)
        if place is None and name in TYPE_NAMES:
            return _constant(TypeValue(name))
        if place is None:
            place = self.names[name] = self.place()
        if place not in self.names.values():
            return Planned(lambda frame: frame[place], 1)

        def run(frame: Frame) -> Any:
            value = frame[place]
            if value is ABSENT:
                raise CelError(f"no such attribute(s): {name}")
            return value

        return Planned(run, 1)

    def _select(self, node: Select) -> Planned:
        if not node.is_optional and not node.is_test and (name := dotted(node)) in TYPE_NAMES:
            return _constant(TypeValue(name))
        operand, cost = self.of(node.operand)
        field = node.field
        if node.is_test:
            return Planned(_tested(operand, field, is_optional=node.is_optional), cost)
        if node.is_optional:
            return Planned(lambda frame: operators.select_optional(operand(frame), field), cost + 1)

        def run(frame: Frame) -> Any:
            value = operand(frame)
            if value.__class__ is dict:
                try:
                    return value[field]
                except KeyError:
                    raise CelError(f"no such key: {field}") from None
            return operators.select(value, field)

        return Planned(run, cost + 1)

    def _call(self, node: Call) -> Planned:
        special = planned_operators.PLANNERS.get(node.function)
        if special is not None:
            return special(self, node)
        parts = [self.of(argument) for argument in node.arguments]
        cost = sum(part.cost for part in parts)
        runs = [part.run for part in parts]
        if node.function in _FOLDED and len(runs) == 1 and isinstance(node.arguments[0], Const):
            return _folded(node)
        self.functions.add(node.function)
        return Planned(_called(node, runs), cost + (1 if _is_flat(node) else 0))

    def _make_list(self, node: MakeList) -> Planned:
        parts = [self.of(item) for item in node.items]
        cost = sum(part.cost for part in parts) + (
            10 if any(not isinstance(i, Const) for i in node.items) else 0
        )
        runs = [part.run for part in parts]
        if all(isinstance(item, Const) for item in node.items) and not node.optional:
            constant = [item.value for item in node.items if isinstance(item, Const)]
            return Planned(lambda _frame: constant, 0)
        if not node.optional:
            return Planned(lambda frame: [run(frame) for run in runs], cost)
        pairs = [(run, index in node.optional) for index, run in enumerate(runs)]

        def make(frame: Frame) -> list[Any]:
            made: list[Any] = []
            for run, is_optional in pairs:
                value = run(frame)
                if not is_optional:
                    made.append(value)
                elif not isinstance(value, Optional):
                    raise CelError(f"cannot initialize optional list element from non-optional value {value}")
                elif value.is_there:
                    made.append(value.value)
            return made

        return Planned(make, cost)

    def _make_map(self, node: MakeMap) -> Planned:
        parts = [(self.of(key), self.of(value), is_optional) for key, value, is_optional in node.entries]
        cost = sum(key.cost + value.cost for key, value, _ in parts)
        runs = [(key.run, value.run, is_optional) for key, value, is_optional in parts]
        is_constant = all(isinstance(part, Const) for key, value, _ in node.entries for part in (key, value))

        def make(frame: Frame) -> dict[Any, Any]:
            made: dict[Any, Any] = {}
            for key_of, value_of, is_optional in runs:
                key, value = key_of(frame), value_of(frame)
                if key.__class__ is not str and kind(key) not in _KEYS:
                    raise CelError(f"unsupported key type: {kind(key)}")
                if is_optional:
                    if not isinstance(value, Optional):
                        raise CelError(
                            f"cannot initialize optional entry '{operators.shown_key(key)}' "
                            f"from non-optional value {value}"
                        )
                    if not value.is_there:
                        continue
                    value = value.value
                made[key] = value
            return made

        return Planned(make, cost + (0 if is_constant else 30))

    def _make_object(self, node: MakeObject) -> Planned:
        parts = [(field, self.of(value), is_optional) for field, value, is_optional, _ in node.entries]
        cost = 40 + sum(part.cost for _, part, _ in parts)
        runs = [(field, part.run, is_optional) for field, part, is_optional in parts]
        name = node.name
        return Planned(
            lambda frame: make_object(name, [(field, run(frame), optional) for field, run, optional in runs]),
            cost,
        )

    def _loop(self, node: Loop) -> Planned:
        made: Planned = loops.PLANNERS[node.macro](self, node)
        return made


_KEYS = frozenset({"string", "int", "uint", "bool", "double", "null_type"})
_BY_CLASS: Mapping[type, Callable[[Plan, Any], Planned]] = {
    Const: Plan._const,
    Name: Plan._name,
    Select: Plan._select,
    Call: Plan._call,
    MakeList: Plan._make_list,
    MakeMap: Plan._make_map,
    MakeObject: Plan._make_object,
    Loop: Plan._loop,
}


def _constant(value: Any) -> Planned:
    return Planned(lambda _frame: value, 1)


def _tested(operand: Step, field: str, *, is_optional: bool) -> Step:
    if is_optional:
        return lambda frame: operators.select_optional(operand(frame), field).is_there

    def run(frame: Frame) -> bool:
        value = operand(frame)
        return field in value if value.__class__ is dict else operators.has(value, field)

    return run


def _folded(node: Call) -> Planned:
    """A conversion of a literal is made once."""
    argument = node.arguments[0]
    assert isinstance(argument, Const)
    overload = _chosen(node, [argument.value])
    try:
        value = overload.call(argument.value) if overload.call is not None else None
    except _FAILURES as error:
        raise CelError(f"program instantiation failed: {error}") from error
    return Planned(lambda _frame: value, 0)


def _is_flat(node: Call) -> bool:
    """Whether a call always costs 1."""
    return all(overload.cost is None for overload in node.overloads)


_BARE = frozenset({"contains", "startsWith", "endsWith", "matches"})


def _chosen(node: Call, arguments: list[Any]) -> Overload:
    kinds = [kind(argument) for argument in arguments]
    found: Overload
    for found in node.overloads:
        if found.takes(kinds):
            return found
    if node.function in _BARE:
        raise CelError(NO_OVERLOAD)
    if node.function == "size":
        raise CelError(f"{NO_OVERLOAD}: size")
    raise no_overload(node.function, arguments)


def _called(node: Call, runs: list[Step]) -> Step:
    """What evaluates the arguments of a function and calls it."""
    known: dict[tuple[type, ...], Overload] = {}
    name = node.function
    is_bound_late = node.overloads[0].call is None

    def run(frame: Frame) -> Any:
        arguments = [part(frame) for part in runs]
        if is_bound_late:
            overload, call = node.overloads[0], frame[FUNCTIONS].get(name)
            if call is None:
                raise CelError(f"{NO_OVERLOAD}: {name}")
        else:
            classes = tuple([argument.__class__ for argument in arguments])
            found = known.get(classes)
            if found is None:
                found = known[classes] = _chosen(node, arguments)
            overload, call = found, found.call
        try:
            if overload.cost is not None:
                frame[BUDGET].spend(overload.cost(arguments))
            return call(*arguments)
        except CelError:
            raise
        except _FAILURES as error:
            raise CelError(str(error.args[0]) if error.args else NO_OVERLOAD) from error

    return run
