"""ResourceQuota: how much of what a namespace may use. What it counts (its scopes) never changes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.core.quota_rules import quota_amount_errors, quota_spec_errors
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import IMMUTABLE
from wherry.objects.errors import FieldError, invalid_value
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.core.v1.ResourceQuota"


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = quota_spec_errors(spec)
    if old is None:
        return errors
    scopes, before = spec.get("scopes") or [], (old.get("spec") or {}).get("scopes") or []
    if set(scopes) != set(before):
        errors.append(invalid_value("spec.scopes", scopes, IMMUTABLE))
    return errors


def _status_rules(new: Object, _old: Object) -> list[FieldError]:
    status = new.get("status") or {}
    errors = quota_amount_errors(status.get("hard") or {}, "status.hard")
    return errors + quota_amount_errors(status.get("used") or {}, "status.used")


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
        is_complete=True,
        namespaced=True,
        has_status=True,
        rules=_rules,
        status_rules=_status_rules,
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
