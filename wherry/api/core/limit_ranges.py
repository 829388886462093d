"""LimitRange: bounds and defaults for the resources used in a namespace.

What is left out follows from what is given: a default from the maximum, a default request from the
default or the minimum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.api.core.pod_spec.resources import is_standard, may_overcommit, resource_name_errors
from wherry.api.resource import Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import check_text
from wherry.objects.errors import FieldError, duplicate_value, forbidden_value, invalid_value, required
from wherry.objects.meta import Object
from wherry.objects.names import qualified_name_errors
from wherry.objects.quantity import parse_quantity

_SCHEMA = "io.k8s.api.core.v1.LimitRange"

TYPES = ("Pod", "Container", "PersistentVolumeClaim")
_AMOUNTS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
_ORDER = (
    ("min", "max", "min", "min value {} is greater than max value {}"),
    ("min", "defaultRequest", "defaultRequest", "min value {} is greater than default request value {}"),
    ("defaultRequest", "max", "defaultRequest", "default request value {} is greater than max value {}"),
    (
        "defaultRequest",
        "default",
        "defaultRequest",
        "default request value {} is greater than default limit value {}",
    ),
    ("min", "default", "default", "min value {} is greater than default value {}"),
    ("default", "max", "default", "default value {} is greater than max value {}"),
)
"""What may not be above what, the field that is named then, and the words."""
_SHOWN = ("min", "defaultRequest", "defaultRequest", "defaultRequest", "min", "max")
"""Whose value the error of the same place in `_ORDER` shows."""


def _default(obj: Object) -> None:
    for item in (obj.get("spec") or {}).get("limits") or ():
        if item.get("type") != "Container":
            continue
        default = {**(item.get("max") or {}), **(item.get("default") or {})}
        request = {**(item.get("min") or {}), **default, **(item.get("defaultRequest") or {})}
        for name, values in (("default", default), ("defaultRequest", request)):
            if values:
                item[name] = values


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, item in enumerate((new.get("spec") or {}).get("limits") or ()):
        path = f"spec.limits[{index}]"
        kind = item.get("type") or ""
        errors += _type_errors(kind, f"{path}.type")
        if kind in seen:
            errors.append(duplicate_value(f"{path}.type", kind))
        seen.add(kind)
        errors += _item_errors(item, kind, path)
    return errors


def _type_errors(kind: str, path: str) -> list[FieldError]:
    if wrong := check_text(path, kind, qualified_name_errors):
        return wrong
    if "/" in kind or kind in TYPES:
        return []
    return [invalid_value(path, kind, "must be a standard limit type or fully qualified")]


def _item_errors(item: Mapping[str, Any], kind: str, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    amounts: dict[str, Mapping[str, Any]] = {name: item.get(name) or {} for name in _AMOUNTS}
    if kind == "Pod":
        for name in ("default", "defaultRequest"):
            if amounts[name]:
                why = "may not be specified when `type` is 'Pod'"
                errors.append(forbidden_value(f"{path}.{name}", why))
            amounts[name] = {}
    for name, values in amounts.items():
        for resource in values:
            errors += _resource_errors(kind, resource, f"{path}.{name}[{resource}]")
    if kind == "PersistentVolumeClaim" and "storage" not in {*amounts["min"], *amounts["max"]}:
        why = "either minimum or maximum storage value is required, but neither was provided"
        errors.append(required(f"{path}.limits", why))
    for resource in sorted({resource for values in amounts.values() for resource in values}):
        given = {name: values[resource] for name, values in amounts.items() if resource in values}
        errors += _order_errors(given, resource, path)
        errors += _ratio_errors(given, f"{path}.maxLimitRequestRatio[{resource}]")
        errors += _match_errors(given, resource, path)
    return errors


def _resource_errors(kind: str, name: str, path: str) -> list[FieldError]:
    """A container's resources for pods and containers; anything known, storage too, for the rest."""
    if kind in ("Pod", "Container"):
        return [invalid_value(path, name, text) for text in resource_name_errors(name)]
    if wrong := check_text(path, name, qualified_name_errors):
        return wrong
    if "/" in name or is_standard(name):
        return []
    return [invalid_value(path, name, "must be a standard resource type or fully qualified")]


def _order_errors(given: Mapping[str, Any], resource: str, path: str) -> list[FieldError]:
    """Minimum, default request, default and maximum go up, as far as they are given."""
    errors: list[FieldError] = []
    for (low, high, named, words), shown in zip(_ORDER, _SHOWN, strict=True):
        if low not in given or high not in given:
            continue
        if parse_quantity(given[low]) > parse_quantity(given[high]):
            why = words.format(given[low], given[high])
            errors.append(invalid_value(f"{path}.{named}[{resource}]", given[shown], why))
    return errors


def _ratio_errors(given: Mapping[str, Any], path: str) -> list[FieldError]:
    ratio = given.get("maxLimitRequestRatio")
    if ratio is None:
        return []
    value, errors = parse_quantity(ratio), list[FieldError]()
    if value < 1:
        errors.append(invalid_value(path, ratio, f"ratio {ratio} is less than 1"))
    low, high = (parse_quantity(given.get(name, "0")) for name in ("min", "max"))
    if "min" in given and "max" in given and low > 0 and value > high / low:
        why = f"ratio {ratio} is greater than max/min = {high / low:.6f}"
        errors.append(invalid_value(path, ratio, why))
    return errors


def _match_errors(given: Mapping[str, Any], resource: str, path: str) -> list[FieldError]:
    """What cannot be promised twice is requested as it is limited."""
    limit, request = given.get("default"), given.get("defaultRequest")
    if may_overcommit(resource) or limit is None or request is None:
        return []
    if parse_quantity(limit) == parse_quantity(request):
        return []
    why = f"default value {limit} must equal to defaultRequest value {request} in {resource}"
    return [invalid_value(f"{path}.defaultRequest[{resource}]", request, why)]


LIMIT_RANGES = Resource(
    group="",
    version="v1",
    kind="LimitRange",
    plural="limitranges",
    namespaced=True,
    short_names=("limits",),
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        is_complete=True,
        namespaced=True,
        creates_on_update=True,
        defaults=_default,
        rules=_rules,
    ),
    schema=_SCHEMA,
)
