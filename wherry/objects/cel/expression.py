"""Compiled expressions: `compile_expression` and `Expression`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

from wherry.kit.remembered import LONGEST, Recent, remembered
from wherry.objects.cel import library
from wherry.objects.cel.checker import ANYTHING, Environment, check
from wherry.objects.cel.cost import EXCEEDED, Budget
from wherry.objects.cel.errors import CelCostError, CelError
from wherry.objects.cel.nodes import Call, Const, Loop, Node, Select, below, everything
from wherry.objects.cel.parser import TOO_DEEP, parse
from wherry.objects.cel.planner import Plan
from wherry.objects.cel.source import located
from wherry.objects.cel.types import Type
from wherry.objects.regex import PatternError, compile_pattern

assert library.__all__  # whatever an expression calls is declared there
LONG_CHARACTERS = 256 * 1024
"""So many characters of long texts are remembered as compiled: each comes to some 200 bytes."""
_NO_LOOPS = frozenset({"optMap", "optFlatMap", "bind"})
_NO_FUNCTIONS: Mapping[str, Callable[..., Any]] = {}
_TOO_DEEP_NOW = "expression nests too deeply to be evaluated"


class Expression:
    """One compiled expression; may be evaluated any number of times."""

    def __init__(self, source: str, tree: Node, kind: Type) -> None:
        self.source = source
        self.kind = kind
        self.nesting = _nesting(tree)
        self.fields = frozenset(node.field for node in everything(tree) if isinstance(node, Select))
        self._plan = Plan(tree)
        self.names = frozenset(self._plan.names)

    def evaluate(
        self,
        variables: Mapping[str, Any],
        budget: Budget | None = None,
        functions: Mapping[str, Callable[..., Any]] | None = None,
    ) -> Any:
        """The value with these variables: plain JSON values, bytes, and those of `values`.

        What it costs is taken from `budget`, one of its own without. `functions` are those that only this
        evaluation has, such as the authorizer's; they may raise ValueError. Raises CelError, and CelCostError
        when the budget does not suffice.
        """
        if budget is None:
            budget = Budget()
        plan = self._plan
        budget.spent += plan.cost
        try:
            value = plan.run(plan.frame(budget, functions or _NO_FUNCTIONS, variables))
        except RecursionError as error:
            raise CelError(_TOO_DEEP_NOW) from error
        if budget.spent > budget.limit:
            raise CelCostError(EXCEEDED)
        return value


def compile_checked(source: str, environment: Environment) -> Expression:
    """Compile `source`, which may name what the environment declares. Raises CelError with all mistakes."""
    tree = parse(source, binds=environment.binds)
    try:
        kind = check(tree, source, environment)
        expression = Expression(source, tree, kind)
    except RecursionError as error:
        raise CelError(located(source, -1, TOO_DEEP)) from error
    _check_patterns(tree)
    return expression


def compile_expression(source: str) -> Expression:
    """Compile `source`, which may name anything. Raises CelError with all mistakes.

    What was compiled is remembered: of short ones many, of long ones, which take long, some megabytes' worth.
    """
    if len(source) <= LONGEST:
        return _compile_short(source)
    with _LONG_ONES:
        known = _long.get(source)
    if known is None:
        known = compile_checked(source, ANYTHING)
        with _LONG_ONES:
            _long.put(source, known, len(source))
    return known


@remembered(4096)
def _compile_short(source: str) -> Expression:
    return compile_checked(source, ANYTHING)


_long: Recent[str, Expression] = Recent(LONG_CHARACTERS)
_LONG_ONES = Lock()  # threads compile, too


def _check_patterns(tree: Node) -> None:
    """Patterns written out for `find` and `findAll` are read once, so that mistakes show now."""
    for node in everything(tree):
        if isinstance(node, Call) and node.function in ("find", "findAll", "matches"):
            pattern = node.arguments[1]
            if isinstance(pattern, Const) and isinstance(pattern.value, str):
                try:
                    compile_pattern(pattern.value)
                except PatternError as error:
                    raise CelError(f"program instantiation failed: {error}") from error


def _nesting(tree: Node) -> int:
    """How deep loops stand in one another."""
    deepest = 0
    waiting = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        if isinstance(node, Loop) and node.macro not in _NO_LOOPS:
            waiting.append((node.over, depth))
            waiting.extend((part, depth + 1) for part in (node.condition, node.body) if part is not None)
        else:
            waiting.extend((part, depth) for part in below(node))
    return deepest
