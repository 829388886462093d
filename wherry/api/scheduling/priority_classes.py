"""PriorityClass: a named priority of pods. What a name means never changes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of, bool_text
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import validate_immutable, validate_one_of
from wherry.objects.errors import FieldError, forbidden_value
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.scheduling.v1.PriorityClass"
HIGHEST_USER_PRIORITY = 1_000_000_000
SYSTEM_PREFIX = "system-"
SYSTEM_PRIORITIES = {
    "system-node-critical": 2 * HIGHEST_USER_PRIORITY + 1000,
    "system-cluster-critical": 2 * HIGHEST_USER_PRIORITY,
}
"""The classes every cluster has."""


def _default(obj: Object) -> None:
    if not obj.get("preemptionPolicy"):
        obj["preemptionPolicy"] = "PreemptLowerPriority"


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    name, value = name_of(new), new.get("value") or 0
    errors: list[FieldError] = []
    if name.startswith(SYSTEM_PREFIX):
        if SYSTEM_PRIORITIES.get(name) != value:
            why = (
                f"priority class names with '{SYSTEM_PREFIX}' prefix are reserved for system use only. error:"
            )
            known = "system class, value must be" if name in SYSTEM_PRIORITIES else "is not a known"
            detail = f"{why} {name} {known} {SYSTEM_PRIORITIES.get(name, 'system priority class')}"
            errors.append(forbidden_value("metadata.name", detail))
    elif value > HIGHEST_USER_PRIORITY:
        why = f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}"
        errors.append(forbidden_value("value", why))
    policy = new.get("preemptionPolicy")
    errors += validate_one_of("preemptionPolicy", policy, ("Never", "PreemptLowerPriority"))
    if old is not None:
        if value != (old.get("value") or 0):
            errors.append(forbidden_value("value", "may not be changed in an update."))
        errors += validate_immutable("preemptionPolicy", policy, old.get("preemptionPolicy"))
    return errors


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
    schema=_SCHEMA,
)
