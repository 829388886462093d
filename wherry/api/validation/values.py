"""Rules for single values that many kinds share: immutable, not negative, one of a few.

Paths are written out (`spec.replicas`); bounds are in upstream's words.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from wherry.objects.errors import FieldError, forbidden_value, invalid_value, not_supported, required
from wherry.objects.names import Check, dns1123_subdomain_errors, pattern_text
from wherry.objects.quantity import parse_quantity

IMMUTABLE = "field is immutable"
NEGATIVE = "must be greater than or equal to 0"
NOT_POSITIVE = "must be greater than 0"
_HTTP_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
_is_http_path = re.compile(_HTTP_PATH, re.ASCII).fullmatch


def value_at(obj: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, None when anything on the way is absent."""
    here: Any = obj
    for step in path.split("."):
        here = here.get(step) if isinstance(here, Mapping) else None
    return here


def validate_off(new: Mapping[str, Any], old: Mapping[str, Any] | None, path: str) -> list[FieldError]:
    """A field of a feature that is off, at a dotted path: it may stay as it is stored, and else not be set.

    (`+k8s:ifDisabled(...)=+k8s:forbidden` in upstream's types.)
    """
    value = value_at(new, path)
    if value is None or (old is not None and value == value_at(old, path)):
        return []
    return [forbidden_value(path)]


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


def validate_all_non_negative(fields: Mapping[str, Any], names: Iterable[str], path: str) -> list[FieldError]:
    """Each of the named numbers, if given, is 0 or more; `path` is that of `fields`."""
    return [error for name in names for error in validate_non_negative(f"{path}.{name}", fields.get(name))]


def validate_not_decremented(
    new: Mapping[str, Any], old: Mapping[str, Any], name: str, path: str
) -> list[FieldError]:
    """The named count only grows, and does not go once it is there."""
    before, now = old.get(name), new.get(name)
    if before is None or (now is not None and now >= before):
        return []
    return [invalid_value(f"{path}.{name}", now or 0, "cannot be decremented")]


def validate_domain_prefixed_path(path: str, value: str) -> list[FieldError]:
    """A name below a domain, as `acme.io/foo`; it must be given."""
    if not value:
        return [required(path)]
    host, _, rest = value.partition("/")
    if not host or not rest:
        return [invalid_value(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    errors = check_text(path, host, dns1123_subdomain_errors)
    if not _is_http_path(rest):
        errors.append(invalid_value(path, rest, pattern_text("Invalid path", _HTTP_PATH)))
    return errors


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
