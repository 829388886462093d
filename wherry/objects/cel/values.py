"""Values of expressions beyond JSON's, and what all values have in common: `kind`, `equal`, `compare`.

Numbers without sign, times in nanoseconds and optional values have classes of their own; texts, lists, maps,
whole and real numbers are Python's. True and 1 are never the same, as Python would have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cmp_to_key
from typing import Any

from wherry.objects.cel.errors import CelError

MIN_INT, MAX_INT, MAX_UINT = -(1 << 63), (1 << 63) - 1, (1 << 64) - 1
NO_OVERLOAD = "no such overload"


class UInt(int):
    """A whole number without sign."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{int(self)}u"


class Duration:
    """A span of time in nanoseconds, 64 bits of them."""

    __slots__ = ("ns",)

    def __init__(self, ns: int) -> None:
        self.ns = ns

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Duration) and self.ns == other.ns

    def __hash__(self) -> int:
        return hash(self.ns)


class Timestamp:
    """A moment: nanoseconds since 1970, and how far ahead of UTC it was written (seconds)."""

    __slots__ = ("ahead", "ns")

    def __init__(self, ns: int, ahead: int = 0) -> None:
        self.ns = ns
        self.ahead = ahead

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timestamp) and self.ns == other.ns

    def __hash__(self) -> int:
        return hash(self.ns)


class Optional:
    """A value that may be absent."""

    __slots__ = ("is_there", "value")

    def __init__(self, value: Any = None, *, is_there: bool = True) -> None:
        self.value = value
        self.is_there = is_there

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Optional) or self.is_there != other.is_there:
            return False
        return not self.is_there or equal(self.value, other.value)

    __hash__ = None  # type: ignore[assignment]


NOTHING = Optional(is_there=False)


class TypeValue:
    """A type as a value: `int`, `type(self)`."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TypeValue) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


class Opaque:
    """A value only functions can look into; `cel_type` is its type's name."""

    __slots__ = ()
    cel_type = ""


_KINDS: dict[type, str] = {
    bool: "bool",
    int: "int",
    UInt: "uint",
    float: "double",
    str: "string",
    bytes: "bytes",
    list: "list",
    dict: "map",
    type(None): "null_type",
    Duration: "google.protobuf.Duration",
    Timestamp: "google.protobuf.Timestamp",
    Optional: "optional_type",
    TypeValue: "type",
}
_GO_NAMES = {
    "bool": "types.Bool",
    "int": "types.Int",
    "uint": "types.Uint",
    "double": "types.Double",
    "string": "types.String",
    "bytes": "types.Bytes",
    "null_type": "types.Null",
    "google.protobuf.Duration": "types.Duration",
    "google.protobuf.Timestamp": "types.Timestamp",
    "optional_type": "*types.Optional",
    "type": "*types.Type",
}
_ORDERED = frozenset({"bool", "string", "bytes", "google.protobuf.Duration", "google.protobuf.Timestamp"})
_NUMBERS = frozenset({"int", "uint", "double"})


def kind(value: Any) -> str:
    """The name of a value's type."""
    found = _KINDS.get(value.__class__)
    if found is not None:
        return found
    if isinstance(value, Opaque):
        return value.cel_type
    for known, name in ((Mapping, "map"), (str, "string"), (list, "list"), (int, "int")):
        if isinstance(value, known):
            return name
    raise TypeError(f"no value of an expression: {value!r}")


def go_name(value: Any) -> str:
    """The name of a value's class in cel-go, which some errors show."""
    found = kind(value)
    return _GO_NAMES.get(found, found)


def no_overload(function: str, arguments: Iterable[Any]) -> CelError:
    """The error for a function that does not take such arguments."""
    return CelError(f"{NO_OVERLOAD}: {function}({', '.join(kind(argument) for argument in arguments)})")


def equal(left: Any, right: Any) -> bool:
    """Whether two values are the same; numbers of different types may be."""
    if left.__class__ is right.__class__ and left.__class__ in _PLAIN:
        return bool(left == right)
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list):
        return (
            isinstance(right, list)
            and len(left) == len(right)
            and all(equal(one, other) for one, other in zip(left, right, strict=True))
        )
    if isinstance(left, Mapping):
        if not isinstance(right, Mapping) or len(left) != len(right):
            return False
        for key, value in left.items():
            there, other = find(right, key)
            if not there or not equal(value, other):
                return False
        return True
    if isinstance(left, float) and isinstance(right, int):
        return left == float(right)
    if isinstance(right, float) and isinstance(left, int):
        return float(left) == right
    return bool(left == right)


_PLAIN = frozenset({str, int, float, bool, bytes})


def find(entries: Mapping[Any, Any], key: Any) -> tuple[bool, Any]:
    """Whether a map has a key, and what stands there. Numbers are found across their types."""
    if key.__class__ is str:
        return (True, entries[key]) if key in entries else (False, None)
    if key.__class__ not in _KEYS:
        return False, None
    if key not in entries:
        return False, None
    if key in (0, 1):  # which Python takes for False and True
        is_bool = key.__class__ is bool
        if not any(known == key and (known.__class__ is bool) == is_bool for known in entries):
            return False, None
    return True, entries[key]


_KEYS = frozenset({str, int, UInt, bool, float})


def compare(left: Any, right: Any) -> int | None:
    """-1, 0 or 1; None for values that have no order."""
    one, other = kind(left), kind(right)
    if one == other and one in _ORDERED:
        if one.startswith("google"):
            left, right = left.ns, right.ns
        return int(left > right) - int(left < right)
    if one in _NUMBERS and other in _NUMBERS:
        if left != left or right != right:
            raise CelError("NaN values cannot be ordered")
        if "double" in (one, other):
            left, right = float(left), float(right)
        return int(left > right) - int(left < right)
    return None


def show_double(value: float) -> str:
    """A real number as Go's FormatFloat(value, 'g', -1): with an exponent from seven digits on."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return go_shortest(value, 6)


def go_shortest(value: float, most: int, least: int = -4) -> str:
    """Shortest digits that read back the same; with an exponent below `least` and from `most` on."""
    text = repr(value)
    sign = "-" if text.startswith("-") else ""
    text = text.lstrip("-")
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return f"{sign}0"
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0") or "0"
    power = point - 1
    if power < least or power >= most:
        rest = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{rest}e{'-' if power < 0 else '+'}{abs(power):02d}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if len(digits) <= point:
        return f"{sign}{digits}{'0' * (point - len(digits))}"
    return f"{sign}{digits[:point]}.{digits[point:]}"


def sort_key(function: Callable[[Any, Any], int]) -> Any:
    """A key for sorting by a comparison."""
    return cmp_to_key(function)
