"""Lease: who leads, and who is alive."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import validate_non_negative, validate_positive
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.coordination.v1.Lease"


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = validate_positive("spec.leaseDurationSeconds", spec.get("leaseDurationSeconds"))
    return errors + validate_non_negative("spec.leaseTransitions", spec.get("leaseTransitions"))


def _row(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), (obj.get("spec") or {}).get("holderIdentity") or "", age_of(obj, now)]


LEASES = Resource(
    group="coordination.k8s.io",
    version="v1",
    kind="Lease",
    plural="leases",
    namespaced=True,
    strategy=SchemaStrategy(schema=_SCHEMA, namespaced=True, creates_on_update=True, rules=_rules, row=_row),
    columns=(NAME, Column("Holder", description="The identity of the holder of the lease."), AGE),
    schema=_SCHEMA,
)
