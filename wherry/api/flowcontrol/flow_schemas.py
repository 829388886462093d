"""FlowSchema: which requests belong to which priority level."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, NONE, age_of
from wherry.api.flowcontrol.matching import GROUP, rule_errors
from wherry.api.flowcontrol.parts import CATCH_ALL, EXEMPT, fixed_errors, status_errors
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import check_text
from wherry.objects.conditions import find_condition
from wherry.objects.errors import FieldError, invalid_value, not_supported, required
from wherry.objects.meta import Object, name_of
from wherry.objects.names import dns1123_subdomain_errors

_SCHEMA = "io.k8s.api.flowcontrol.v1.FlowSchema"
_LAST = 10000
_METHODS = ("ByNamespace", "ByUser")


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    if not spec.get("matchingPrecedence"):
        spec["matchingPrecedence"] = 1000


def _fixed(level: str, order: int, groups: tuple[str, ...], method: str = "") -> Object:
    """The spec of a schema every cluster must have: all requests of some groups."""
    everything = ["*"]
    spec: Object = {
        "priorityLevelConfiguration": {"name": level},
        "matchingPrecedence": order,
        "rules": [
            {
                "subjects": [{"kind": GROUP, "group": {"name": group}} for group in groups],
                "resourceRules": [
                    {
                        "verbs": everything,
                        "apiGroups": everything,
                        "resources": everything,
                        "clusterScope": True,
                        "namespaces": everything,
                    }
                ],
                "nonResourceRules": [{"verbs": everything, "nonResourceURLs": everything}],
            }
        ],
    }
    if method:
        spec["distinguisherMethod"] = {"type": method}
    return spec


FIXED = {
    EXEMPT: _fixed(EXEMPT, 1, ("system:masters",)),
    CATCH_ALL: _fixed(CATCH_ALL, _LAST, ("system:unauthenticated", "system:authenticated"), "ByUser"),
}
"""The schemas every cluster must have, as they must be."""


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = _order_errors(spec.get("matchingPrecedence") or 0, name_of(new))
    method = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in _METHODS:
        errors.append(not_supported("spec.distinguisherMethod.type", method, _METHODS))
    level = (spec.get("priorityLevelConfiguration") or {}).get("name")
    path = "spec.priorityLevelConfiguration.name"
    if level:
        errors += check_text(path, level, dns1123_subdomain_errors)
    else:
        errors.append(required(path, "must reference a priority level"))
    for index, rule in enumerate(spec.get("rules") or ()):
        errors += rule_errors(rule, f"spec.rules[{index}]")
    return errors + fixed_errors(new, spec, FIXED)


def _order_errors(order: int, name: str) -> list[FieldError]:
    path = "spec.matchingPrecedence"
    if order <= 0:
        return [invalid_value(path, order, "must be a positive value")]
    if order > _LAST:
        return [invalid_value(path, order, f"must not be greater than {_LAST}")]
    if order == 1 and name != EXEMPT:
        return [invalid_value(path, order, "only the schema named 'exempt' may have matchingPrecedence 1")]
    return []


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
        status_resets=("spec", "metadata"),
        tracks_generation=True,
        is_complete=True,
        defaults=_default,
        rules=_rules,
        status_rules=status_errors,
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
