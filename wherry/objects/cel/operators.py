"""Arithmetic, order and membership over any two values; the planner has shortcuts for the common ones.

Source: cel-go's common/types: which types have which operator, and the texts where they have not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from wherry.objects.cel.errors import CelError
from wherry.objects.cel.values import (
    MAX_INT,
    MAX_UINT,
    MIN_INT,
    NO_OVERLOAD,
    NOTHING,
    Duration,
    Optional,
    Timestamp,
    UInt,
    compare,
    equal,
    find,
    go_shortest,
    kind,
)

_SECOND = 1_000_000_000
MIN_TIME_NS, MAX_TIME_NS = -62135596800 * _SECOND, 253402300800 * _SECOND - 1
_DURATION, _TIMESTAMP = "google.protobuf.Duration", "google.protobuf.Timestamp"
_HAVE = {
    "_+_": {"int", "uint", "double", "string", "bytes", "list", _DURATION, _TIMESTAMP},
    "_-_": {"int", "uint", "double", "string", _DURATION, _TIMESTAMP},
    "_*_": {"int", "uint", "double", "string"},
    "_/_": {"int", "uint", "double", "string"},
    "_%_": {"int", "uint", "string"},
}
_ORDERED = {"bool", "int", "uint", "double", "string", "bytes", _DURATION, _TIMESTAMP}


def whole(number: int) -> int:
    """The number, when 64 bits hold it. Raises CelError."""
    if MIN_INT <= number <= MAX_INT:
        return number
    raise CelError("integer overflow")


def unsigned(number: int) -> UInt:
    """The number without sign, when 64 bits hold it. Raises CelError."""
    if 0 <= number <= MAX_UINT:
        return UInt(number)
    raise CelError("unsigned integer overflow")


def span(ns: int) -> Duration:
    """A duration, when 64 bits hold it. Raises CelError."""
    if MIN_INT <= ns <= MAX_INT:
        return Duration(ns)
    raise CelError("integer overflow")


def moment(ns: int) -> Timestamp:
    """A moment within the years 1 to 9999. Raises CelError."""
    if MIN_TIME_NS <= ns <= MAX_TIME_NS:
        return Timestamp(ns)
    raise CelError("timestamp overflow")


def _refused(function: str, left: Any) -> CelError:
    return CelError(NO_OVERLOAD if kind(left) in _HAVE[function] else f"{NO_OVERLOAD}: {function}")


def add(left: Any, right: Any) -> Any:
    """`left + right`. Raises CelError."""
    one, other = kind(left), kind(right)
    if one == other:
        match one:
            case "int":
                return whole(left + right)
            case "string" | "bytes" | "double" | "list":
                return left + right
            case "uint":
                return unsigned(int(left) + int(right))
            case "google.protobuf.Duration":
                return span(left.ns + right.ns)
    elif {one, other} == {_DURATION, _TIMESTAMP}:
        return moment(left.ns + right.ns)
    raise _refused("_+_", left)


def subtract(left: Any, right: Any) -> Any:
    """`left - right`. Raises CelError."""
    one, other = kind(left), kind(right)
    if one == other:
        match one:
            case "int":
                return whole(left - right)
            case "double":
                return left - right
            case "uint":
                return unsigned(int(left) - int(right))
            case "google.protobuf.Duration" | "google.protobuf.Timestamp":
                return span(left.ns - right.ns)
    elif (one, other) == (_TIMESTAMP, _DURATION):
        return moment(left.ns - right.ns)
    raise _refused("_-_", left)


def multiply(left: Any, right: Any) -> Any:
    """`left * right`. Raises CelError."""
    one = kind(left)
    if one == kind(right):
        match one:
            case "int":
                return whole(left * right)
            case "double":
                return left * right
            case "uint":
                return unsigned(int(left) * int(right))
    raise _refused("_*_", left)


def divide(left: Any, right: Any) -> Any:
    """`left / right`, whole numbers towards zero. Raises CelError."""
    one = kind(left)
    if one == kind(right):
        match one:
            case "int" | "uint":
                if right == 0:
                    raise CelError("division by zero")
                quotient = abs(left) // abs(right)
                signed = quotient if (left < 0) == (right < 0) else -quotient
                return whole(signed) if one == "int" else unsigned(signed)
            case "double":
                if right == 0:
                    if left == 0 or left != left:
                        return math.nan
                    return math.copysign(math.inf, left) * math.copysign(1.0, right)
                return left / right
    raise _refused("_/_", left)


def modulo(left: Any, right: Any) -> Any:
    """`left % right`, with the sign of `left`. Raises CelError."""
    one = kind(left)
    if one == kind(right) and one in ("int", "uint"):
        if right == 0:
            raise CelError("modulus by zero")
        if left == MIN_INT and right == -1:
            raise CelError("integer overflow")
        rest = abs(left) % abs(right)
        return UInt(rest) if one == "uint" else (-rest if left < 0 else rest)
    raise _refused("_%_", left)


def negate(value: Any) -> Any:
    """`-value`. Raises CelError."""
    match kind(value):
        case "int":
            return whole(-value)
        case "double":
            return -value
        case "google.protobuf.Duration":
            return span(-value.ns)
        case "string" | "bytes" | "bool":
            raise CelError(NO_OVERLOAD)
    raise CelError(f"{NO_OVERLOAD}: -_")


def order(left: Any, right: Any, function: str) -> int:
    """-1, 0 or 1. Raises CelError for values that cannot be compared."""
    found = compare(left, right)
    if found is None:
        raise CelError(NO_OVERLOAD if kind(left) in _ORDERED else f"{NO_OVERLOAD}: {function}")
    return found


def is_in(value: Any, among: Any) -> bool:
    """`value in among`. Raises CelError."""
    if isinstance(among, list):
        return any(equal(value, item) for item in among)
    if isinstance(among, Mapping):
        return find(among, value)[0]
    raise CelError(NO_OVERLOAD)


def index(value: Any, key: Any) -> Any:
    """`value[key]`. Raises CelError."""
    if isinstance(value, Mapping):
        there, item = find(value, key)
        if there:
            return item
        if isinstance(value, dict) and hasattr(value, "__missing__"):
            return value[key]  # a map that has something for whoever asks
        raise CelError(f"no such key: {shown_key(key)}")
    if isinstance(value, list):
        at = _place(key)
        if not 0 <= at < len(value):
            raise CelError(f"index out of bounds: {at}")
        return value[at]
    if isinstance(value, Optional):
        if not value.is_there:
            return value
        return select_optional(value.value, key)
    raise CelError(f"no such key: {shown_key(key)}" if _is_key(key) else NO_OVERLOAD)


def _is_key(key: Any) -> bool:
    return kind(key) in ("string", "int", "uint", "double", "bool")


def _place(key: Any) -> int:
    match kind(key):
        case "int" | "uint":
            return int(key)
        case "double":
            if key != int(key):
                raise CelError(f"unsupported index value {shown_key(key)} in list")
            return int(key)
    raise CelError(f"unsupported index type '{kind(key)}' in list")


def shown_key(key: Any) -> str:
    """A key as errors show it."""
    match key:
        case bool():
            return "true" if key else "false"
        case float():
            return go_shortest(key, 6)
    return str(int(key)) if isinstance(key, int) else str(key)


def select(value: Any, field: str) -> Any:
    """`value.field`. Raises CelError."""
    if isinstance(value, Mapping):
        try:
            return value[field]
        except KeyError:
            raise CelError(f"no such key: {field}") from None
    if isinstance(value, Optional):
        return select_optional(value.value, field) if value.is_there else value
    if isinstance(value, list):
        raise CelError("unsupported index type 'string' in list")
    raise CelError(f"no such key: {field}")


def select_optional(value: Any, key: Any) -> Optional:
    """`value.?key` and `value[?key]`: empty where there is nothing."""
    if isinstance(value, Optional):
        return select_optional(value.value, key) if value.is_there else value
    if isinstance(value, Mapping):
        there, item = find(value, key)
        return Optional(item) if there else NOTHING
    if isinstance(value, list):
        at = _place(key)
        return Optional(value[at]) if 0 <= at < len(value) else NOTHING
    return NOTHING


def has(value: Any, field: str) -> bool:
    """`has(value.field)`. Raises CelError."""
    if isinstance(value, Mapping):
        return field in value
    if isinstance(value, Optional):
        return value.is_there and has(value.value, field)
    if isinstance(value, list):
        raise CelError("unsupported index type 'string' in list")
    return False
