"""Rolling update parameters: how many pods more or fewer while pods are replaced."""

from __future__ import annotations

from wherry.api.core.pod_spec.rules import Errors, Fields
from wherry.api.validation.values import NEGATIVE
from wherry.objects.errors import invalid_value, required
from wherry.objects.names import is_percent

IntOrPercent = int | str


def validate_int_or_percent(value: IntOrPercent, path: str, errors: Errors) -> None:
    """A count that is not negative, or a percentage."""
    if isinstance(value, str):
        errors.extend([invalid_value(path, value, text) for text in is_percent(value)])
    elif value < 0:
        errors.append(invalid_value(path, value, NEGATIVE))


def validate_at_most_all(value: IntOrPercent, path: str, errors: Errors) -> None:
    """A percentage may not be above 100."""
    if isinstance(value, str) and not is_percent(value) and int(value[:-1]) > 100:
        errors.append(invalid_value(path, value, "must not be greater than 100%"))


def is_zero(value: IntOrPercent) -> bool:
    """Whether the value is none at all, of any number."""
    if isinstance(value, str):
        return is_percent(value) != [] or int(value[:-1]) == 0
    return value == 0


def validate_rolling_update(parameters: Fields | None, path: str, errors: Errors) -> None:
    """A Deployment's `rollingUpdate`, which defaulting has completed."""
    if parameters is None:
        errors.append(required(path, "this should be defaulted and never be nil"))
        return
    unavailable, surge = parameters.get("maxUnavailable", 0), parameters.get("maxSurge", 0)
    at = f"{path}.maxUnavailable"
    validate_int_or_percent(unavailable, at, errors)
    validate_int_or_percent(surge, f"{path}.maxSurge", errors)
    if is_zero(unavailable) and is_zero(surge):
        errors.append(invalid_value(at, unavailable, "may not be 0 when `maxSurge` is 0"))
    validate_at_most_all(unavailable, at, errors)
