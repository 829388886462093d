"""Validation of labels and of label selectors, as `metav1` lays them down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wherry.objects.errors import FieldError, forbidden_value, invalid_value, required
from wherry.objects.names import label_value_errors, qualified_name_errors


def validate_label_name(name: str, path: str) -> list[FieldError]:
    """The key of a label."""
    return [invalid_value(path, name, text) for text in qualified_name_errors(name)]


def validate_labels(labels: Mapping[str, str] | None, path: str) -> list[FieldError]:
    """Keys and values of labels; `path` names the whole map, as upstream does."""
    errors: list[FieldError] = []
    for key, value in (labels or {}).items():
        errors += validate_label_name(key, path)
        errors += [invalid_value(path, value, text) for text in label_value_errors(value or "")]
    return errors


@dataclass(frozen=True, slots=True)
class SelectorOptions:
    """How strict to be: old objects may hold selector values that no label can have."""

    allow_invalid_values: bool = False


STRICT = SelectorOptions()


def validate_label_selector(
    selector: Mapping[str, Any] | None, path: str, options: SelectorOptions = STRICT
) -> list[FieldError]:
    """A `metav1.LabelSelector`; an absent one is fine."""
    if not selector:
        return []
    errors = validate_labels(selector.get("matchLabels"), f"{path}.matchLabels")
    for index, requirement in enumerate(selector.get("matchExpressions") or ()):
        errors += _requirement_errors(requirement, f"{path}.matchExpressions[{index}]", options)
    return errors


def _requirement_errors(
    requirement: Mapping[str, Any], path: str, options: SelectorOptions
) -> list[FieldError]:
    operator = requirement.get("operator") or ""
    values = requirement.get("values") or []
    errors: list[FieldError] = []
    if operator in ("In", "NotIn"):
        if not values:
            errors.append(required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            errors.append(forbidden_value(f"{path}.values", why))
    else:
        errors.append(invalid_value(f"{path}.operator", operator, "not a valid selector operator"))
    errors += validate_label_name(requirement.get("key") or "", f"{path}.key")
    if not options.allow_invalid_values:
        for index, value in enumerate(values):
            errors += [invalid_value(f"{path}.values[{index}]", value, t) for t in label_value_errors(value)]
    return errors
