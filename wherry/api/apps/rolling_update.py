"""Rolling update parameters: how many pods more or fewer while pods are replaced.

Each of the three kinds that roll out has its own idea of what may be zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wherry.api.core.pod_spec.rules import Errors, Fields
from wherry.api.validation.values import NEGATIVE
from wherry.objects.errors import FieldError, invalid_value, not_supported, required
from wherry.objects.intstr import percent_of
from wherry.objects.names import percent_errors

IntOrPercent = int | str


def default_strategy(spec: dict[str, Any], value: IntOrPercent) -> None:
    """A Deployment's `strategy` where nothing was said: rolling, `value` pods fewer and more; in place."""
    strategy: dict[str, Any] | None = spec.get("strategy")
    if strategy is None:
        strategy = spec["strategy"] = {}
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        parameters: dict[str, Any] | None = strategy.get("rollingUpdate")
        if parameters is None:
            parameters = strategy["rollingUpdate"] = {}
        for name in ("maxUnavailable", "maxSurge"):
            if parameters.get(name) is None:
                parameters[name] = value


def validate_int_or_percent(value: IntOrPercent, path: str, errors: Errors) -> None:
    """A count that is not negative, or a percentage."""
    if isinstance(value, str):
        errors.extend([invalid_value(path, value, text) for text in percent_errors(value)])
    elif value < 0:
        errors.append(invalid_value(path, value, NEGATIVE))


def validate_at_most_all(value: IntOrPercent, path: str, errors: Errors) -> None:
    """A percentage may not be above 100."""
    if isinstance(value, str) and not percent_errors(value) and percent_of(value) > 100:
        errors.append(invalid_value(path, value, "must not be greater than 100%"))


def is_zero(value: IntOrPercent) -> bool:
    """Whether the value is none at all, of any number."""
    if isinstance(value, str):
        return percent_errors(value) != [] or percent_of(value) == 0
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


def validate_daemon_rolling_update(parameters: Fields, path: str, errors: Errors) -> None:
    """A DaemonSet's: either old pods go first or new ones come first, not both."""
    unavailable, surge = parameters.get("maxUnavailable", 0), parameters.get("maxSurge", 0)
    for value, name in ((unavailable, "maxUnavailable"), (surge, "maxSurge")):
        validate_int_or_percent(value, f"{path}.{name}", errors)
    for value, name in ((unavailable, "maxUnavailable"), (surge, "maxSurge")):
        validate_at_most_all(value, f"{path}.{name}", errors)
    if not is_zero(unavailable) and not is_zero(surge):
        errors.append(
            invalid_value(f"{path}.maxSurge", surge, "may not be set when maxUnavailable is non-zero")
        )
    if is_zero(unavailable) and is_zero(surge):
        errors.append(required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0"))


def validate_ordered_rolling_update(parameters: Fields, path: str, errors: Errors) -> None:
    """A StatefulSet's: from which ordinal on, and how many pods at once."""
    partition, unavailable = parameters.get("partition") or 0, parameters.get("maxUnavailable")
    if partition < 0:
        errors.append(invalid_value(f"{path}.partition", partition, NEGATIVE))
    if unavailable is not None:
        at = f"{path}.maxUnavailable"
        validate_int_or_percent(unavailable, at, errors)
        if is_zero(unavailable):
            errors.append(invalid_value(at, unavailable, "cannot be 0"))
        validate_at_most_all(unavailable, at, errors)


def unknown_strategy(strategy: Fields, path: str, supported: Sequence[str]) -> FieldError:
    """The strategy is none of those there are; shown whole, by the names its fields have inside upstream."""
    rolling = strategy.get("rollingUpdate")
    shown = {name[0].upper() + name[1:]: value for name, value in rolling.items()} if rolling else None
    return not_supported(path, {"Type": strategy.get("type") or "", "RollingUpdate": shown}, supported)
