"""What an expression is made of: functions from a value to those the expression gives for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, TypeAlias

import re2

Filter: TypeAlias = Callable[[Any], Iterator[Any]]


class NoFit(Exception):
    """The expression does not fit the value, for example iterates over a text."""


def same(value: Any) -> Iterator[Any]:
    yield value


def each(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from value
    elif isinstance(value, dict):
        yield from value.values()
    else:
        raise NoFit


def everything(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, list | dict):
        for item in each(value):
            yield from everything(item)


def constant(constant: Any) -> Filter:
    def found(_: Any) -> Iterator[Any]:
        yield constant

    return found


def field(name: str) -> Filter:
    def found(value: Any) -> Iterator[Any]:
        if value is None:
            yield None
        elif isinstance(value, dict):
            yield value.get(name)
        else:
            raise NoFit

    return found


def indexed(base: Filter, index: Filter) -> Filter:
    def found(value: Any) -> Iterator[Any]:
        for inner in base(value):
            for key in index(value):
                if inner is None:
                    yield None
                elif isinstance(inner, dict) and isinstance(key, str):
                    yield inner.get(key)
                elif isinstance(inner, list) and isinstance(key, int):
                    yield inner[key] if -len(inner) <= key < len(inner) else None
                else:
                    raise NoFit

    return found


def piped(first: Filter, second: Filter) -> Filter:
    def found(value: Any) -> Iterator[Any]:
        for inner in first(value):
            yield from second(inner)

    return found


def both(first: Filter, second: Filter) -> Filter:
    def found(value: Any) -> Iterator[Any]:
        yield from first(value)
        yield from second(value)

    return found


def _is_true(value: Any) -> bool:
    return value is not None and value is not False


def otherwise(first: Filter, second: Filter) -> Filter:
    def found(value: Any) -> Iterator[Any]:
        good: list[Any] = []
        with suppress(NoFit):
            good = [inner for inner in first(value) if _is_true(inner)]
        yield from good or second(value)

    return found


def logic(first: Filter, second: Filter, *, decided_by: bool) -> Filter:
    def found(value: Any) -> Iterator[Any]:
        for left in first(value):
            if _is_true(left) == decided_by:
                yield decided_by
            else:
                for right in second(value):
                    yield _is_true(right)

    return found


def _rank(value: Any) -> tuple[int, Any]:
    """jq's order of all values: null, false, true, numbers, texts, lists, maps."""
    if value is None or isinstance(value, bool):
        return (0 if value is None else 1 + value), 0
    if isinstance(value, int | float):
        return 3, value
    if isinstance(value, str):
        return 4, value
    if isinstance(value, list):
        return 5, [_rank(item) for item in value]
    return 6, sorted((key, _rank(item)) for key, item in value.items())


def compared(first: Filter, sign: str, second: Filter) -> Filter:
    def found(value: Any) -> Iterator[Any]:
        for right in second(value):
            for left in first(value):
                a, b = _rank(left), _rank(right)
                yield {
                    "==": a == b,
                    "!=": a != b,
                    "<": a < b,
                    "<=": a <= b,
                    ">": a > b,
                    ">=": a >= b,
                }[sign]

    return found


def forgiving(inner: Filter) -> Filter:
    def found(value: Any) -> Iterator[Any]:
        try:
            yield from inner(value)
        except NoFit:
            return

    return found


def collected(inner: Filter) -> Filter:
    def found(value: Any) -> Iterator[Any]:
        yield list(inner(value))

    return found


def applied(function: Callable[[Any], Any]) -> Filter:
    def found(value: Any) -> Iterator[Any]:
        try:
            yield function(value)
        except (TypeError, ValueError, IndexError, KeyError) as error:
            raise NoFit from error

    return found


def _select(test: Filter) -> Filter:
    def found(value: Any) -> Iterator[Any]:
        for verdict in test(value):
            if _is_true(verdict):
                yield value

    return found


def _map(inner: Filter) -> Filter:
    return collected(piped(each, inner))


def _with(argument: Filter, function: Callable[[Any, Any], Any]) -> Filter:
    """A function of the value and of each argument."""

    def found(value: Any) -> Iterator[Any]:
        for given in argument(value):
            yield from applied(lambda own, given=given: function(own, given))(value)  # type: ignore[misc]

    return found


def _taking(function: Callable[[Any, Any], Any]) -> Callable[[Filter], Filter]:
    return lambda argument: _with(argument, function)


def _has(value: Any, key: Any) -> bool:
    return 0 <= key < len(value) if isinstance(value, list) else key in _map_of(value)


def _map_of(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    return value


def _test(value: Any, pattern: Any) -> bool:

    return re2.search(pattern, value) is not None


def text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _type(value: Any) -> str:
    kinds = {type(None): "null", bool: "boolean", str: "string", list: "array", dict: "object"}
    return kinds.get(type(value), "number")


def _first(argument: Filter) -> Filter:
    def found(value: Any) -> Iterator[Any]:
        for inner in argument(value):
            yield inner
            return

    return found


def _verdict(argument: Filter, joined: Callable[[Iterator[bool]], bool]) -> Filter:
    def found(value: Any) -> Iterator[Any]:
        yield joined(_is_true(verdict) for item in each(value) for verdict in argument(item))

    return found


CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None}
PLAIN: dict[str, Callable[[Any], Any]] = {
    "add": lambda value: sum(value[1:], value[0]) if value else None,
    "any": lambda value: any(_is_true(item) for item in value),
    "all": lambda value: all(_is_true(item) for item in value),
    "ascii_downcase": lambda value: value.lower(),
    "ascii_upcase": lambda value: value.upper(),
    "first": lambda value: value[0],
    "keys": lambda value: sorted(_map_of(value)),
    "last": lambda value: value[-1],
    "length": lambda value: 0 if value is None else abs(value) if isinstance(value, int) else len(value),
    "not": lambda value: not _is_true(value),
    "tonumber": lambda value: float(value) if "." in str(value) else int(value),
    "tostring": text,
    "type": _type,
}
TAKING: dict[str, Callable[[Filter], Filter]] = {
    "all": lambda argument: _verdict(argument, all),
    "any": lambda argument: _verdict(argument, any),
    "contains": _taking(lambda value, part: part in value),
    "endswith": _taking(lambda value, part: value.endswith(part)),
    "first": _first,
    "has": _taking(_has),
    "join": _taking(lambda value, between: between.join(text(item) for item in value)),
    "map": _map,
    "select": _select,
    "split": _taking(lambda value, between: value.split(between)),
    "startswith": _taking(lambda value, part: value.startswith(part)),
    "test": _taking(_test),
}
