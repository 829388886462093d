"""Lease: who leads, and who is alive."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import check_text, validate_non_negative, validate_positive
from wherry.objects.errors import FieldError, forbidden_value, not_supported
from wherry.objects.meta import Object, name_of
from wherry.objects.names import qualified_name_errors

_SCHEMA = "io.k8s.api.coordination.v1.Lease"
_STRATEGIES = ("OldestEmulationVersion",)


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = validate_positive("spec.leaseDurationSeconds", spec.get("leaseDurationSeconds"))
    errors += validate_non_negative("spec.leaseTransitions", spec.get("leaseTransitions"))
    strategy = spec.get("strategy")
    if strategy is not None:
        errors += _strategy_errors(strategy)
    if spec.get("preferredHolder") and not strategy:
        why = "may only be specified if `strategy` is defined"
        errors.append(forbidden_value("spec.preferredHolder", why))
    return errors


def _strategy_errors(strategy: str) -> list[FieldError]:
    """A strategy of Kubernetes' own, or anybody's under a domain."""
    path = "spec.strategy.strategy"  # upstream names it so
    if "/" in strategy:
        return check_text(path, strategy, qualified_name_errors)
    return [] if strategy in _STRATEGIES else [not_supported(path, strategy, _STRATEGIES)]


def _row(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), (obj.get("spec") or {}).get("holderIdentity") or "", age_of(obj, now)]


LEASES = Resource(
    group="coordination.k8s.io",
    version="v1",
    kind="Lease",
    plural="leases",
    namespaced=True,
    strategy=SchemaStrategy(
        unconditional_update=False,
        schema=_SCHEMA,
        is_complete=True,
        namespaced=True,
        creates_on_update=True,
        rules=_rules,
        row=_row,
    ),
    columns=(NAME, Column("Holder", description="The identity of the holder of the lease."), AGE),
    schema=_SCHEMA,
)
