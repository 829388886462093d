"""What a ResourceQuota may limit, and to which pods (its scopes) it may apply."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wherry.api.core.pod_spec.resources import (
    CONTAINER_RESOURCES,
    COUNTED_RESOURCES,
    HUGE_PAGES,
    is_standard,
    quantity_errors,
)
from wherry.objects.errors import FieldError, invalid_value, required
from wherry.objects.names import qualified_name_errors

SCOPES = (
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
)
_COMPUTE = frozenset(
    ("pods", "cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory")
)
_APPLY: dict[str, frozenset[str]] = {
    **dict.fromkeys(SCOPES, _COMPUTE),
    "BestEffort": frozenset({"pods"}),
    "VolumeAttributesClass": frozenset({"persistentvolumeclaims", "requests.storage"}),
}
_EXISTS_ONLY = frozenset(
    ("BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity")
)
_CONFLICTS = (frozenset({"BestEffort", "NotBestEffort"}), frozenset({"Terminating", "NotTerminating"}))
_STANDARD = (
    CONTAINER_RESOURCES
    | COUNTED_RESOURCES
    | {"requests.storage"}
    | {f"{kind}.{name}" for kind in ("requests", "limits") for name in CONTAINER_RESOURCES}
)
_EXISTS_WRONG = (
    "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or "
    "ResourceQuotaScopeCrossNamespacePodAffinity"
)

Fields = Mapping[str, Any]


def quota_spec_errors(spec: Fields) -> list[FieldError]:
    """What is wrong with the spec of a quota."""
    hard = spec.get("hard") or {}
    errors = quota_amount_errors(hard, "spec.hard")
    scopes = spec.get("scopes") or ()
    errors += _scope_errors(scopes, hard)
    selector = spec.get("scopeSelector")
    return errors + _selector_errors(selector, hard, scopes) if selector is not None else errors


def quota_amount_errors(amounts: Fields, path: str) -> list[FieldError]:
    """Resources and amounts of them, of the spec or the status."""
    errors: list[FieldError] = []
    for name, amount in sorted(amounts.items()):
        at = f"{path}[{name}]"
        errors += [invalid_value(at, name, text) for text in _name_faults(name)]
        errors += [invalid_value(at, amount, text) for text in quantity_errors(name, amount)]
    return errors


def _name_faults(name: str) -> list[str]:
    if wrong := qualified_name_errors(name):
        return wrong
    if "/" in name:
        return []
    faults = [] if is_standard(name) else ["must be a standard resource type or fully qualified"]
    return faults if _is_for_quota(name) else [*faults, "must be a standard resource for quota"]


def _is_for_quota(name: str) -> bool:
    return name in _STANDARD or name.startswith((HUGE_PAGES, f"requests.{HUGE_PAGES}"))


def _does_not_apply(scope: str, hard: Iterable[str]) -> list[str]:
    """The limited resources that a scope says nothing about."""
    applies = _APPLY.get(scope)
    return [
        name for name in sorted(hard) if applies is not None and _is_for_quota(name) and name not in applies
    ]


def _scope_errors(scopes: Sequence[str], hard: Fields) -> list[FieldError]:
    path, shown = "spec.scopes", list(scopes)
    errors: list[FieldError] = []
    for scope in scopes:
        if scope not in SCOPES:
            errors.append(invalid_value(path, shown, "unsupported scope"))
        why = "unsupported scope applied to resource"
        errors += [invalid_value(path, shown, why) for _ in _does_not_apply(scope, hard)]
    errors += [invalid_value(path, shown, "conflicting scopes") for pair in _CONFLICTS if pair <= set(scopes)]
    return errors


def _selector_errors(selector: Fields, hard: Fields, scopes: Sequence[str]) -> list[FieldError]:
    path = "spec.scopeSelector.matchExpressions"
    expressions = selector.get("matchExpressions") or ()
    errors: list[FieldError] = []
    for expression in expressions:
        scope = expression.get("scopeName") or ""
        if scope not in SCOPES:
            errors.append(invalid_value(f"{path}.scopeName", scope, "unsupported scope"))
        why = "unsupported scope applied to resource"
        errors += [invalid_value(path, dict(selector), why) for _ in _does_not_apply(scope, hard)]
        errors += _operator_errors(expression, scope, path)
    named = {expression.get("scopeName") for expression in expressions}
    errors += [
        invalid_value(path, list(scopes) or None, "conflicting scopes")
        for pair in _CONFLICTS
        if pair <= named
    ]
    return errors


def _operator_errors(expression: Fields, scope: str, path: str) -> list[FieldError]:
    operator, values = expression.get("operator") or "", expression.get("values") or []
    errors: list[FieldError] = []
    if scope in _EXISTS_ONLY and operator != "Exists":
        errors.append(invalid_value(f"{path}.operator", operator, _EXISTS_WRONG))
    if operator in ("In", "NotIn"):
        if not values:
            why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            errors.append(required(f"{path}.values", why))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            errors.append(invalid_value(f"{path}.values", values, why))
    else:
        errors.append(invalid_value(f"{path}.operator", operator, "not a valid selector operator"))
    return errors
