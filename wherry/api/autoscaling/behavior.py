"""How fast an autoscaler may act: the rules for each direction, their defaults and bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.api.validation import validate_quantity
from wherry.objects.errors import FieldError, invalid_value, not_supported, required

SELECTIONS = ("Disabled", "Max", "Min")
POLICIES = ("Percent", "Pods")
MAX_WINDOW_S = 3600
MAX_PERIOD_S = 1800

Fields = Mapping[str, Any]


def default_behavior(behavior: dict[str, Any]) -> None:
    """Fill what a given behavior leaves out, in place; scaling up is quick, scaling down waits."""
    percent = {"type": "Percent", "value": 100, "periodSeconds": 15}
    pods = {"type": "Pods", "value": 4, "periodSeconds": 15}
    up = {"stabilizationWindowSeconds": 0, "selectPolicy": "Max"}
    behavior["scaleUp"] = _filled(behavior.get("scaleUp"), up, [pods, dict(percent)])
    behavior["scaleDown"] = _filled(behavior.get("scaleDown"), {"selectPolicy": "Max"}, [percent])


def _filled(given: Fields | None, rules: Fields, policies: list[dict[str, Any]]) -> dict[str, Any]:
    return {**rules, "policies": policies, **(given or {})}


def behavior_errors(behavior: Fields, path: str) -> list[FieldError]:
    """What is wrong with `spec.behavior`."""
    return [
        error
        for direction in ("scaleUp", "scaleDown")
        if (rules := behavior.get(direction)) is not None
        for error in _rules_errors(rules, f"{path}.{direction}")
    ]


def _rules_errors(rules: Fields, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    window, select = rules.get("stabilizationWindowSeconds"), rules.get("selectPolicy")
    at = f"{path}.stabilizationWindowSeconds"
    if window is not None and window < 0:
        errors.append(invalid_value(at, window, "must be greater than or equal to zero"))
    if window is not None and window > MAX_WINDOW_S:
        errors.append(invalid_value(at, window, f"must be less than or equal to {MAX_WINDOW_S}"))
    if select is not None and select not in SELECTIONS:
        errors.append(not_supported(f"{path}.selectPolicy", select, SELECTIONS))
    policies = rules.get("policies") or ()
    if not policies:
        errors.append(required(f"{path}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(policies):
        errors += _policy_errors(policy, f"{path}.policies[{index}]")
    if (tolerance := rules.get("tolerance")) is not None:
        errors += validate_quantity(f"{path}.tolerance", tolerance)
    return errors


def _policy_errors(policy: Fields, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if policy.get("type") not in POLICIES:
        errors.append(not_supported(f"{path}.type", policy.get("type") or "", POLICIES))
    for name in ("value", "periodSeconds"):
        number = policy.get(name) or 0
        if number <= 0:
            errors.append(invalid_value(f"{path}.{name}", number, "must be greater than zero"))
    period = policy.get("periodSeconds") or 0
    if period > MAX_PERIOD_S:
        why = f"must be less than or equal to {MAX_PERIOD_S}"
        errors.append(invalid_value(f"{path}.periodSeconds", period, why))
    return errors
