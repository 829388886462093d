"""A container's own restart policy, and rules that look at exit codes."""

from __future__ import annotations

from wherry.api.core.pod_spec.rules import Errors, Fields, check_given_choice
from wherry.objects.errors import duplicate_value, not_supported, required, too_many

POLICIES = ("Always", "Never", "OnFailure")
ACTIONS = ("Restart", "RestartAllContainers")
MAX_RULES = 20
MAX_EXIT_CODES = 255


def validate_restarts(container: Fields, path: str, errors: Errors) -> None:
    """`restartPolicy` and `restartPolicyRules` of a regular or init container."""
    policy, rules = container.get("restartPolicy"), container.get("restartPolicyRules") or ()
    if policy is None and not rules:
        return
    if policy is None:
        errors.append(
            required(f"{path}.restartPolicy", "must specify restartPolicy when restart rules are used")
        )
    elif policy not in POLICIES:
        errors.append(not_supported(f"{path}.restartPolicy", policy, POLICIES))
    if len(rules) > MAX_RULES:
        errors.append(too_many(f"{path}.restartPolicyRules", len(rules), MAX_RULES))
    for index, rule in enumerate(rules):
        _validate_rule(rule, f"{path}.restartPolicyRules[{index}]", errors)


def _validate_rule(rule: Fields, path: str, errors: Errors) -> None:
    check_given_choice(rule.get("action"), ACTIONS, f"{path}.action", errors)
    codes = rule.get("exitCodes")
    if codes is None:
        errors.append(required(f"{path}.exitCodes", "must be specified"))
        return
    at = f"{path}.exitCodes"
    check_given_choice(codes.get("operator"), ("In", "NotIn"), f"{at}.operator", errors)
    values = codes.get("values") or ()
    if len(values) > MAX_EXIT_CODES:
        errors.append(too_many(f"{at}.values", len(values), MAX_EXIT_CODES))
    seen: set[int] = set()
    for index, value in enumerate(values):
        if value in seen:
            errors.append(duplicate_value(f"{at}.values[{index}]", value))
        seen.add(value)
