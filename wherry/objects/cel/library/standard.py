"""Operators, conversions, all the language itself declares. Source: cel-spec's standard definitions."""

from __future__ import annotations

import math
import re
from typing import Any

from wherry.objects.cel.cost import size, tenth
from wherry.objects.cel.declarations import declare
from wherry.objects.cel.errors import CelError
from wherry.objects.cel.operators import unsigned, whole
from wherry.objects.cel.times import (
    duration_from,
    duration_text,
    timestamp_from,
    timestamp_text,
)
from wherry.objects.cel.values import (
    MAX_INT,
    MAX_UINT,
    MIN_INT,
    Duration,
    Timestamp,
    TypeValue,
    UInt,
    kind,
    show_double,
)

_SECOND = 1_000_000_000
_WHOLE = re.compile(r"[+-]?[0-9]+", re.ASCII)
_NATURAL = re.compile(r"[0-9]+", re.ASCII)
_REAL = re.compile(r"[+-]?(?:[0-9]+(?:_?[0-9]+)*\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_HEX_REAL = re.compile(r"[+-]?0[xX][0-9a-fA-F.]+[pP][+-]?[0-9]+", re.ASCII)
_INFINITE = re.compile(r"[+-]?inf(?:inity)?|nan", re.IGNORECASE | re.ASCII)
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


def _unconvertible(target: str) -> CelError:
    return CelError(f"type conversion error from 'string' to '{target}'")


def int_of(value: Any) -> int:
    """`int(value)`. Raises CelError."""
    match value:
        case bool():
            raise CelError("no such overload: int(bool)")
        case int():
            return whole(int(value))
        case float():
            if (
                math.isnan(value)
                or math.isinf(value)
                or not -9223372036854775808.0 < value < 9223372036854775808.0
            ):
                raise CelError("integer overflow")
            return int(value)
        case Timestamp():
            return value.ns // _SECOND
        case Duration():
            return value.ns
    if (
        not _WHOLE.fullmatch(value)
        or not MIN_INT <= (number := int(value[:24])) <= MAX_INT
        or len(value) > 24
    ):
        raise _unconvertible("int")
    return number


def uint_of(value: Any) -> UInt:
    """`uint(value)`. Raises CelError."""
    match value:
        case int():
            return unsigned(int(value))
        case float():
            if math.isnan(value) or not 0 <= value < 18446744073709551616.0:
                raise CelError("unsigned integer overflow")
            return UInt(int(value))
    if not _NATURAL.fullmatch(value) or len(value) > 24 or (number := int(value)) > MAX_UINT:
        raise _unconvertible("uint")
    return UInt(number)


def double_of(value: Any) -> float:
    """`double(value)`. Raises CelError."""
    if not isinstance(value, str):
        return float(value)
    if _HEX_REAL.fullmatch(value):
        return float.fromhex(value)
    if _INFINITE.fullmatch(value):
        return float(value)
    if not _REAL.fullmatch(value) or math.isinf(number := float(value)):
        raise _unconvertible("double")
    return number


def bool_of(value: Any) -> bool:
    """`bool(value)`. Raises CelError."""
    if isinstance(value, bool):
        return value
    if value in _TRUE or value in _FALSE:
        return value in _TRUE
    raise _unconvertible("bool")


def string_of(value: Any) -> str:
    """`string(value)`. Raises CelError."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(int(value))
        case float():
            return show_double(value)
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError:
                raise CelError("invalid UTF-8 in bytes, cannot convert to string") from None
        case Timestamp():
            return timestamp_text(value)
        case Duration():
            return duration_text(value)
    raise CelError(f"no such overload: string({kind(value)})")


def size_of(value: Any) -> int:
    """`size(value)`. Raises CelError."""
    return len(value)


def _type_of(value: Any) -> TypeValue:
    return TypeValue(kind(value))


def _first_tenth(arguments: Any) -> int:
    return tenth(size(arguments[0]))


def _second_tenth(arguments: Any) -> int:
    return tenth(size(arguments[1]))


def _contains_cost(arguments: Any) -> int:
    return tenth(size(arguments[0])) * tenth(size(arguments[1]))


def _nothing(*_arguments: Any) -> Any:
    """What operators are evaluated by is the planner's."""
    raise CelError("no such overload")


_NUMBERS = ("int", "uint", "double")
_ORDERED = ("bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration")
for _name in ("_==_", "_!=_"):
    declare(_name, "(A, A) -> bool", _nothing)
for _name in ("_<_", "_<=_", "_>_", "_>=_"):
    for _kind in _ORDERED:
        declare(_name, f"({_kind}, {_kind}) -> bool", _nothing)
    for _kind in _NUMBERS:
        for _other in _NUMBERS:
            if _kind != _other:
                declare(_name, f"({_kind}, {_other}) -> bool", _nothing)
for _kind in ("bytes", "double"):
    declare("_+_", f"({_kind}, {_kind}) -> {_kind}", _nothing)
for _text in (
    "(duration, duration) -> duration", "(duration, timestamp) -> timestamp",
    "(timestamp, duration) -> timestamp", "(int, int) -> int", "(list(A), list(A)) -> list(A)",
    "(string, string) -> string", "(uint, uint) -> uint",
):  # fmt: skip
    declare("_+_", _text, _nothing)
for _text in (
    "(double, double) -> double", "(duration, duration) -> duration", "(int, int) -> int",
    "(timestamp, duration) -> timestamp", "(timestamp, timestamp) -> duration", "(uint, uint) -> uint",
):  # fmt: skip
    declare("_-_", _text, _nothing)
for _kind in _NUMBERS:
    declare("_*_", f"({_kind}, {_kind}) -> {_kind}", _nothing)
    declare("_/_", f"({_kind}, {_kind}) -> {_kind}", _nothing)
for _kind in ("int", "uint"):
    declare("_%_", f"({_kind}, {_kind}) -> {_kind}", _nothing)
for _kind in ("int", "double"):
    declare("-_", f"({_kind}) -> {_kind}", _nothing)
declare("!_", "(bool) -> bool", _nothing)
declare("_?_:_", "(bool, A, A) -> A", _nothing)
declare("@in", "(A, list(A)) -> bool", _nothing)
declare("@in", "(A, map(A, B)) -> bool", _nothing)
declare("_[_]", "(list(A), int) -> A", _nothing)
declare("_[_]", "(map(A, B), A) -> B", _nothing)
declare("_[_]", "(optional_type(list(A)), int) -> optional_type(A)", _nothing)
declare("_[_]", "(optional_type(map(A, B)), A) -> optional_type(B)", _nothing)
declare("_[?_]", "(list(A), int) -> optional_type(A)", _nothing)
declare("_[?_]", "(optional_type(list(A)), int) -> optional_type(A)", _nothing)
declare("_[?_]", "(map(A, B), A) -> optional_type(B)", _nothing)
declare("_[?_]", "(optional_type(map(A, B)), A) -> optional_type(B)", _nothing)

for _kind in ("bytes", "list(A)", "map(A, B)", "string"):
    declare("size", f"({_kind}) -> int", size_of)
    declare("size", f"{_kind}.() -> int", size_of)
for _kind in ("bool", "string"):
    declare("bool", f"({_kind}) -> bool", bool_of)
declare("bytes", "(bytes) -> bytes", lambda value: value)
declare("bytes", "(string) -> bytes", lambda value: value.encode("utf-8", "surrogatepass"), _first_tenth)
for _kind in ("double", "int", "string", "uint"):
    declare("double", f"({_kind}) -> double", double_of)
declare("duration", "(duration) -> duration", duration_from)
declare("duration", "(string) -> duration", duration_from)
declare("dyn", "(A) -> dyn", lambda value: value)
for _kind in ("int", "double", "duration", "string", "timestamp", "uint"):
    declare("int", f"({_kind}) -> int", int_of)
for _kind in ("string", "bool", "double", "duration", "int", "timestamp", "uint"):
    declare("string", f"({_kind}) -> string", string_of)
declare("string", "(bytes) -> string", string_of, _first_tenth)
for _kind in ("timestamp", "int", "string"):
    declare("timestamp", f"({_kind}) -> timestamp", timestamp_from)
declare("type", "(A) -> type(A)", _type_of)
for _kind in ("uint", "double", "int", "string"):
    declare("uint", f"({_kind}) -> uint", uint_of)
declare("contains", "string.(string) -> bool", lambda text, part: part in text, _contains_cost)
declare("endsWith", "string.(string) -> bool", lambda text, end: text.endswith(end), _second_tenth)
declare("startsWith", "string.(string) -> bool", lambda text, start: text.startswith(start), _second_tenth)
