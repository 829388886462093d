"""The policies of a Job: which failures of pods end it or do not count, and which successes suffice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from wherry.api.batch.index_ranges import count_indexes, parse_ranges
from wherry.api.validation import check_text, validate_non_negative
from wherry.objects.errors import (
    FieldError,
    duplicate_value,
    invalid_state,
    invalid_value,
    not_supported,
    required,
    too_long,
    too_many,
)
from wherry.objects.names import qualified_name_errors
from wherry.objects.repeats import repeated

ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
OPERATORS = ("In", "NotIn")
STATUSES = ("False", "True", "Unknown")
MAX_RULES = 20
MAX_PATTERNS = 20
MAX_EXIT_CODES = 255
INDEXES_LIMIT_B = 64 * 1024

Fields = Mapping[str, Any]


def default_failure_policy(spec: Fields) -> None:
    """A pod condition that a rule names is meant to be true unless said otherwise."""
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            if not pattern.get("status"):
                pattern["status"] = "True"


def failure_policy_errors(spec: Fields, path: str) -> list[FieldError]:
    """What is wrong with `podFailurePolicy` of the JobSpec `spec`; `path` is the policy's."""
    rules = spec["podFailurePolicy"].get("rules") or ()
    errors = [too_many(f"{path}.rules", len(rules), MAX_RULES)] if len(rules) > MAX_RULES else []
    pod = (spec.get("template") or {}).get("spec") or {}
    names = {c.get("name") for field in ("containers", "initContainers") for c in pod.get(field) or ()}
    for index, rule in enumerate(rules):
        errors += _failure_rule_errors(spec, rule, names, f"{path}.rules[{index}]")
    return errors


def _failure_rule_errors(spec: Fields, rule: Fields, names: set[Any], path: str) -> list[FieldError]:
    errors = _choice_errors(rule.get("action"), ACTIONS, f"{path}.action")
    if rule.get("action") == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
        why = "requires the backoffLimitPerIndex to be set"
        errors.append(invalid_value(f"{path}.action", "FailIndex", why))
    codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions") or ()
    if codes is not None:
        errors += _exit_code_errors(codes, names, f"{path}.onExitCodes")
    errors += _condition_errors(conditions, f"{path}.onPodConditions")
    if codes is not None and conditions:
        why = "specifying both OnExitCodes and OnPodConditions is not supported"
        errors.append(invalid_state(path, why))
    if codes is None and not conditions:
        errors.append(invalid_state(path, "specifying one of OnExitCodes and OnPodConditions is required"))
    return errors


def _choice_errors(value: str | None, choices: Sequence[str], path: str) -> list[FieldError]:
    if not value:
        listed = " ".join(f'"{choice}"' for choice in choices)
        return [required(path, f"valid values: [{listed}]")]
    return [] if value in choices else [not_supported(path, value, choices)]


def _condition_errors(patterns: Sequence[Fields], path: str) -> list[FieldError]:
    errors = [too_many(path, len(patterns), MAX_PATTERNS)] if len(patterns) > MAX_PATTERNS else []
    for index, pattern in enumerate(patterns):
        at = f"{path}[{index}]"
        errors += check_text(f"{at}.type", pattern.get("type") or "", qualified_name_errors)
        errors += _choice_errors(pattern.get("status"), STATUSES, f"{at}.status")
    return errors


def _exit_code_errors(codes: Fields, names: set[Any], path: str) -> list[FieldError]:
    operator, values = codes.get("operator"), list(codes.get("values") or ())
    errors = _choice_errors(operator, OPERATORS, f"{path}.operator")
    container, at = codes.get("containerName"), f"{path}.values"
    if container is not None and container not in names:
        why = "must be one of the container or initContainer names in the pod template"
        errors.append(invalid_value(f"{path}.containerName", container, why))
    if not values:
        errors.append(invalid_value(at, values, "at least one value is required"))
    elif len(values) > MAX_EXIT_CODES:
        errors.append(too_many(at, len(values), MAX_EXIT_CODES))
    twice = dict(repeated(values))
    for index, value in enumerate(values):
        if operator == "In" and value == 0:
            errors.append(invalid_value(f"{at}[{index}]", value, "must not be 0 for the In operator"))
        if index in twice:
            errors.append(duplicate_value(f"{at}[{index}]", value))
    if any(left > right for left, right in pairwise(values)):
        errors.append(invalid_value(at, values, "must be ordered"))
    return errors


def success_policy_errors(spec: Fields, path: str) -> list[FieldError]:
    """What is wrong with `successPolicy` of an indexed JobSpec `spec`; `path` is the policy's."""
    rules, at = spec["successPolicy"].get("rules") or (), f"{path}.rules"
    errors: list[FieldError] = []
    if not rules:
        why = "at least one rules must be specified when the successPolicy is specified"
        errors.append(required(at, why))
    if len(rules) > MAX_RULES:
        errors.append(too_many(at, len(rules), MAX_RULES))
    completions = spec.get("completions") or 0
    for index, rule in enumerate(rules):
        errors += _success_rule_errors(rule, completions, f"{at}[{index}]")
    return errors


def _success_rule_errors(rule: Fields, completions: int, path: str) -> list[FieldError]:
    count, indexes = rule.get("succeededCount"), rule.get("succeededIndexes")
    errors: list[FieldError] = []
    if count is None and indexes is None:
        why = "at least one of succeededCount or succeededIndexes must be specified"
        errors.append(required(path, why))
    total = 0
    if indexes is not None:
        at = f"{path}.succeededIndexes"
        if len(indexes) > INDEXES_LIMIT_B:
            errors.append(too_long(at, INDEXES_LIMIT_B))
        try:
            total = count_indexes(parse_ranges(indexes, completions))
        except ValueError as error:
            errors.append(invalid_value(at, indexes, f"error parsing succeededIndexes: {error}"))
    if count is not None:
        at = f"{path}.succeededCount"
        errors += validate_non_negative(at, count)
        most = f"must be less than or equal to {completions} (the number of specified completions)"
        if count > completions:
            errors.append(invalid_value(at, count, most))
        if indexes is not None and count > total:
            why = (
                f"must be less than or equal to {total} "
                "(the number of indexes in the specified succeededIndexes field)"
            )
            errors.append(invalid_value(at, count, why))
    return errors
