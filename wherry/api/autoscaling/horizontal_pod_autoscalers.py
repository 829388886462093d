"""HorizontalPodAutoscaler: a number of replicas that follows metrics."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, NONE, age_of
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.objects.errors import FieldError, invalid_value, not_supported, required
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler"
_CPU_TARGET_PERCENT = 80
_UNKNOWN = "<unknown>"
_SHOWN_METRICS = 2
_PARTS = {
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
}

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
        target = {"type": "Utilization", "averageUtilization": _CPU_TARGET_PERCENT}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if behavior:
        up = {"stabilizationWindowSeconds": 0, "selectPolicy": "Max"}
        up_policies = [
            {"type": "Pods", "value": 4, "periodSeconds": 15},
            {"type": "Percent", "value": 100, "periodSeconds": 15},
        ]
        behavior["scaleUp"] = _rules_with(behavior.get("scaleUp"), up, up_policies)
        down_policies = [{"type": "Percent", "value": 100, "periodSeconds": 15}]
        behavior["scaleDown"] = _rules_with(behavior.get("scaleDown"), {"selectPolicy": "Max"}, down_policies)


def _rules_with(given: Object | None, rules: Object, policies: list[Object]) -> Object:
    found = {**rules, **(given or {})}
    if not found.get("policies"):
        found["policies"] = policies
    return found


def hpa_errors(new: Object, _old: Object | None) -> list[FieldError]:
    """What is wrong with a v2 object, apart from metadata and what its schema requires."""
    spec = new.get("spec") or {}
    errors: list[FieldError] = []
    least, most = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    metrics = spec.get("metrics") or ()
    scales_to_zero = any(metric.get("type") in ("Object", "External") for metric in metrics)
    floor = 0 if scales_to_zero else 1
    if least is not None and least < floor:
        errors.append(invalid_value("spec.minReplicas", least, f"must be greater than or equal to {floor}"))
    if most < 1:
        errors.append(invalid_value("spec.maxReplicas", most, "must be greater than 0"))
    if least is not None and most < least:
        why = "must be greater than or equal to `minReplicas`"
        errors.append(invalid_value("spec.maxReplicas", most, why))
    for index, metric in enumerate(metrics):
        errors += _metric_errors(metric, f"spec.metrics[{index}]")
    return errors


def _metric_errors(metric: Mapping[str, Any], path: str) -> list[FieldError]:
    kind = metric.get("type") or ""
    if not kind:
        return [required(f"{path}.type", "must specify a metric source type")]
    part = _PARTS.get(kind)
    if part is None:
        return [not_supported(f"{path}.type", kind, sorted(_PARTS))]
    body = metric.get(part)
    if body is None:
        return [required(f"{path}.{part}", "must populate information for the given metric source")]
    target = body.get("target") or {}
    values = [
        name for name in ("averageUtilization", "averageValue", "value") if target.get(name) is not None
    ]
    if not values:
        why = "must set either a target raw value or a target utilization"
        return [required(f"{path}.{part}.target.averageUtilization", why)]
    percent = target.get("averageUtilization")
    if percent is not None and percent < 1:
        return [invalid_value(f"{path}.{part}.target.averageUtilization", percent, "must be greater than 0")]
    return []


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
    part = _PARTS.get(kind)
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
        namespaced=True,
        has_status=True,
        defaults=default_hpa,
        rules=hpa_errors,
        row=hpa_row,
    ),
    columns=HPA_COLUMNS,
    schema=_SCHEMA,
)
