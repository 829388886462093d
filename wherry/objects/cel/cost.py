"""What evaluating costs: `Budget`, spent while an expression runs, so that none runs for long.

`rewrite` puts a call of `STEP` into the body of every loop; `charged` makes functions pay for the sizes
of what they are given. A unit is about one operation, as with upstream, and the limits are upstream's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

COST_LIMIT_OF_A_CALL = 1_000_000
"""What one evaluation of one expression may cost."""
COST_LIMIT_OF_AN_OBJECT = 10_000_000
"""What all rules over one object may cost together."""
COST_LIMIT_OF_MATCH_CONDITIONS = 2_500_000
"""What the match conditions of one webhook or policy may cost together."""

EXCEEDED = "operation cancelled: actual cost limit exceeded"
STEP = "__step__"
WEIGHED = "__weighed__"
HOLDS = "__holds__"
PUSH = "__push__"
COLLECTED = "__collected__"
RESERVED = frozenset({STEP, WEIGHED, HOLDS, PUSH, COLLECTED})
_PLUSES_FOR_FREE = 4
_SIZED = 10  # so many characters or items count as one operation


class CostExceeded(Exception):
    """The budget is spent."""


class Budget:
    """So much may be spent; `spent` tells how much was. May be shared by evaluations one after another."""

    def __init__(self, limit: int = COST_LIMIT_OF_A_CALL) -> None:
        self.limit = limit
        self.spent = 0

    @property
    def is_exceeded(self) -> bool:
        """Whether more was asked for than there was."""
        return self.spent > self.limit

    def spend(self, cost: int) -> None:
        """Count `cost`. Raises CostExceeded when it is too much."""
        self.spent += max(cost, 1)
        if self.spent > self.limit:
            raise CostExceeded(EXCEEDED)


class Meter:
    """What the rewritten parts of one evaluation call: they pay from the budget, and collect lists."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._lists: dict[int, list[Any]] = {}

    def functions(self) -> dict[str, Callable[..., Any]]:
        """By the names `rewrite` calls them."""
        return {
            STEP: self.step,
            WEIGHED: self.weighed,
            HOLDS: self.holds,
            PUSH: self.push,
            COLLECTED: self.collected,
        }

    def step(self, cost: int, first: int, end: int, variable: Any = None) -> bool:
        """One round of a loop whose body has `cost` operations and makes the lists `first` to `end`."""
        for number in range(first, end):
            self._lists.pop(number, None)
        self._budget.spend(cost if variable is None else cost + weight(variable))
        return True

    def weighed(self, value: Any) -> Any:
        """`value`, which is about to be searched through."""
        self._budget.spend(max(weight(value), len(value) if isinstance(value, list) else 1))
        return value

    def holds(self, text: Any, part: Any) -> bool:
        """`text.contains(part)`."""
        self._budget.spend(weight(text) * weight(part))
        return part in text

    def push(self, number: int, value: Any) -> bool:
        """Add to a list."""
        self._budget.spend(weight(value))
        self._lists.setdefault(number, []).append(value)
        return True

    def collected(self, _done: bool, number: int) -> list[Any]:
        """The list, all of it."""
        return self._lists.pop(number, [])


def weight(value: Any) -> int:
    """What it costs to go through a value once: its texts and lists, all the way down."""
    return 1 + _texts(value) // _SIZED


def charged(name: str, function: Callable[..., Any], budget: Budget) -> Callable[..., Any]:
    """The function `name`, which pays for its arguments before it runs."""
    price = _PRICES.get(name, _sum)

    def call(*arguments: Any) -> Any:
        budget.spend(price(arguments))
        return function(*arguments)

    return call


def _sum(arguments: tuple[Any, ...]) -> int:
    return sum(weight(argument) for argument in arguments)


def _product(arguments: tuple[Any, ...]) -> int:
    """Of functions that look for every part of one argument in all of another."""
    return prod(weight(argument) for argument in arguments)


def _square(arguments: tuple[Any, ...]) -> int:
    return weight(arguments[0]) ** 2


def _replace(arguments: tuple[Any, ...]) -> int:
    text, old, new = arguments[:3]
    found: int = text.count(old)
    return weight(text) + found * weight(new)


def _join(arguments: tuple[Any, ...]) -> int:
    return weight(arguments[0]) + len(arguments[0]) * sum(weight(part) for part in arguments[1:])


def _number(arguments: tuple[Any, ...]) -> int:
    """Of functions that make as much as a number says."""
    return max(1, *(argument for argument in arguments if isinstance(argument, int)))


_PRICES: Mapping[str, Callable[[tuple[Any, ...]], int]] = {
    "regexMatches": _product,
    "find": _product,
    "findAll": _product,
    "sets.contains": _product,
    "sets.equivalent": _product,
    "sets.intersects": _product,
    "distinct": _square,
    "replace": _replace,
    "join": _join,
    "lists.range": _number,
    "math.bitShiftLeft": lambda arguments: 1 + max(0, arguments[1]),
}


def upfront(tokens_cost: int, pluses: int, variables: Mapping[str, Any]) -> int:
    """What an expression costs outside of its loops: many additions may join long texts many times."""
    if pluses <= _PLUSES_FOR_FREE:
        return tokens_cost
    return tokens_cost + pluses * sum(_texts(value) for value in variables.values()) // _SIZED


def _texts(value: Any) -> int:
    """The length of all texts and lists in `value`."""
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, dict):
        return sum(_texts(item) for item in value.values())
    if isinstance(value, list):
        return len(value) + sum(_texts(item) for item in value)
    return 0
