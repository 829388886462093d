"""HorizontalPodAutoscaler: a number of replicas that follows metrics.

Rules: pkg/apis/autoscaling/v2, SetDefaults_HorizontalPodAutoscaler; pkg/apis/autoscaling/validation.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from wherry.api.autoscaling.behavior import behavior_errors, default_behavior
from wherry.api.autoscaling.conversion import CPU_TARGET_PERCENT
from wherry.api.autoscaling.metrics import (
    SOURCES,
    api_version_errors,
    described_errors,
    metric_errors,
    reference_errors,
)
from wherry.api.columns import AGE, NAME, NONE, age_of
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import validate_all_non_negative
from wherry.objects.errors import FieldError, forbidden_value, invalid_value
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler"
_UNKNOWN = "<unknown>"
_SHOWN_METRICS = 2
HPA_COLUMNS = (
    NAME,
    Column("Reference", description="What is scaled."),
    Column("Targets", description="What is measured, now and as wanted."),
    Column("MinPods", description="The least number of replicas."),
    Column("MaxPods", description="The greatest number of replicas."),
    Column("Replicas", description="The present number of replicas."),
    AGE,
)


def default_hpa(obj: Object) -> None:
    """Default a v2 object in place."""
    spec = obj.setdefault("spec", {})
    if spec.get("minReplicas") is None:
        spec["minReplicas"] = 1
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": CPU_TARGET_PERCENT}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    if (behavior := spec.get("behavior")) is not None:
        default_behavior(behavior)


def hpa_errors(new: Object, old: Object | None) -> list[FieldError]:
    """What is wrong with a v2 object, apart from metadata."""
    spec = new.get("spec") or {}
    errors: list[FieldError] = []
    least, most = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    metrics = spec.get("metrics") or ()
    scales_to_zero = any(metric.get("type") in ("Object", "External") for metric in metrics)
    if least is not None and least < 0:
        errors.append(invalid_value("spec.minReplicas", least, "must be greater than or equal to 0"))
    if most < 1:
        errors.append(invalid_value("spec.maxReplicas", most, "must be greater than 0"))
    if least is not None and most < least:
        why = "must be greater than or equal to `minReplicas`"
        errors.append(invalid_value("spec.maxReplicas", most, why))
    errors += reference_errors(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef")
    errors += metric_errors(metrics, "spec.metrics")
    errors += _version_errors(spec, (old or {}).get("spec"))
    if least == 0 and not scales_to_zero:
        why = "must specify at least one Object or External metric to support scaling to zero replicas"
        errors.append(forbidden_value("spec.metrics", why))
    return errors + behavior_errors(spec.get("behavior") or {}, "spec.behavior")


def _version_errors(spec: Mapping[str, Any], before: Mapping[str, Any] | None) -> list[FieldError]:
    """API versions of what is scaled and measured; those that were wrong before stay allowed."""
    target, was = spec.get("scaleTargetRef") or {}, (before or {}).get("scaleTargetRef") or {}
    errors: list[FieldError] = []
    if before is None or any(target.get(name) != was.get(name) for name in ("apiVersion", "kind")):
        needs_group = target.get("kind") != "ReplicationController"
        errors += api_version_errors(target, "spec.scaleTargetRef", needs_group=needs_group)
    if not described_errors((before or {}).get("metrics") or (), ""):
        errors += described_errors(spec.get("metrics") or (), "spec.metrics")
    return errors


def hpa_status_errors(new: Object, _old: Object) -> list[FieldError]:
    """What is wrong with a status, the same in both versions."""
    return validate_all_non_negative(
        new.get("status") or {}, ("currentReplicas", "desiredReplicas"), "status"
    )


def hpa_row(obj: Object, now: datetime) -> list[Any]:
    """The row of a v2 object."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    target = spec.get("scaleTargetRef") or {}
    least = spec.get("minReplicas")
    return [
        name_of(obj),
        f"{target.get('kind') or ''}/{target.get('name') or ''}",
        _metrics_text(spec.get("metrics") or (), status.get("currentMetrics") or ()),
        "<unset>" if least is None else str(least),
        spec.get("maxReplicas") or 0,
        status.get("currentReplicas") or 0,
        age_of(obj, now),
    ]


def _metrics_text(metrics: Any, current: Any) -> str:
    if not metrics:
        return NONE
    shown = [
        _metric_text(metric, current[index] if index < len(current) else {})
        for index, metric in enumerate(metrics)
    ]
    more = len(shown) - _SHOWN_METRICS
    text = ", ".join(shown[:_SHOWN_METRICS])
    return f"{text} + {more} more..." if more > 0 else text


def _metric_text(metric: Mapping[str, Any], current: Mapping[str, Any]) -> str:
    kind = metric.get("type") or ""
    part = SOURCES.get(kind)
    if part is None:
        return "<unknown type>"
    body = metric.get(part) or {}
    target, now = body.get("target") or {}, (current.get(part) or {}).get("current") or {}
    prefix = f"{body.get('name')}: " if kind in ("Resource", "ContainerResource") else ""
    percent = target.get("averageUtilization")
    if percent is not None:
        measured = now.get("averageUtilization")
        return f"{prefix}{_UNKNOWN if measured is None else f'{measured}%'}/{percent}%"
    if target.get("averageValue") is not None:
        suffix = "" if kind in ("Resource", "ContainerResource", "Pods") else " (avg)"
        return f"{prefix}{now.get('averageValue') or _UNKNOWN}/{target['averageValue']}{suffix}"
    return f"{prefix}{now.get('value') or _UNKNOWN}/{target.get('value')}"


HORIZONTAL_POD_AUTOSCALERS = Resource(
    group="autoscaling",
    version="v2",
    kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    namespaced=True,
    short_names=("hpa",),
    categories=("all",),
    subresources=(Subresource("status"),),
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        is_complete=True,
        namespaced=True,
        has_status=True,
        defaults=default_hpa,
        rules=hpa_errors,
        status_rules=hpa_status_errors,
        row=hpa_row,
    ),
    columns=HPA_COLUMNS,
    schema=_SCHEMA,
)
