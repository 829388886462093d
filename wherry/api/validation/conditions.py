"""Validation of `metav1.Condition`s: `validate_conditions`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from wherry.api.validation.labels import validate_label_name
from wherry.objects.errors import (
    FieldError,
    duplicate_value,
    invalid_value,
    not_supported,
    required,
    too_long,
)
from wherry.objects.names import pattern_text

REASON_LIMIT_B = 1024
MESSAGE_LIMIT_B = 32 * 1024
STATUSES = ("False", "True", "Unknown")
_REASON = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"
_REASON_WRONG = (
    "a condition reason must start with alphabetic character, optionally followed by a string of "
    "alphanumeric characters or '_,:', and must end with an alphanumeric character or '_'"
)
_REASON_EXAMPLES = ("my_name", "MY_NAME", "MyName", "ReasonA,ReasonB", "ReasonA:ReasonB")
_is_reason = re.compile(_REASON, re.ASCII).fullmatch


def validate_conditions(conditions: Sequence[Mapping[str, Any]] | None, path: str) -> list[FieldError]:
    """A list of conditions, of each type one."""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, condition in enumerate(conditions or ()):
        kind = condition.get("type") or ""
        if kind in seen:
            errors.append(duplicate_value(f"{path}[{index}].type", kind))
        seen.add(kind)
        errors += _condition_errors(condition, f"{path}[{index}]")
    return errors


def _condition_errors(condition: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = validate_label_name(condition.get("type") or "", f"{path}.type")
    if (status := condition.get("status") or "") not in STATUSES:
        errors.append(not_supported(f"{path}.status", status, STATUSES))
    if (generation := condition.get("observedGeneration") or 0) < 0:
        why = "must be greater than or equal to zero"
        errors.append(invalid_value(f"{path}.observedGeneration", generation, why))
    if not condition.get("lastTransitionTime"):
        errors.append(required(f"{path}.lastTransitionTime", "must be set"))
    reason = condition.get("reason") or ""
    if not reason:
        errors.append(required(f"{path}.reason", "must be set"))
    else:
        if _is_reason(reason) is None:
            why = pattern_text(_REASON_WRONG, _REASON, *_REASON_EXAMPLES)
            errors.append(invalid_value(f"{path}.reason", reason, why))
        if len(reason.encode()) > REASON_LIMIT_B:
            errors.append(too_long(f"{path}.reason", REASON_LIMIT_B))
    if len((condition.get("message") or "").encode()) > MESSAGE_LIMIT_B:
        errors.append(too_long(f"{path}.message", MESSAGE_LIMIT_B))
    return errors
