"""The two versions of a HorizontalPodAutoscaler, made of one another without loss.

v1 knows one target, CPU utilization. Everything else v2 says travels in annotations of the v1 object,
under upstream's keys, and comes back from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from wherry.objects.meta import Object

METRICS = "autoscaling.alpha.kubernetes.io/metrics"
CURRENT_METRICS = "autoscaling.alpha.kubernetes.io/current-metrics"
CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
_CARRIED = (METRICS, CURRENT_METRICS, CONDITIONS, BEHAVIOR)

Items = Sequence[Mapping[str, Any]]


def _is_cpu(metric: Mapping[str, Any], part: str) -> bool:
    resource = metric.get("resource") or {}
    if metric.get("type") != "Resource" or resource.get("name") != "cpu":
        return False
    return (resource.get(part) or {}).get("averageUtilization") is not None


def to_v1(hpa: Object) -> Object:
    """The v1 form of a v2 object."""
    spec, status = dict(hpa.get("spec") or {}), dict(hpa.get("status") or {})
    annotations = dict((hpa.get("metadata") or {}).get("annotations") or {})
    rest, cpu = _take_cpu(spec.pop("metrics", None) or (), "target")
    if cpu is not None:
        spec["targetCPUUtilizationPercentage"] = cpu
    _carry(annotations, METRICS, rest)
    _carry(annotations, BEHAVIOR, spec.pop("behavior", None))
    current, cpu = _take_cpu(status.pop("currentMetrics", None) or (), "current")
    if cpu is not None:
        status["currentCPUUtilizationPercentage"] = cpu
    _carry(annotations, CURRENT_METRICS, current)
    _carry(annotations, CONDITIONS, status.pop("conditions", None))
    return _remade(hpa, "autoscaling/v1", annotations, spec, status)


def to_v2(hpa: Object) -> Object:
    """The v2 form of a v1 object."""
    spec, status = dict(hpa.get("spec") or {}), dict(hpa.get("status") or {})
    annotations = dict((hpa.get("metadata") or {}).get("annotations") or {})
    carried = {key: _read(annotations.pop(key, None)) for key in _CARRIED}
    metrics = list(carried[METRICS] or ())
    percent = spec.pop("targetCPUUtilizationPercentage", None)
    if percent is not None:
        target = {"type": "Utilization", "averageUtilization": percent}
        metrics.insert(0, {"type": "Resource", "resource": {"name": "cpu", "target": target}})
    current = list(carried[CURRENT_METRICS] or ())
    percent = status.pop("currentCPUUtilizationPercentage", None)
    if percent is not None:
        resource = {"name": "cpu", "current": {"averageUtilization": percent}}
        current.insert(0, {"type": "Resource", "resource": resource})
    for part, name, value in (
        (spec, "metrics", metrics),
        (spec, "behavior", carried[BEHAVIOR]),
        (status, "currentMetrics", current),
        (status, "conditions", carried[CONDITIONS]),
    ):
        if value:
            part[name] = value
    return _remade(hpa, "autoscaling/v2", annotations, spec, status)


def _take_cpu(metrics: Items, part: str) -> tuple[list[Mapping[str, Any]], int | None]:
    """All metrics but the first about CPU utilization, and that one's percentage."""
    for index, metric in enumerate(metrics):
        resource = metric.get("resource") or {}
        alone = set(resource.get(part) or ()) <= {"type", "averageUtilization"}
        if alone and _is_cpu(metric, part):
            percent: int = resource[part]["averageUtilization"]
            return [*metrics[:index], *metrics[index + 1 :]], percent
    return list(metrics), None


def _carry(annotations: dict[str, str], key: str, value: Any) -> None:
    annotations.pop(key, None)
    if value:
        annotations[key] = orjson.dumps(value).decode()


def _read(text: str | None) -> Any:
    """What an annotation carries; None for one that somebody broke."""
    if not text:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _remade(
    hpa: Object, api_version: str, annotations: dict[str, str], spec: Object, status: Object
) -> Object:
    meta = {name: value for name, value in (hpa.get("metadata") or {}).items() if name != "annotations"}
    if annotations:
        meta["annotations"] = annotations
    made = {**hpa, "apiVersion": api_version, "metadata": meta, "spec": spec}
    if status or "status" in hpa:
        made["status"] = status
    return made
