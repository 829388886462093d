"""Resource quantities: "500m", "1.5Gi", "12e6" as exact numbers, and their canonical spelling.

The grammar, rounding and spelling are upstream's (apimachinery's resource.Quantity): nothing finer
than a nano-unit, rounded away from zero; whole numbers as small as they get without a fraction. Every
function is cached, because the same few texts come back with each pod.

Numbers of more than `MOST_DIGITS` digits are refused: upstream takes `1e999999999`, and then computes with
a number of a billion digits, or a wrapped one.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_UP, Context, Decimal
from typing import NamedTuple

from wherry.kit.integers import is_digits
from wherry.kit.remembered import remembered

FORMAT_WRONG = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
NUMBER_WRONG = "unable to parse numeric part of quantity"
SUFFIX_WRONG = "unable to parse quantity's suffix"

MAX_INT = 2**63 - 1
"""What a quantity is capped at when it is read as an integer (upstream holds an int64)."""

MOST_DIGITS = 1000
"""How many digits a quantity may have before its decimal point."""

# Possessive: no run of digits is ever given back and matched again. Upstream scans by hand.
_TEXT = re.compile(r"([+-]?)([0-9]*+)(?:\.([0-9]*+))?([eEinumkKMGTP]*+[-+]?[0-9]*+)")
_PLAIN_DIGITS = 18
"""Whole numbers of so few digits need no pattern to be read."""
_IS_SPELT = re.compile(r"(?!0.)(?!.*000$)")  # no zero in front, no thousands to be shortened
_EXPONENT = re.compile(r"[eE]([-+]?[0-9]{1,9})", re.ASCII)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIX = {power: suffix for suffix, power in _DECIMAL.items()}
_EXACT = Context(prec=2048)  # more than any two quantities together have
_NANO = Decimal("1e-9")
_CACHED = 8192

Quantity = str | int | float
"""A quantity as it stands in JSON: mostly text, sometimes a bare number."""


class _Parsed(NamedTuple):
    value: Decimal
    form: str  # "decimal", "binary" or "exponent"


@remembered(_CACHED)
def _parse(text: str) -> _Parsed:
    if len(text) <= _PLAIN_DIGITS and is_digits(text):
        return _Parsed(Decimal(int(text)), "decimal")
    match = _TEXT.fullmatch(text)
    if match is None or not text:
        raise ValueError(FORMAT_WRONG)
    sign, integer, fraction, suffix = match[1], match[2], match[3] or "", match[4]
    form, exponent, factor = _suffix(suffix)
    digits = (integer + fraction).lstrip("0")
    if not digits:
        return _Parsed(Decimal(0), form)
    if len(digits) + exponent - len(fraction) > MOST_DIGITS:
        raise ValueError(NUMBER_WRONG)
    value = Decimal(f"{sign}{digits}e{exponent - len(fraction)}")
    if factor != 1:
        value = _EXACT.multiply(value, Decimal(factor))
    exponent_now = value.as_tuple().exponent
    if isinstance(exponent_now, int) and exponent_now < -9:
        value = value.quantize(_NANO, ROUND_UP, _EXACT) if value.adjusted() >= -9 else _NANO.copy_sign(value)
    if form == "binary":
        if abs(value) > MAX_INT:
            value = Decimal(MAX_INT).copy_sign(value)
        if 0 < abs(value) < 1:
            form = "decimal"
    return _Parsed(value, form)


def _suffix(suffix: str) -> tuple[str, int, int]:
    """(form, decimal exponent, factor) a suffix stands for. Raises ValueError for an unknown one."""
    if suffix in _DECIMAL:
        return "decimal", _DECIMAL[suffix], 1
    if suffix in _BINARY:
        return "binary", 0, 1 << _BINARY[suffix]
    match = _EXPONENT.fullmatch(suffix)
    if match is None:
        raise ValueError(SUFFIX_WRONG)
    return "exponent", int(match[1]), 1


def _text(quantity: Quantity) -> str:
    return quantity if isinstance(quantity, str) else str(quantity)


def parse_quantity(quantity: Quantity) -> Decimal:
    """The exact number a quantity stands for.

    Raises ValueError, with upstream's text, for anything that is not a quantity.
    """
    return _parse(_text(quantity)).value


@remembered(_CACHED)
def canonical_quantity(quantity: Quantity) -> str:
    """The one spelling upstream gives back: "1000m" is "1", "1024Mi" is "1Gi", "0.5" is "500m".

    Raises ValueError like `parse_quantity`.
    """
    text = _text(quantity)
    if len(text) <= _PLAIN_DIGITS and is_digits(text) and _IS_SPELT.match(text):
        return text
    value, form = _parse(text)
    return format_quantity(value, form)


def format_quantity(value: Decimal, form: str = "decimal") -> str:
    """Spell a number canonically; `form` is "decimal" (k, M, G), "binary" (Ki, Mi) or "exponent"."""
    if not value:
        return "0"
    if form == "binary" and abs(value) >= 1024 and is_whole(value):
        return _binary(int(value))
    return _decimal(value, "decimal" if form == "binary" else form)


def _binary(number: int) -> str:
    power = 0
    while number % 1024 == 0 and power < 60:
        number //= 1024
        power += 10
    suffix = next((name for name, bits in _BINARY.items() if bits == power), "")
    return f"{number}{suffix}"


def _decimal(value: Decimal, form: str) -> str:
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):  # NaN and infinities carry a letter there
        raise ValueError(FORMAT_WRONG)  # noqa: TRY004 - the value is wrong, not its type
    text = "".join(map(str, digits))
    short = text.rstrip("0")
    exponent += len(text) - len(short)
    short += "0" * (exponent % 3)
    exponent -= exponent % 3
    minus = "-" if sign else ""
    if form == "decimal" and exponent in _DECIMAL_SUFFIX:
        return f"{minus}{short}{_DECIMAL_SUFFIX[exponent]}"
    return f"{minus}{short}e{exponent}" if exponent else f"{minus}{short}"


def _as_int(value: Decimal, shift: int) -> int:
    """`value` times ten to the `shift`, rounded up, within the range of an int64."""
    if value.adjusted() + shift > 19:
        return MAX_INT if value > 0 else -MAX_INT
    number = int(value.scaleb(shift, _EXACT).to_integral_value(ROUND_CEILING, _EXACT))
    return max(-MAX_INT, min(number, MAX_INT))


def is_whole(value: Decimal) -> bool:
    """Whether the number has no fraction; of any size, unlike `value % 1`, which raises beyond 28 digits."""
    return value == value.to_integral_value()


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Whether the number is a whole number of steps (not 0); of any size, like `is_whole`."""
    return not _EXACT.remainder(value, step)


@remembered(_CACHED)
def milli(quantity: Quantity) -> int:
    """The quantity in thousandths, rounded up: "0.5" is 500. Raises ValueError for a bad one."""
    return _as_int(parse_quantity(quantity), 3)


@remembered(_CACHED)
def whole(quantity: Quantity) -> int:
    """The quantity in whole units, rounded up: "1Ki" is 1024, "1500m" is 2. ValueError for a bad one."""
    return _as_int(parse_quantity(quantity), 0)
