"""Amounts by resource name: adding, comparing and spelling them.

Amounts are exact numbers while they are worked with. They are spelled like the limit they are held
against (binary beside `1Gi`, decimal beside `1G`), as far as the number allows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

from wherry.objects.quantity import canonical_quantity, format_quantity, is_multiple, parse_quantity

Amounts = dict[str, Decimal]

ZERO = Decimal(0)
ONE = Decimal(1)
_BINARY_STEP = Decimal(1024)


def read_amounts(quantities: Mapping[str, Any] | None) -> Amounts:
    """The numbers of a map of quantities. Raises ValueError for what is no quantity."""
    return {name: parse_quantity(quantity) for name, quantity in (quantities or {}).items()}


def add(total: Amounts, more: Mapping[str, Decimal]) -> None:
    """Add `more` to `total`, in place."""
    for name, amount in more.items():
        total[name] = total.get(name, ZERO) + amount


def subtract(amounts: Mapping[str, Decimal], less: Mapping[str, Decimal]) -> Amounts:
    """`amounts` without `less`; names of either are in the result."""
    result = dict(amounts)
    for name, amount in less.items():
        result[name] = result.get(name, ZERO) - amount
    return result


def masked(amounts: Mapping[str, Decimal], names: Collection[str]) -> Amounts:
    """Only the amounts of `names`."""
    return {name: amount for name, amount in amounts.items() if name in names}


def without_zeros(amounts: Mapping[str, Decimal]) -> Amounts:
    """Only the amounts that are not nothing."""
    return {name: amount for name, amount in amounts.items() if amount}


def spell(amount: Decimal, like: Any) -> str:
    """The canonical text of `amount`, in binary units when the quantity `like` is."""
    is_binary = isinstance(like, str) and like.rstrip().endswith("i")
    fits = is_binary and is_multiple(amount, _BINARY_STEP)
    return format_quantity(amount, "binary" if fits else "decimal")


def spell_all(amounts: Mapping[str, Decimal], like: Mapping[str, Any]) -> dict[str, str]:
    """Every amount spelled like the quantity of the same name in `like`."""
    return {name: spell(amount, like.get(name)) for name, amount in amounts.items()}


def show(quantities: Mapping[str, Any], names: Iterable[str]) -> str:
    """`cpu=1,pods=2`: the quantities of `names`, in order of names, as refusals show them."""
    return ",".join(
        f"{name}={canonical_quantity(quantities[name])}" for name in sorted(names) if name in quantities
    )
