"""PriorityLevelConfiguration: the share of the API server a group of requests gets."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, NONE, age_of
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import validate_one_of
from wherry.objects.errors import FieldError, forbidden_value, required
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration"
_QUEUING = {"queues": 64, "handSize": 8, "queueLengthLimit": 50}


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    if (exempt := spec.get("exempt")) is not None:
        for name in ("nominalConcurrencyShares", "lendablePercent"):
            if exempt.get(name) is None:
                exempt[name] = 0
    limited = spec.get("limited")
    if limited is None:
        return
    for name, value in (("nominalConcurrencyShares", 30), ("lendablePercent", 0)):
        if limited.get(name) is None:
            limited[name] = value
    queuing = (limited.get("limitResponse") or {}).get("queuing")
    if queuing is not None:
        for name, value in _QUEUING.items():
            if not queuing.get(name):
                queuing[name] = value


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    kind = spec.get("type")
    errors = validate_one_of("spec.type", kind, ("Exempt", "Limited"))
    if kind == "Limited" and spec.get("limited") is None:
        errors.append(required("spec.limited", "must not be empty when type is Limited"))
    if kind == "Exempt" and spec.get("limited") is not None:
        why = "must be nil if the type is not Limited"
        errors.append(forbidden_value("spec.limited", why))
    return errors


def _row(obj: Object, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    limited = spec.get("limited")
    shares = (limited or spec.get("exempt") or {}).get("nominalConcurrencyShares")
    queuing = ((limited or {}).get("limitResponse") or {}).get("queuing") or {}
    return [
        name_of(obj),
        spec.get("type") or "",
        NONE if shares is None else shares,
        *(queuing.get(name) or NONE for name in _QUEUING),
        age_of(obj, now),
    ]


PRIORITY_LEVEL_CONFIGURATIONS = Resource(
    group="flowcontrol.apiserver.k8s.io",
    version="v1",
    kind="PriorityLevelConfiguration",
    plural="prioritylevelconfigurations",
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
        Column("Type", description="Whether requests are limited."),
        Column("NominalConcurrencyShares", description="The level's share of all seats."),
        Column("Queues", description="How many queues there are."),
        Column("HandSize", description="How many queues a flow may use."),
        Column("QueueLengthLimit", description="How many requests wait in a queue at most."),
        AGE,
    ),
    schema=_SCHEMA,
)
