"""Metrics as autoscaling/v1 spells them in its annotations: flat, with one field per kind of target.

Source: k8s.io/api/autoscaling/v1, MetricSpec and MetricStatus; pkg/apis/autoscaling/v1, conversion.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Fields = Mapping[str, Any]

_AMOUNTS = {
    # Of each source the v1 names of what v2 calls value, averageValue and averageUtilization.
    "object": {"value": "Value", "averageValue": "averageValue"},
    "pods": {"averageValue": "AverageValue"},
    "resource": {"averageUtilization": "AverageUtilization", "averageValue": "AverageValue"},
    "containerResource": {"averageUtilization": "AverageUtilization", "averageValue": "AverageValue"},
    "external": {"value": "Value", "averageValue": "AverageValue"},
}
_SELECTORS = {"object": "selector", "pods": "selector", "external": "metricSelector"}


def metric_to_v1(metric: Fields) -> dict[str, Any]:
    """A v2 MetricSpec as v1 has it."""
    return _to_v1(metric, "target")


def status_to_v1(metric: Fields) -> dict[str, Any]:
    """A v2 MetricStatus as v1 has it."""
    return _to_v1(metric, "current")


def metric_from_v1(metric: Fields) -> dict[str, Any]:
    """A v1 MetricSpec as v2 has it; the type of its target follows from what it names."""
    made = _from_v1(metric, "target")
    for source in _AMOUNTS.keys() & made.keys():
        target = made[source]["target"]
        if "averageUtilization" in target:
            kind = "Utilization"
        else:
            is_whole = source in ("object", "external") and "averageValue" not in target
            kind = "Value" if is_whole else "AverageValue"
        made[source]["target"] = {"type": kind, **target}
    return made


def status_from_v1(metric: Fields) -> dict[str, Any]:
    """A v1 MetricStatus as v2 has it."""
    return _from_v1(metric, "current")


def _v1_name(name: str, part: str) -> str:
    return f"{part}{name}" if name[0].isupper() else name


def _to_v1(metric: Fields, part: str) -> dict[str, Any]:
    made: dict[str, Any] = {"type": metric.get("type") or ""}
    for source, amounts in _AMOUNTS.items():
        body = metric.get(source)
        if body is None:
            continue
        flat: dict[str, Any] = {name: body[name] for name in ("name", "container") if name in body}
        if source == "object":
            flat["target"] = body.get("describedObject") or {}
        if source in _SELECTORS:
            identifier = body.get("metric") or {}
            flat["metricName"] = identifier.get("name") or ""
            if identifier.get("selector") is not None:
                flat[_SELECTORS[source]] = identifier["selector"]
        measured = body.get(part) or {}
        for name, old in amounts.items():
            if measured.get(name) is not None:
                flat[_v1_name(old, part)] = measured[name]
        if source == "object":
            flat.setdefault(_v1_name("Value", part), "0")  # v1 always has it
        made[source] = flat
    return made


def _from_v1(metric: Fields, part: str) -> dict[str, Any]:
    made: dict[str, Any] = {"type": metric.get("type") or ""}
    for source, amounts in _AMOUNTS.items():
        flat = metric.get(source)
        if not isinstance(flat, dict):
            continue
        body: dict[str, Any] = {name: flat[name] for name in ("name", "container") if name in flat}
        if source == "object":
            body["describedObject"] = flat.get("target") or {}
        if source in _SELECTORS:
            body["metric"] = {"name": flat.get("metricName") or ""}
            if flat.get(_SELECTORS[source]) is not None:
                body["metric"]["selector"] = flat[_SELECTORS[source]]
        measured = {name: flat[old] for name, v1 in amounts.items() if (old := _v1_name(v1, part)) in flat}
        if source == "object" and "averageValue" in measured and measured.get("value") in ("0", 0):
            del measured["value"]  # nobody said it
        made[source] = {**body, part: {name: value for name, value in measured.items() if value is not None}}
    return made
