"""Capacities of devices, and in which portions they may be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from wherry.api.validation.collections import validate_set
from wherry.objects.errors import FieldError, forbidden_value, invalid_value, required
from wherry.objects.quantity import Quantity, canonical_quantity, is_multiple, parse_quantity

OPTIONS_LIMIT = 10
_BOTH = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time'
_MOST = (1 << 63) - 1
Fields = Mapping[str, Any]


def shared_capacity_errors(capacity: Fields, path: str) -> list[FieldError]:
    """The capacity of a device that may be allocated many times."""
    policy = capacity.get("requestPolicy")
    if policy is None:
        return []
    at = f"{path}.requestPolicy"
    values, limits = policy.get("validValues") or (), policy.get("validRange")
    if values and limits is not None:
        return [forbidden_value(at, _BOTH)]
    if not values and limits is None:
        return []
    default, most = policy.get("default"), capacity.get("value") or 0
    if default is None:
        return [
            required(f"{at}.default", f"required when {'validValues' if values else 'validRange'} is defined")
        ]
    if values:
        return _values_errors(default, most, values, f"{at}.validValues")
    return _range_errors(default, most, limits or {}, f"{at}.validRange")


def exclusive_capacity_errors(capacity: Fields, path: str) -> list[FieldError]:
    """The capacity of a device that is allocated as a whole."""
    if capacity.get("requestPolicy") is None:
        return []
    return [forbidden_value(f"{path}.requestPolicy", "allowMultipleAllocations must be true")]


def _told(path: str, value: Quantity, why: str) -> FieldError:
    return invalid_value(path, canonical_quantity(value), why)


def _values_errors(default: Quantity, most: Quantity, values: Any, path: str) -> list[FieldError]:
    errors = [
        _told(f"{path}[{index}]", values[index], "values must be sorted in ascending order")
        for index in range(1, len(values))
        if parse_quantity(values[index - 1]) > parse_quantity(values[index])
    ]

    def check(option: Quantity, at: str) -> list[FieldError]:
        if parse_quantity(option) <= parse_quantity(most):
            return []
        return [_told(at, option, f"option is larger than capacity value: {canonical_quantity(most)}")]

    errors += validate_set(
        values, path, check, lambda option: str(parse_quantity(option).normalize()), OPTIONS_LIMIT
    )
    if not any(parse_quantity(option) == parse_quantity(default) for option in values):
        errors.append(_told(path, default, "default value is not valid according to the requestPolicy"))
    return errors


def _range_errors(default: Quantity, most: Quantity, limits: Fields, path: str) -> list[FieldError]:
    low, high, step = limits.get("min"), limits.get("max"), limits.get("step")
    if low is None:
        return [required(f"{path}.min", "required when validRange is defined")]
    shown = canonical_quantity
    least, capacity, wanted = parse_quantity(low), parse_quantity(most), parse_quantity(default)
    errors: list[FieldError] = []
    if least > capacity:
        errors.append(_told(f"{path}.min", low, f"min is larger than capacity value: {shown(most)}"))
    if wanted < least:
        errors.append(_told(f"{path}.default", default, f"default is less than min: {shown(low)}"))
    if high is not None:
        if least > parse_quantity(high):
            errors.append(_told(f"{path}.max", low, f"min is larger than max: {shown(high)}"))
        if parse_quantity(high) > capacity:
            errors.append(_told(f"{path}.max", high, f"max is larger than capacity value: {shown(most)}"))
        if wanted > parse_quantity(high):
            errors.append(_told(f"{path}.default", default, f"default is more than max: {shown(high)}"))
    if step is not None:
        errors += _step_errors(default, limits, most, path)
    return errors


def _step_errors(default: Quantity, limits: Fields, most: Quantity, path: str) -> list[FieldError]:
    low, high, step = limits["min"], limits.get("max"), limits["step"]
    width, least = parse_quantity(step), parse_quantity(low)
    if width <= 0:
        return [_told(f"{path}.step", step, "must be greater than zero")]
    errors: list[FieldError] = []
    if least + width > parse_quantity(most):
        one = canonical_quantity(_text(least + width))
        why = f"one step {one} is larger than capacity value: {canonical_quantity(most)}"
        errors.append(_told(f"{path}.step", step, why))
    named = (("default", default), ("min", low), ("max", high), ("step", step))
    unsafe = [
        _told(f"{path}.{name}", value, f"must not be larger than {_MOST}")
        for name, value in named
        if value is not None and parse_quantity(value) > _MOST
    ]
    if unsafe:
        return errors + unsafe
    for value in (default, high):
        if value is not None and not is_multiple(parse_quantity(value) - least, width):
            ladder = f"({canonical_quantity(step)}) from ({canonical_quantity(low)})"
            why = f"value is not a multiple of a given step {ladder}"
            errors.append(_told(f"{path}.step", value, why))
    return errors


def _text(value: Decimal) -> str:
    return format(value.normalize(), "f")
