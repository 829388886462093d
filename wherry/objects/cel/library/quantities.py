"""Resource quantities: `quantity("1Gi")` and what can be asked of one."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Any

from wherry.objects.cel.cost import size, tenth
from wherry.objects.cel.declarations import declare
from wherry.objects.cel.errors import CelError
from wherry.objects.cel.values import MAX_INT, MIN_INT, Opaque
from wherry.objects.quantity import is_whole, parse_quantity

_EXACT = Context(prec=2048)


class QuantityValue(Opaque):
    """A quantity, by the number it stands for."""

    __slots__ = ("number",)
    cel_type = "kubernetes.Quantity"

    def __init__(self, number: Decimal) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, QuantityValue) and self.number == other.number

    def __hash__(self) -> int:
        return hash(self.number)


def _quantity(text: str) -> QuantityValue:
    try:
        return QuantityValue(parse_quantity(text))
    except ValueError as error:
        raise CelError(str(error)) from error


def _is_quantity(text: str) -> bool:
    try:
        parse_quantity(text)
    except ValueError:
        return False
    return True


def _number(value: Any) -> Decimal:
    return value.number if isinstance(value, QuantityValue) else Decimal(value)


def _is_integer(value: QuantityValue) -> bool:
    return is_whole(value.number) and MIN_INT <= value.number <= MAX_INT


def _as_integer(value: QuantityValue) -> int:
    if not _is_integer(value):
        raise CelError("cannot convert value to integer")
    return int(value.number)


def _add(left: QuantityValue, right: Any) -> QuantityValue:
    return QuantityValue(_EXACT.add(left.number, _number(right)))


def _subtract(left: QuantityValue, right: Any) -> QuantityValue:
    return QuantityValue(_EXACT.subtract(left.number, _number(right)))


def _order(left: QuantityValue, right: QuantityValue) -> int:
    return int(left.number > right.number) - int(left.number < right.number)


def _once(arguments: Any) -> int:
    return tenth(size(arguments[0]))


declare("quantity", "(string) -> quantity", _quantity, _once)
declare("isQuantity", "(string) -> bool", _is_quantity, _once)
declare("sign", "(quantity) -> int", lambda value: (value.number > 0) - (value.number < 0))
declare("isGreaterThan", "quantity.(quantity) -> bool", lambda left, right: _order(left, right) > 0)
declare("isLessThan", "quantity.(quantity) -> bool", lambda left, right: _order(left, right) < 0)
declare("compareTo", "quantity.(quantity) -> int", _order)
declare("asApproximateFloat", "quantity.() -> double", lambda value: float(value.number))
declare("asInteger", "quantity.() -> int", _as_integer)
declare("isInteger", "quantity.() -> bool", _is_integer)
declare("add", "quantity.(quantity) -> quantity", _add)
declare("add", "quantity.(int) -> quantity", _add)
declare("sub", "quantity.(quantity) -> quantity", _subtract)
declare("sub", "quantity.(int) -> quantity", _subtract)
