"""PodDisruptionBudget: how many pods may be evicted at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.apps.rolling_update import validate_at_most_all, validate_int_or_percent
from wherry.api.columns import AGE, NAME, age_of
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import (
    PATH_SEGMENT,
    validate_all_non_negative,
    validate_conditions,
    validate_label_selector,
)
from wherry.objects.errors import FieldError, invalid_value, not_supported
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.policy.v1.PodDisruptionBudget"
_COUNTS = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
_EVICTION = ("AlwaysAllow", "IfHealthyBudget")


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    errors: list[FieldError] = []
    if least is not None and most is not None:
        why = "minAvailable and maxUnavailable cannot be both set"
        errors.append(invalid_value("spec", spec, why))
    for name, value in (("minAvailable", least), ("maxUnavailable", most)):
        if value is not None:
            validate_int_or_percent(value, f"spec.{name}", errors)
            validate_at_most_all(value, f"spec.{name}", errors)
    errors += validate_label_selector(spec.get("selector"), "spec.selector")
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in _EVICTION:
        errors.append(not_supported("spec.unhealthyPodEvictionPolicy", policy, _EVICTION))
    return errors


def _status_rules(new: Object, _old: Object) -> list[FieldError]:
    status = new.get("status") or {}
    errors = validate_conditions(status.get("conditions"), "status.conditions")
    return errors + validate_all_non_negative(status, _COUNTS, "status")


def _row(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    return [
        name_of(obj),
        "N/A" if least is None else str(least),
        "N/A" if most is None else str(most),
        status.get("disruptionsAllowed") or 0,
        age_of(obj, now),
    ]


POD_DISRUPTION_BUDGETS = Resource(
    group="policy",
    version="v1",
    kind="PodDisruptionBudget",
    plural="poddisruptionbudgets",
    namespaced=True,
    short_names=("pdb",),
    subresources=(Subresource("status"),),
    strategy=SchemaStrategy(
        unconditional_update=False,
        schema=_SCHEMA,
        is_complete=True,
        namespaced=True,
        name_rule=PATH_SEGMENT,
        has_status=True,
        tracks_generation=True,
        rules=_rules,
        status_rules=_status_rules,
        row=_row,
    ),
    columns=(
        NAME,
        Column("Min Available", description="The minimum number of pods that must be available."),
        Column("Max Unavailable", description="The maximum number of pods that may be unavailable."),
        Column("Allowed Disruptions", "integer", description="How many pods may be disrupted at this time."),
        AGE,
    ),
    schema=_SCHEMA,
)
