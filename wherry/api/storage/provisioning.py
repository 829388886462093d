"""What classes of volumes have in common: a driver, its parameters, and that neither ever changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wherry.objects.errors import FieldError, forbidden_value, invalid_value, required, too_long
from wherry.objects.names import qualified_name_errors

MAX_PARAMETERS = 512
PARAMETERS_LIMIT_B = 256 * 1024


def provisioner_errors(path: str, name: str | None) -> list[FieldError]:
    """Who makes the volumes: a qualified name, upper case being fine."""
    if not name:
        return [required(path)]
    return [invalid_value(path, name, text) for text in qualified_name_errors(name.lower())]


def parameter_errors(path: str, parameters: Mapping[str, str] | None) -> list[FieldError]:
    """What the driver is told: not too much of it."""
    given = parameters or {}
    if len(given) > MAX_PARAMETERS:
        return [too_long(path, MAX_PARAMETERS)]
    errors = [invalid_value(path, key, "field can not be empty.") for key in given if not key]
    if (
        sum(len(key.encode()) + len((value or "").encode()) for key, value in given.items())
        > PARAMETERS_LIMIT_B
    ):
        errors.append(too_long(path, PARAMETERS_LIMIT_B))
    return errors


def changed_errors(new: Mapping[str, Any], old: Mapping[str, Any], names: Iterable[str]) -> list[FieldError]:
    """None of the named fields may change."""
    return [
        forbidden_value(name, f"updates to {name} are forbidden.")
        for name in names
        if (new.get(name) or None) != (old.get(name) or None)
    ]
