"""FlowSchema: which requests belong to which priority level."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, NONE, age_of
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.objects.conditions import find_condition
from wherry.objects.errors import FieldError, invalid_value, required
from wherry.objects.meta import Object, name_of
from wherry.objects.names import range_text

_SCHEMA = "io.k8s.api.flowcontrol.v1.FlowSchema"
_LAST = 10000


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    if not spec.get("matchingPrecedence"):
        spec["matchingPrecedence"] = 1000


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors: list[FieldError] = []
    order = spec.get("matchingPrecedence") or 0
    if not 1 <= order <= _LAST:
        errors.append(invalid_value("spec.matchingPrecedence", order, range_text(1, _LAST)))
    for index, rule in enumerate(spec.get("rules") or ()):
        if not rule.get("subjects"):
            errors.append(
                required(f"spec.rules[{index}].subjects", "subjects must contain at least one value")
            )
        if not rule.get("resourceRules") and not rule.get("nonResourceRules"):
            why = "at least one of resourceRules and nonResourceRules has to be non-empty"
            errors.append(required(f"spec.rules[{index}]", why))
    return errors


def _row(obj: Object, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    dangling = find_condition((obj.get("status") or {}).get("conditions"), "Dangling")
    return [
        name_of(obj),
        (spec.get("priorityLevelConfiguration") or {}).get("name") or "",
        spec.get("matchingPrecedence") or 0,
        (spec.get("distinguisherMethod") or {}).get("type") or NONE,
        age_of(obj, now),
        (dangling or {}).get("status") or "?",
    ]


FLOW_SCHEMAS = Resource(
    group="flowcontrol.apiserver.k8s.io",
    version="v1",
    kind="FlowSchema",
    plural="flowschemas",
    namespaced=False,
    subresources=(Subresource("status"),),
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        namespaced=False,
        has_status=True,
        tracks_generation=True,
        defaults=_default,
        rules=_rules,
        row=_row,
    ),
    columns=(
        NAME,
        Column("PriorityLevel", description="The level the requests belong to."),
        Column("MatchingPrecedence", "integer", description="Lower numbers are asked first."),
        Column("DistinguisherMethod", description="How flows are told apart."),
        AGE,
        Column("MissingPL", description="Whether the level does not exist."),
    ),
    schema=_SCHEMA,
)
