"""Rules on single values, each adding what is wrong to a list of field errors.

The validators of pods, services and controllers are built from these: a list is passed down and
added to, because a pod that is fine (nearly every one) must cost no lists at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from wherry.api.validation.values import NEGATIVE
from wherry.objects.errors import FieldError, forbidden_value, invalid_value, not_supported, required
from wherry.objects.names import (
    Check,
    port_name_errors,
    port_number_errors,
    qualified_name_errors,
    user_or_group_id_errors,
)

Errors: TypeAlias = list[FieldError]
Fields: TypeAlias = Mapping[str, Any]
"""Some struct of an API object, decoded."""

NOT_POSITIVE = "must be greater than zero"
NOT_INTEGER = "must be an integer"
FILE_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
MAX_INT32 = 2**31 - 1
PROTOCOLS = ("SCTP", "TCP", "UDP")


def check(rule: Check, value: str, path: str, errors: Errors) -> None:
    """Add everything `rule` has to say about the text."""
    errors.extend([invalid_value(path, value, text) for text in rule(value)])


def check_name(rule: Check, value: str | None, path: str, errors: Errors) -> None:
    """The text must be there and pass `rule`."""
    if not value:
        errors.append(required(path))
    else:
        check(rule, value, path, errors)


def check_present(fields: Fields, names: Iterable[str], path: str, errors: Errors) -> None:
    """Each of the named fields must have a value that is not empty."""
    errors.extend([required(f"{path}.{name}") for name in names if not fields.get(name)])


def check_choice(value: Any, supported: Iterable[str], path: str, errors: Errors) -> None:
    """The value must be one of a few (listed in the error in the order given)."""
    if value not in supported:
        errors.append(not_supported(path, value, supported))


def check_given_choice(value: Any, supported: Iterable[str], path: str, errors: Errors) -> None:
    """The value must be there, and one of a few."""
    if not value:
        errors.append(required(path))
    elif value not in supported:
        errors.append(not_supported(path, value, supported))


def check_nonnegative(fields: Fields, names: Iterable[str], path: str, errors: Errors) -> None:
    """None of the named numbers may be below zero."""
    for name in names:
        value = fields.get(name)
        if value is not None and value < 0:
            errors.append(invalid_value(f"{path}.{name}", value, NEGATIVE))


def check_mode(fields: Fields, name: str, path: str, errors: Errors) -> None:
    """The named number, if given, must be permission bits."""
    mode = fields.get(name)
    if mode is not None and not 0 <= mode <= 0o777:
        errors.append(invalid_value(f"{path}.{name}", mode, FILE_MODE))


def check_owner(fields: Fields, name: str, path: str, errors: Errors) -> None:
    """The named number, if given, must be a user's id."""
    user = fields.get(name)
    if user is not None:
        errors.extend([invalid_value(f"{path}.{name}", user, text) for text in user_or_group_id_errors(user)])


def check_port(value: int | str | None, path: str, errors: Errors) -> None:
    """A port's number, or the name of one."""
    if isinstance(value, str):
        errors.extend([invalid_value(path, value, text) for text in port_name_errors(value)])
    elif not 0 < (number := value or 0) < 65536:
        errors.extend([invalid_value(path, number, text) for text in port_number_errors(number)])


def check_label_key(value: str, path: str, errors: Errors) -> None:
    """A label's key."""
    check(qualified_name_errors, value, path, errors)


def check_no_backsteps(value: str, path: str, errors: Errors) -> None:
    """A path without `..`."""
    if ".." in value and ".." in value.split("/"):
        errors.append(invalid_value(path, value, "must not contain '..'"))


def check_descending_path(value: str, path: str, errors: Errors) -> None:
    """A path that stays below where it starts."""
    if value.startswith("/"):
        errors.append(invalid_value(path, value, "must be a relative path"))
    check_no_backsteps(value, path, errors)


def check_local_path(value: str, path: str, errors: Errors) -> None:
    """A path below where it starts, outside the names the atomic writer keeps for itself (`..data`)."""
    check_descending_path(value, path, errors)
    if value.startswith("..") and not value.startswith("../"):
        errors.append(invalid_value(path, value, "must not start with '..'"))


def check_unset(fields: Fields, names: Mapping[str, str], detail: str, errors: Errors) -> None:
    """None of the named fields may be set; `names` maps each to its path in errors."""
    errors.extend(
        [forbidden_value(path, detail) for name, path in names.items() if fields.get(name) is not None]
    )
