"""PodDisruptionBudget: how many pods may be evicted at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import validate_label_selector
from wherry.objects.errors import FieldError, invalid_value, not_supported
from wherry.objects.intstr import is_percent
from wherry.objects.meta import Object, name_of
from wherry.objects.names import is_percent as percent_faults

_SCHEMA = "io.k8s.api.policy.v1.PodDisruptionBudget"
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
            errors += count_or_percent_errors(f"spec.{name}", value)
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in _EVICTION:
        errors.append(not_supported("spec.unhealthyPodEvictionPolicy", policy, _EVICTION))
    return errors + validate_label_selector(spec.get("selector"), "spec.selector")


def count_or_percent_errors(path: str, value: int | str) -> list[FieldError]:
    """A number from 0, or a percentage up to 100."""
    if isinstance(value, str):
        if not is_percent(value) or value.startswith("-"):
            return [invalid_value(path, value, text) for text in percent_faults(value)]
        over = int(value[:-1]) > 100
        return [invalid_value(path, value, "must not be greater than 100%")] if over else []
    return [invalid_value(path, value, "must be greater than or equal to 0")] if value < 0 else []


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
        schema=_SCHEMA, namespaced=True, has_status=True, tracks_generation=True, rules=_rules, row=_row
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
