"""PriorityClass: a named priority of pods. What a name means never changes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of, bool_text
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import validate_immutable
from wherry.objects.errors import FieldError, forbidden_value, not_supported, required
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.scheduling.v1.PriorityClass"
GLOBAL_DEFAULT = "globalDefault"
HIGHEST_USER_PRIORITY = 1_000_000_000
_POLICIES = ("PreemptLowerPriority", "Never")
SYSTEM_PREFIX = "system-"
SYSTEM_PRIORITIES = {
    "system-node-critical": 2 * HIGHEST_USER_PRIORITY + 1000,
    "system-cluster-critical": 2 * HIGHEST_USER_PRIORITY,
}
"""The classes every cluster has."""


def _default(obj: Object) -> None:
    if obj.get("preemptionPolicy") is None:
        obj["preemptionPolicy"] = "PreemptLowerPriority"


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    name, value = name_of(new), new.get("value") or 0
    policy = new.get("preemptionPolicy")
    if old is not None:
        changed = value != (old.get("value") or 0)
        errors = [forbidden_value("value", "may not be changed in an update.")] if changed else []
        return errors + validate_immutable("preemptionPolicy", policy, old.get("preemptionPolicy"))
    errors = []
    if name.startswith(SYSTEM_PREFIX):
        if fault := _system_fault(name, value, bool(new.get("globalDefault"))):
            reserved = f"priority class names with '{SYSTEM_PREFIX}' prefix are reserved for system use only"
            errors.append(forbidden_value("metadata.name", f"{reserved}. error: {fault}"))
    elif value > HIGHEST_USER_PRIORITY:
        why = f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}"
        errors.append(forbidden_value("value", why))
    if not policy:
        errors.append(required("preemptionPolicy"))
    elif policy not in _POLICIES:
        errors.append(not_supported("preemptionPolicy", policy, _POLICIES))
    return errors


def _system_fault(name: str, value: int, is_global: bool) -> str:
    """Why it is not one of the classes every cluster has, "" if it is."""
    known = SYSTEM_PRIORITIES.get(name)
    if known is None:
        return f"{name} is not a known system priority class"
    if value != known:
        return f"value of {name} PriorityClass must be {known}"
    return f"globalDefault of {name} PriorityClass must be false" if is_global else ""


def _row(obj: Object, now: datetime) -> list[Any]:
    return [
        name_of(obj),
        obj.get("value") or 0,
        bool_text(bool(obj.get("globalDefault"))),
        age_of(obj, now),
        obj.get("preemptionPolicy") or "",
    ]


PRIORITY_CLASSES = Resource(
    group="scheduling.k8s.io",
    version="v1",
    kind="PriorityClass",
    plural="priorityclasses",
    namespaced=False,
    short_names=("pc",),
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        is_complete=True,
        namespaced=False,
        tracks_generation=True,
        creates_on_update=True,
        defaults=_default,
        rules=_rules,
        row=_row,
    ),
    columns=(
        NAME,
        Column("Value", "integer", description="The priority; higher wins."),
        Column("Global-Default", "boolean", description="Whether pods without a class get this one."),
        AGE,
        Column("PreemptionPolicy", description="Whether pods of the class may push out others."),
    ),
    also_read={GLOBAL_DEFAULT: lambda obj: "true" if obj.get("globalDefault") else ""},
    indexed=frozenset({GLOBAL_DEFAULT}),
    schema=_SCHEMA,
)
