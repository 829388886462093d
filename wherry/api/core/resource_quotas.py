"""ResourceQuota: how much of what a namespace may use. What it counts (its scopes) never changes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import check_text, validate_quantity
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object, name_of
from wherry.objects.names import is_qualified_name

_SCHEMA = "io.k8s.api.core.v1.ResourceQuota"


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    errors: list[FieldError] = []
    for name, amount in ((new.get("spec") or {}).get("hard") or {}).items():
        path = f"spec.hard[{name}]"
        errors += check_text(path, name, is_qualified_name)
        errors += validate_quantity(path, amount)
    return errors


def _row(obj: Object, now: datetime) -> list[Any]:
    status = obj.get("status") or {}
    used = status.get("used") or {}
    texts: dict[bool, list[str]] = {True: [], False: []}
    for name, hard in sorted((status.get("hard") or {}).items()):
        texts[name.startswith("limits")].append(f"{name}: {used.get(name, '0')}/{hard}")
    return [name_of(obj), ", ".join(texts[False]), ", ".join(texts[True]), age_of(obj, now)]


RESOURCE_QUOTAS = Resource(
    group="",
    version="v1",
    kind="ResourceQuota",
    plural="resourcequotas",
    namespaced=True,
    short_names=("quota",),
    subresources=(Subresource("status"),),
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        namespaced=True,
        has_status=True,
        immutable=("spec.scopes", "spec.scopeSelector"),
        rules=_rules,
        row=_row,
    ),
    columns=(
        NAME,
        Column("Request", description="What is used of what may be requested."),
        Column("Limit", description="What is used of what limits may add up to."),
        AGE,
    ),
    schema=_SCHEMA,
)
