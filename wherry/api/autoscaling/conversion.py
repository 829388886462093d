"""The two versions of a HorizontalPodAutoscaler, made of one another.

v1 knows one target, CPU utilization. Everything else v2 says travels in annotations of the v1 object,
under upstream's keys and in upstream's form, and comes back from there.
Source: pkg/apis/autoscaling/v1, conversion.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from wherry.api.autoscaling.metrics_v1 import metric_from_v1, metric_to_v1, status_from_v1, status_to_v1
from wherry.objects.meta import Object

METRICS = "autoscaling.alpha.kubernetes.io/metrics"
CURRENT_METRICS = "autoscaling.alpha.kubernetes.io/current-metrics"
CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
CPU_TARGET_PERCENT = 80
"""What an autoscaler aims at that names no metric at all."""
_CARRIED = (METRICS, CURRENT_METRICS, CONDITIONS, BEHAVIOR)
_RULES = ("stabilizationWindowSeconds", "selectPolicy", "policies", "tolerance")

Fields = Mapping[str, Any]


def to_v1(hpa: Object) -> Object:
    """The v1 form of a v2 object."""
    spec, status = dict(hpa.get("spec") or {}), dict(hpa.get("status") or {})
    annotations = dict((hpa.get("metadata") or {}).get("annotations") or {})
    metrics, current = spec.pop("metrics", None) or (), status.pop("currentMetrics", None) or ()
    if (percent := _cpu_percent(metrics, "target")) is not None:
        spec["targetCPUUtilizationPercentage"] = percent
    if (percent := _cpu_percent(current, "current")) is not None:
        status["currentCPUUtilizationPercentage"] = percent
    others = [metric for metric in metrics if _cpu_percent([metric], "target") is None]
    _carry(annotations, METRICS, [metric_to_v1(metric) for metric in others])
    # The current CPU utilization goes there too: it may come with an amount v1 has no field for.
    _carry(annotations, CURRENT_METRICS, [status_to_v1(metric) for metric in current])
    _carry(annotations, CONDITIONS, status.pop("conditions", None))
    behavior = spec.pop("behavior", None)
    _carry(annotations, BEHAVIOR, None if behavior is None else _behavior_text(behavior))
    return _remade(hpa, "autoscaling/v1", annotations, spec, status)


def to_v2(hpa: Object) -> Object:
    """The v2 form of a v1 object."""
    spec, status = dict(hpa.get("spec") or {}), dict(hpa.get("status") or {})
    annotations = dict((hpa.get("metadata") or {}).get("annotations") or {})
    carried = {key: _read(annotations.pop(key, None)) for key in _CARRIED}
    metrics = _each(carried[METRICS], metric_from_v1)
    percent = spec.pop("targetCPUUtilizationPercentage", None)
    if percent is None and not metrics:
        percent = CPU_TARGET_PERCENT
    if percent is not None:
        target = {"type": "Utilization", "averageUtilization": percent}
        metrics.append({"type": "Resource", "resource": {"name": "cpu", "target": target}})
    current = _each(carried[CURRENT_METRICS], status_from_v1)
    percent = status.pop("currentCPUUtilizationPercentage", None)
    if percent is not None and not current:
        resource = {"name": "cpu", "current": {"averageUtilization": percent}}
        current.append({"type": "Resource", "resource": resource})
    for part, name, value in (
        (spec, "metrics", metrics),
        (spec, "behavior", _behavior(carried[BEHAVIOR])),
        (status, "currentMetrics", current),
        (status, "conditions", carried[CONDITIONS] if isinstance(carried[CONDITIONS], list) else None),
    ):
        if value:
            part[name] = value
    return _remade(hpa, "autoscaling/v2", annotations, spec, status)


def _cpu_percent(metrics: Sequence[Fields], part: str) -> int | None:
    """The percentage of the first metric about CPU utilization."""
    for metric in metrics:
        resource = metric.get("resource") or {}
        if metric.get("type") == "Resource" and resource.get("name") == "cpu":
            percent: int | None = (resource.get(part) or {}).get("averageUtilization")
            if percent is not None:
                return percent
    return None


def _each(found: Any, convert: Callable[[Fields], Object]) -> list[Object]:
    """What an annotation carries, converted; nothing for one whose contents make no sense."""
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        return []
    return [convert(item) for item in found]


def _behavior_text(behavior: Fields) -> dict[str, Any]:
    """The behavior as upstream notes it: by the names the fields have in its internal type."""
    return {
        _capital(direction): None
        if (rules := behavior.get(direction)) is None
        else {
            _capital(name): [{_capital(key): policy.get(key) for key in _POLICY} for policy in value]
            if name == "policies" and (value := rules.get(name)) is not None
            else rules.get(name)
            for name in _RULES
        }
        for direction in ("scaleUp", "scaleDown")
    }


_POLICY = ("type", "value", "periodSeconds")


def _behavior(found: Any) -> Any:
    """The behavior an annotation carries, without what it does not say; names in whatever case."""
    if isinstance(found, dict):
        known = {name.lower(): name for name in ("scaleUp", "scaleDown", *_RULES, *_POLICY)}
        given = ((name.lower(), value) for name, value in found.items() if value is not None)
        return {known.get(name, name): _behavior(value) for name, value in given}
    return [_behavior(item) for item in found] if isinstance(found, list) else found


def _capital(name: str) -> str:
    return name[0].upper() + name[1:]


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
