"""LimitRange: bounds and defaults for the resources used in a namespace.

What is left out follows from what is given: a default from the maximum, a default request from the
default or the minimum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.api.resource import Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.objects.errors import FieldError, duplicate_value, forbidden_value, invalid_value
from wherry.objects.meta import Object
from wherry.objects.quantity import parse_quantity

_SCHEMA = "io.k8s.api.core.v1.LimitRange"

_ORDER = (
    ("min", "max"),
    ("min", "defaultRequest"),
    ("min", "default"),
    ("defaultRequest", "max"),
    ("defaultRequest", "default"),
    ("default", "max"),
)
_WORDS = {"min": "min", "max": "max", "default": "default", "defaultRequest": "default request"}


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
        if kind in seen:
            errors.append(duplicate_value(f"{path}.type", kind))
        seen.add(kind)
        if kind == "Pod":
            errors += [
                forbidden_value(f"{path}.{name}", "may not be specified when `type` is 'Pod'")
                for name in ("default", "defaultRequest")
                if item.get(name)
            ]
        errors += _order_errors(item, path)
    return errors


def _order_errors(item: Mapping[str, Any], path: str) -> list[FieldError]:
    """Minimum, default request, default and maximum go up, as far as they are given."""
    errors: list[FieldError] = []
    for low, high in _ORDER:
        upper = item.get(high) or {}
        for name, amount in (item.get(low) or {}).items():
            if name in upper and parse_quantity(amount) > parse_quantity(upper[name]):
                why = f"{_WORDS[low]} value {amount} is greater than {_WORDS[high]} value {upper[name]}"
                errors.append(invalid_value(f"{path}.{low}[{name}]", amount, why))
    return errors


LIMIT_RANGES = Resource(
    group="",
    version="v1",
    kind="LimitRange",
    plural="limitranges",
    namespaced=True,
    short_names=("limits",),
    strategy=SchemaStrategy(
        schema=_SCHEMA, namespaced=True, creates_on_update=True, defaults=_default, rules=_rules
    ),
    schema=_SCHEMA,
)
