"""Resource quantities in expressions: `quantity("1Gi")` and what can be asked of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from wherry.objects.quantity import is_whole, parse_quantity

TAG = "$quantity"


def quantity(text: str) -> dict[str, str]:
    """A quantity. Raises ValueError."""
    return _made(parse_quantity(text))


def is_quantity(text: str) -> bool:
    """Whether the text is a quantity."""
    try:
        parse_quantity(text)
    except ValueError:
        return False
    return True


def number(value: Mapping[str, str]) -> Decimal:
    """The number a quantity is."""
    return Decimal(value[TAG])


def _made(value: Decimal) -> dict[str, str]:
    return {TAG: format(Decimal(value).normalize(), "f")}


def _operand(value: Any) -> Decimal:
    return number(value) if isinstance(value, Mapping) else Decimal(value)


def _is_integer(value: Mapping[str, str]) -> bool:
    found = number(value)
    return is_whole(found) and -(1 << 63) <= found < (1 << 63)


def _as_integer(value: Mapping[str, str]) -> int:
    if not _is_integer(value):
        raise ValueError("cannot convert value to integer")
    return int(number(value))


QUANTITIES: Mapping[str, Callable[..., Any]] = {
    "quantity": quantity,
    "isQuantity": is_quantity,
    "isInteger": _is_integer,
    "asInteger": _as_integer,
    "asApproximateFloat": lambda value: float(number(value)),
    "sign": lambda value: (number(value) > 0) - (number(value) < 0),
    "add": lambda left, right: _made(number(left) + _operand(right)),
    "sub": lambda left, right: _made(number(left) - _operand(right)),
}
