"""Format strings: `'%s is %d'.format([...])`. Source: cel-go's ext/formatting."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from wherry.objects.cel.errors import CelError
from wherry.objects.cel.times import duration_text, timestamp_text
from wherry.objects.cel.values import Duration, Timestamp, TypeValue, kind

_DIGITS = frozenset("0123456789")
_CLAUSES = frozenset("sdfebxoX")
_LONGEST_PRECISION = 1000
_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


class ArgumentError(CelError):
    """An argument no clause can show; `index` says which."""

    def __init__(self, index: int, text: str) -> None:
        super().__init__(text)
        self.index = index


class Clause(NamedTuple):
    """One `%...` of a format string; `precision` is -1 without one."""

    verb: str
    precision: int


def clauses(template: str) -> Iterator[str | Clause]:
    """The texts and clauses of a format string. Raises CelError, after those before the mistake."""
    parts = template.split("%")
    yield parts[0]
    index = 1
    while index < len(parts):
        part = parts[index]
        if not part:
            if index + 1 >= len(parts):
                raise CelError("unexpected end of string")
            yield f"%{parts[index + 1]}"
            index += 2
            continue
        precision, at = _precision(part)
        if at >= len(part):
            raise CelError("could not parse formatting clause: unexpected end of string")
        if part[at] not in _CLAUSES:
            raise CelError(f'could not parse formatting clause: unrecognized formatting clause "{part[at]}"')
        yield Clause(part[at], precision)
        yield part[at + 1 :]
        index += 1


def _precision(part: str) -> tuple[int, int]:
    """(precision, where the clause goes on)"""
    if part[0] != ".":
        return -1, 0
    at = 1
    while at < len(part) and part[at] in _DIGITS:
        at += 1
    digits = part[1:at]
    told = "could not parse formatting clause: error while parsing precision: "
    if not digits:
        raise CelError(
            f'{told}error while converting precision to integer: strconv.Atoi: parsing "": invalid syntax'
        )
    if int(digits[:9]) > _LONGEST_PRECISION:
        raise CelError(f"{told}precision of {digits} is too large: limit {_LONGEST_PRECISION}")
    return int(digits), at


def format_text(template: str, values: list[Any]) -> str:
    """The template with the values in it. Raises CelError."""
    made: list[str] = []
    at = 0
    for part in clauses(template):
        if isinstance(part, str):
            made.append(part)
            continue
        if at >= len(values):
            raise CelError(f"index {at} out of range")
        value = values[at]
        at += 1
        try:
            made.append(_WRITERS[part.verb](value, part))
        except CelError as error:
            raise CelError(f"error during formatting: {error}") from error
    return "".join(made)


def _plain(value: Any, _clause: Clause) -> str:
    return shown(value)


def _decimal(value: Any, _clause: Clause) -> str:
    if kind(value) in ("int", "uint"):
        return str(int(value))
    if isinstance(value, float) and (math.isnan(value) or math.isinf(value)):
        return _special(value)
    raise CelError(f"decimal clause can only be used on integers, was given {kind(value)}")


def _real(value: Any, clause: str) -> float:
    if isinstance(value, float):
        return value
    if value in ("NaN", "Infinity", "-Infinity") and isinstance(value, str):
        return float(value)
    raise CelError(f"{clause} clause can only be used on doubles, was given {kind(value)}")


def _special(value: float) -> str:
    return "NaN" if math.isnan(value) else ("∞" if value > 0 else "-∞")


def _fixed(value: Any, clause: Clause) -> str:
    number = _real(value, "fixed-point")
    if math.isnan(number) or math.isinf(number):
        return _special(number)
    return f"{number:,.{6 if clause.precision < 0 else clause.precision}f}"


def _scientific(value: Any, _clause: Clause) -> str:
    number = _real(value, "scientific")
    if math.isnan(number) or math.isinf(number):
        return _special(number)
    mantissa, _, exponent = f"{number:.6e}".partition("e")
    return f"{mantissa}×10{exponent.removeprefix('+').translate(_RAISED)}"


def _binary(value: Any, _clause: Clause) -> str:
    match kind(value):
        case "bool":
            return "1" if value else "0"
        case "int" | "uint":
            return f"{int(value):b}"
    raise CelError(f"only integers and bools can be formatted as binary, was given {kind(value)}")


def _octal(value: Any, _clause: Clause) -> str:
    if kind(value) in ("int", "uint"):
        return f"{int(value):o}"
    raise CelError(f"octal clause can only be used on integers, was given {kind(value)}")


def _hex(value: Any, clause: Clause) -> str:
    match kind(value):
        case "int" | "uint":
            made = f"{int(value):x}"
        case "string":
            made = value.encode("utf-8", "surrogatepass").hex()
        case "bytes":
            made = value.hex()
        case other:
            raise CelError(
                f"only integers, byte buffers, and strings can be formatted as hex, was given {other}"
            )
    return made.upper() if clause.verb == "X" else made


_WRITERS = {
    "s": _plain, "d": _decimal, "f": _fixed, "e": _scientific, "b": _binary, "o": _octal,
    "x": _hex, "X": _hex,
}  # fmt: skip


def shown(value: Any) -> str:
    """A value as %s shows it. Raises CelError."""
    from wherry.objects.cel.library.standard import string_of

    match value:
        case None:
            return "null"
        case str() | bool() | int() | float() | bytes() | Timestamp() | Duration():
            return string_of(value)
        case TypeValue():
            return value.name
        case list():
            return f"[{', '.join(_inside(item) for item in value)}]"
        case dict():
            pairs = sorted((_inside(key), _inside(item)) for key, item in value.items())
            return "{" + ", ".join(f"{key}:{item}" for key, item in pairs) + "}"
    raise CelError(f"{_REFUSED['s']}, was given {kind(value)}")


def _inside(value: Any) -> str:
    """A value within a list or map."""
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)
        case float():
            return _special(value) if math.isnan(value) or math.isinf(value) else f"{value:,.6f}"
        case Timestamp():
            return f'timestamp("{timestamp_text(value)}")'
        case Duration():
            return f'duration("{duration_text(value)}")'
    return shown(value)


def check_arguments(template: str, kinds: Sequence[str]) -> None:
    """Judge a literal template with literal values by their kinds, "" where unknown. Raises CelError."""
    at = 0
    for part in clauses(template):
        if isinstance(part, str):
            continue
        if at >= len(kinds):
            raise CelError(f"index {at} out of range")
        found = kinds[at]
        at += 1
        if found and found not in _TAKEN[part.verb]:
            raise ArgumentError(at - 1, f"error during formatting: {_REFUSED[part.verb]}, was given {found}")
    if at < len(kinds):
        raise CelError(f"too many arguments supplied to string.format (expected {at}, got {len(kinds)})")


_TEXTS = frozenset(
    {"string", "bool", "bytes", "int", "uint", "double", "map", "list", "type", "null_type"}
    | {"google.protobuf.Duration", "google.protobuf.Timestamp"}
)
_TAKEN = {
    "s": _TEXTS,
    "d": frozenset({"int", "uint"}),
    "f": frozenset({"double", "string"}),
    "e": frozenset({"double", "string"}),
    "b": frozenset({"int", "uint", "bool"}),
    "o": frozenset({"int", "uint"}),
    "x": frozenset({"int", "uint", "string", "bytes"}),
    "X": frozenset({"int", "uint", "string", "bytes"}),
}
_REFUSED = {
    "s": (
        "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, "
        "durations, and timestamps"
    ),
    "d": "decimal clause can only be used on integers",
    "f": "fixed-point clause can only be used on doubles",
    "e": "scientific clause can only be used on doubles",
    "b": "only integers and bools can be formatted as binary",
    "o": "octal clause can only be used on integers",
    "x": "only integers, byte buffers, and strings can be formatted as hex",
    "X": "only integers, byte buffers, and strings can be formatted as hex",
}
