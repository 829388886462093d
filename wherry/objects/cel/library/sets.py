"""Lists taken for sets. Source: cel-go's ext/sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wherry.objects.cel.declarations import declare
from wherry.objects.cel.values import equal


def _holds(items: list[Any], wanted: Any) -> bool:
    return any(equal(item, wanted) for item in items)


def _contains(items: list[Any], wanted: list[Any]) -> bool:
    return all(_holds(items, one) for one in wanted)


def _equivalent(one: list[Any], other: list[Any]) -> bool:
    return _contains(one, other) and _contains(other, one)


def _intersects(one: list[Any], other: list[Any]) -> bool:
    return any(_holds(other, item) for item in one)


def _product(arguments: Sequence[Any]) -> int:
    return len(arguments[0]) * len(arguments[1])


def _twice(arguments: Sequence[Any]) -> int:
    return 2 * _product(arguments)


declare("sets.contains", "(list(A), list(A)) -> bool", _contains, _product)
declare("sets.equivalent", "(list(A), list(A)) -> bool", _equivalent, _twice)
declare("sets.intersects", "(list(A), list(A)) -> bool", _intersects, _product)
