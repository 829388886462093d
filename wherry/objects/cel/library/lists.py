"""Functions of lists. Source: Kubernetes' library of lists and cel-go's ext/lists, version 3."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from typing import Any

from wherry.objects.cel.cost import tenth
from wherry.objects.cel.declarations import declare
from wherry.objects.cel.errors import CelError
from wherry.objects.cel.loops import sorted_values
from wherry.objects.cel.operators import add
from wherry.objects.cel.values import NO_OVERLOAD, NOTHING, Duration, Optional, UInt, compare, equal, kind

_SUMMED: dict[str, Any] = {"int": 0, "uint": UInt(0), "double": 0.0, "duration": Duration(0)}
_COMPARED = ("int", "uint", "double", "bool", "string", "bytes", "duration", "timestamp")


def _order(one: Any, other: Any) -> int:
    found = compare(one, other)
    if found is None:
        raise CelError(NO_OVERLOAD)
    return found


def _is_sorted(items: list[Any]) -> bool:
    if items and compare(items[0], items[0]) is None:
        raise CelError("no such overload: isSorted(list)")
    return all(_order(one, other) <= 0 for one, other in pairwise(items))


def _extreme(function: str, sign: int) -> Any:
    def find(items: list[Any]) -> Any:
        if not items:
            raise CelError(f"{function} called on empty list")
        if compare(items[0], items[0]) is None:
            raise CelError(f"no such overload: {function}(list)")
        return reduce(lambda best, item: item if _order(item, best) * sign > 0 else best, items)

    return find


def _sum(items: list[Any]) -> Any:
    if not items:
        return 0
    total = items[0]
    if kind(total).rpartition(".")[2].lower() not in _SUMMED:
        raise CelError("no such overload: sum(list)")
    for item in items[1:]:
        total = add(total, item)
    return total


def _index_of(items: list[Any], wanted: Any) -> int:
    return next((index for index, item in enumerate(items) if equal(item, wanted)), -1)


def _last_index_of(items: list[Any], wanted: Any) -> int:
    return next((index for index in range(len(items) - 1, -1, -1) if equal(items[index], wanted)), -1)


def _includes(items: Any, wanted: Any) -> bool:
    if not isinstance(items, list):
        return equal(items, wanted)
    return any(equal(item, wanted) for item in items)


def _distinct(items: list[Any]) -> list[Any]:
    if all(item.__class__ is str for item in items):
        return list(dict.fromkeys(items))
    made: list[Any] = []
    for item in items:
        if not any(equal(item, known) for known in made):
            made.append(item)
    return made


def _flatten(items: list[Any], depth: int = 1) -> list[Any]:
    if depth < 0:
        raise CelError("level must be non-negative")
    made: list[Any] = []
    for item in items:
        if isinstance(item, list) and depth > 0:
            made += _flatten(item, depth - 1)
        else:
            made.append(item)
    return made


def _slice(items: list[Any], start: int, end: int) -> list[Any]:
    if start < 0 or end < 0:
        raise CelError(f"cannot slice({start}, {end}), negative indexes not supported")
    if start > end:
        raise CelError(f"cannot slice({start}, {end}), start index must be less than or equal to end index")
    if end > len(items):
        raise CelError(f"cannot slice({start}, {end}), list is length {len(items)}")
    return items[start:end]


def _range(end: int) -> list[int]:
    if end < 0:
        raise CelError(f"lists.range: size must be non-negative, got {end}")
    return list(range(end))


def traversal(value: Any) -> int:
    """What going through a list once costs, texts in it included; a text costs a tenth of its length."""
    if isinstance(value, list):
        return sum(1 + tenth(len(item)) if isinstance(item, (str, bytes)) else 1 for item in value)
    return tenth(len(value)) if isinstance(value, (str, bytes)) else 1


def _traversed(arguments: Sequence[Any]) -> int:
    return traversal(arguments[0])


def _square(arguments: Sequence[Any]) -> int:
    items: list[Any] = arguments[0]
    return len(items) if all(item.__class__ is str for item in items) else 1 + len(items) ** 2


def _count(arguments: Sequence[Any]) -> int:
    return 1 + max(0, int(arguments[0]))


def _weight(arguments: Sequence[Any]) -> int:
    return 1 + sum(1 + len(item) if isinstance(item, list) else 1 for item in arguments[0])


def _sort_cost(arguments: Sequence[Any]) -> int:
    return 1 + traversal(arguments[0]) * max(1, len(arguments[0]).bit_length())


for _kind in _COMPARED:
    declare("isSorted", f"list({_kind}).() -> bool", _is_sorted, _traversed)
for _kind in _SUMMED:
    declare("sum", f"list({_kind}).() -> {_kind}", _sum, _traversed)
for _kind in _COMPARED:
    declare("max", f"list({_kind}).() -> {_kind}", _extreme("max", 1), _traversed)
    declare("min", f"list({_kind}).() -> {_kind}", _extreme("min", -1), _traversed)
declare("indexOf", "list(A).(A) -> int", _index_of, _traversed)
declare("lastIndexOf", "list(A).(A) -> int", _last_index_of, _traversed)
declare("includes", "dyn.(dyn) -> bool", _includes, _traversed)
declare("distinct", "list(A).() -> list(A)", _distinct, _square)
declare("flatten", "list(list(A)).() -> list(A)", _flatten, _weight)
declare("flatten", "list(dyn).(int) -> list(dyn)", _flatten, _weight)
declare("slice", "list(A).(int, int) -> list(A)", _slice)
declare("reverse", "list(A).() -> list(A)", lambda items: items[::-1])
declare("first", "list(A).() -> optional_type(A)", lambda items: Optional(items[0]) if items else NOTHING)
declare("last", "list(A).() -> optional_type(A)", lambda items: Optional(items[-1]) if items else NOTHING)
declare("lists.range", "(int) -> list(int)", _range, _count)
for _kind in _COMPARED:
    declare(
        "sort",
        f"list({_kind}).() -> list({_kind})",
        lambda items: sorted_values(items, of=lambda item: item),
        _sort_cost,
    )
