"""Portions of devices that may be allocated many times: how much a request takes, and whether it is there.

Source: k8s.io/dynamic-resource-allocation/structured, consumable_capacity.go. Names are full ones
(`domain/name`); amounts are exact numbers with the text they are written as.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

from wherry.objects.quantity import canonical_quantity, parse_quantity

Amounts = dict[str, Decimal]


def capacities_of(device: Mapping[str, Any], driver: str) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """A device's capacities by full name: (the name it is published by, the capacity)."""
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    published = device.get("capacity") or {}
    for name in sorted(published, key=lambda name: "/" in name):  # a full name wins
        found[name if "/" in name else f"{driver}/{name}"] = (name, published[name])
    return found


def consumption(
    device: Mapping[str, Any], driver: str, requests: Mapping[str, Any]
) -> dict[str, tuple[str, str, Decimal]] | None:
    """What a request takes of each capacity: full name -> (published name, text, amount).

    None if the device has not what is asked for, or does not give such portions.
    """
    capacities = capacities_of(device, driver)
    wanted: dict[str, Any] = {}
    for name, amount in requests.items():
        full = name if "/" in name else f"{driver}/{name}"
        if full not in capacities or full in wanted:
            return None
        wanted[full] = amount
    taken: dict[str, tuple[str, str, Decimal]] = {}
    for full, (published, capacity) in capacities.items():
        portion = _portion(wanted.get(full), capacity)
        if portion is None:
            return None
        taken[full] = (published, *portion)
    return taken


def fits(taken: Mapping[str, tuple[str, str, Decimal]], device: Mapping[str, Any], used: Amounts) -> bool:
    """Whether what is taken is there, beside what is `used`."""
    return all(
        used.get(full, Decimal(0)) + amount <= parse_quantity(device["capacity"][published].get("value") or 0)
        for full, (published, _, amount) in taken.items()
    )


def _portion(wanted: Any, capacity: Mapping[str, Any]) -> tuple[str, Decimal] | None:
    """(text, amount) of the portion a request comes to; None if there is none so large."""
    policy = capacity.get("requestPolicy") or {}
    if wanted is None:
        whole = policy.get("default")
        text = canonical_quantity(capacity.get("value") or 0 if whole is None else whole)
        return text, parse_quantity(text)
    text = canonical_quantity(wanted)
    amount = parse_quantity(text)
    if policy.get("validValues"):
        for value in policy["validValues"]:
            if amount <= parse_quantity(value):
                return canonical_quantity(value), parse_quantity(value)
        return None
    limits = policy.get("validRange")
    if limits is None or limits.get("min") is None:
        return text, amount
    return _in_range(text, amount, limits)


def _in_range(text: str, amount: Decimal, limits: Mapping[str, Any]) -> tuple[str, Decimal] | None:
    least = parse_quantity(limits["min"])
    if amount < least:
        text, amount = canonical_quantity(limits["min"]), least
    elif limits.get("step") is not None and (step := parse_quantity(limits["step"])) > 0:
        steps = ((amount - least) / step).to_integral_value(ROUND_CEILING)
        rounded = least + steps * step
        if rounded != amount:
            amount, text = rounded, canonical_quantity(format(rounded.normalize(), "f"))
    if limits.get("max") is not None and amount > parse_quantity(limits["max"]):
        return None
    return text, amount
