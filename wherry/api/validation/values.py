"""Rules for single values that many kinds share: immutable, not negative, one of a few.

Paths are written out (`spec.replicas`); bounds are in upstream's words.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from wherry.objects.errors import FieldError, invalid_value, not_supported, required
from wherry.objects.names import Check
from wherry.objects.quantity import parse_quantity

IMMUTABLE = "field is immutable"
NEGATIVE = "must be greater than or equal to 0"
NOT_POSITIVE = "must be greater than 0"


def check_text(path: str, value: str, check: Check) -> list[FieldError]:
    """Every complaint `check` has about `value`."""
    return [invalid_value(path, value, text) for text in check(value)]


def validate_immutable(path: str, new: Any, old: Any) -> list[FieldError]:
    """The value must be the stored one; absent and empty count as equal, as in upstream's types."""
    if new == old or (not new and not old):
        return []
    return [invalid_value(path, new, IMMUTABLE)]


def validate_non_negative(path: str, value: int | None) -> list[FieldError]:
    """The number, if given, is 0 or more."""
    return [invalid_value(path, value, NEGATIVE)] if value is not None and value < 0 else []


def validate_positive(path: str, value: int | None) -> list[FieldError]:
    """The number, if given, is 1 or more."""
    return [invalid_value(path, value, NOT_POSITIVE)] if value is not None and value <= 0 else []


def validate_one_of(path: str, value: str | None, supported: Collection[str]) -> list[FieldError]:
    """The text must be given, and be one of `supported` (which the error lists in order)."""
    if not value:
        return [required(path)]
    return [] if value in supported else [not_supported(path, value, sorted(supported))]


def validate_quantity(path: str, value: str | int | float) -> list[FieldError]:
    """The quantity reads as one and is not negative."""
    try:
        amount = parse_quantity(value)
    except ValueError as error:
        return [invalid_value(path, value, str(error))]
    return [invalid_value(path, value, NEGATIVE)] if amount < 0 else []
