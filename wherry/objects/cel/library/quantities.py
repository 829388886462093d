"""Resource quantities: `quantity("1Gi")` and what can be asked of one."""

from __future__ import annotations

import re
from decimal import Context, Decimal
from typing import Any

from wherry.objects.cel.cost import size, tenth
from wherry.objects.cel.declarations import declare
from wherry.objects.cel.errors import CelError
from wherry.objects.cel.values import MAX_INT, MIN_INT, Opaque
from wherry.objects.quantity import parse_quantity

_EXACT = Context(prec=2048)
_PARTS = re.compile(r"[+-]?([0-9]*)(?:\.([0-9]*))?([a-zA-Z]*(?:(?<=[eE])[+-]?[0-9]+)?)", re.ASCII)
_BINARY = "KMGTPE"
_POWERS = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


class QuantityValue(Opaque):
    """A quantity: the number it stands for, and at which power of ten upstream holds it as 64 bits.

    What upstream holds as a number of any length (`scale` is None), or with a fraction, is no integer to it.
    """

    __slots__ = ("number", "scale")
    cel_type = "kubernetes.Quantity"

    def __init__(self, number: Decimal, scale: int | None) -> None:
        self.number = number
        self.scale = scale

    def __eq__(self, other: object) -> bool:
        return isinstance(other, QuantityValue) and self.number == other.number

    def __hash__(self) -> int:
        return hash(self.number)


def quantity_value(text: str) -> QuantityValue:
    try:
        number = parse_quantity(text)
    except ValueError as error:
        raise CelError(str(error)) from error
    return QuantityValue(number, _scale(text))


def _scale(text: str) -> int | None:
    """The power of ten a written quantity is held at. Source: resource.ParseQuantity's fast path."""
    found = _PARTS.fullmatch(text)
    assert found is not None
    whole, fraction, suffix = found[1].lstrip("0"), (found[2] or "").rstrip("0"), found[3]
    if suffix.endswith("i"):
        bits = 10 * (_BINARY.index(suffix[0]) + 1)
        return 0 if not fraction and 15 - len(whole) - int(bits * 0.3) - 1 >= 0 else None
    power = int(suffix[1:]) if len(suffix) > 1 else _POWERS[suffix]
    scale = power - len(fraction)
    return scale if 18 - len(whole) - len(fraction) >= 0 and scale >= -9 else None


def _is_quantity(text: str) -> bool:
    try:
        parse_quantity(text)
    except ValueError:
        return False
    return True


def _number(value: Any) -> Decimal:
    return value.number if isinstance(value, QuantityValue) else Decimal(value)


def _is_integer(value: QuantityValue) -> bool:
    return value.scale is not None and value.scale >= 0 and MIN_INT <= value.number <= MAX_INT


def _as_integer(value: QuantityValue) -> int:
    if not _is_integer(value):
        raise CelError("cannot convert value to integer")
    return int(value.number)


def _add(left: QuantityValue, right: Any) -> QuantityValue:
    return _made(left, right, _EXACT.add(left.number, _number(right)))


def _subtract(left: QuantityValue, right: Any) -> QuantityValue:
    return _made(left, right, _EXACT.subtract(left.number, _number(right)))


def _made(left: QuantityValue, right: Any, number: Decimal) -> QuantityValue:
    """A sum, held at the smaller of the two powers of ten as long as 64 bits hold it."""
    scale = right.scale if isinstance(right, QuantityValue) else 0
    if left.scale is None or scale is None:
        return QuantityValue(number, None)
    scale = min(left.scale, scale)
    return QuantityValue(number, scale if abs(number.scaleb(-scale, _EXACT)) <= MAX_INT else None)


def _approximate(value: QuantityValue) -> float:
    """The float upstream makes: its digits' times a power of ten."""
    if value.scale is not None:
        return int(value.number.scaleb(-value.scale, _EXACT)) * 10.0**value.scale if value.number else 0.0
    sign, digits, exponent = value.number.normalize(_EXACT).as_tuple()
    number = float(int("".join(map(str, digits))))
    return (-number if sign else number) * 10.0 ** int(exponent)


def _order(left: QuantityValue, right: QuantityValue) -> int:
    return int(left.number > right.number) - int(left.number < right.number)


def _once(arguments: Any) -> int:
    return tenth(size(arguments[0]))


declare("quantity", "(string) -> quantity", quantity_value, _once)
declare("isQuantity", "(string) -> bool", _is_quantity, _once)
declare("sign", "(quantity) -> int", lambda value: (value.number > 0) - (value.number < 0))
declare("isGreaterThan", "quantity.(quantity) -> bool", lambda left, right: _order(left, right) > 0)
declare("isLessThan", "quantity.(quantity) -> bool", lambda left, right: _order(left, right) < 0)
declare("compareTo", "quantity.(quantity) -> int", _order)
declare("asApproximateFloat", "quantity.() -> double", _approximate)
declare("asInteger", "quantity.() -> int", _as_integer)
declare("isInteger", "quantity.() -> bool", _is_integer)
declare("add", "quantity.(quantity) -> quantity", _add)
declare("add", "quantity.(int) -> quantity", _add)
declare("sub", "quantity.(quantity) -> quantity", _subtract)
declare("sub", "quantity.(int) -> quantity", _subtract)
