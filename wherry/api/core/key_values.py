"""Rules that config maps and secrets share: what keys are like, how much fits, and immutability."""

from __future__ import annotations

from collections.abc import Iterable

from wherry.objects.errors import FieldError, forbidden_value, invalid_value
from wherry.objects.meta import Object
from wherry.objects.names import config_key_errors

SIZE_LIMIT_B = 1024 * 1024


def key_errors(path: str, key: str) -> list[FieldError]:
    """A key is usable as a file's name."""
    return [invalid_value(path, key, text) for text in config_key_errors(key)]


def locked_errors(new: Object, old: Object, maps: Iterable[str]) -> list[FieldError]:
    """Once `immutable` is set, neither it nor any of `maps` may change."""
    if not old.get("immutable"):
        return []
    errors: list[FieldError] = []
    if not new.get("immutable"):
        errors.append(forbidden_value("immutable", "field is immutable when `immutable` is set"))
    errors += [
        forbidden_value(name, "field is immutable when `immutable` is set")
        for name in maps
        if (new.get(name) or {}) != (old.get(name) or {})
    ]
    return errors
