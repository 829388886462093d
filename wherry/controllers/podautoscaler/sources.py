"""One metric of an autoscaler: what to ask for, what it asks for, what its status says.

Source: pkg/controller/podautoscaler/horizontal.go, computeReplicasForMetric and computeStatusFor*.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from wherry.api.resource import Resource
from wherry.controllers.podautoscaler.metrics import Metrics, MetricsError, Samples
from wherry.controllers.podautoscaler.pods import Patience, count_ready, requests_of, sort_pods
from wherry.controllers.podautoscaler.proposals import (
    Plain,
    Proposal,
    Tolerances,
    Utilization,
    propose,
    propose_for_whole,
    propose_per_pod,
)
from wherry.objects.meta import Object
from wherry.objects.quantity import format_quantity, milli
from wherry.objects.selectors import from_label_selector

Fields = Mapping[str, Any]
MOST_PERCENT = 2**31 - 1
"""An int32 in the status."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one metric says: the replicas it asks for, its name in messages, and its status."""

    replicas: int
    name: str
    status: Object


class UnknownMetric(Exception):
    """What a metric asks for cannot be said; `reason` is the condition's, `text` without what `str` adds."""

    def __init__(self, reason: str, text: str, whole: str = "") -> None:
        super().__init__(whole or text)
        self.reason = reason
        self.text = text


@dataclass(frozen=True, slots=True)
class Target:
    """What is scaled: `wanted` replicas by its spec, `reported` by its status, and its pods.

    `selector` is the pods' label selector as text, `resource_of` finds the resource of (apiVersion, kind).
    """

    namespace: str
    selector: str
    pods: Sequence[Object]
    wanted: int
    reported: int
    tolerances: Tolerances
    patience: Patience
    now: datetime
    resource_of: Callable[[str, str], Resource]


async def ask(metrics: Metrics, target: Target, spec: Fields) -> Answer:
    """What the metric of `spec` (an entry of spec.metrics) says. Raises UnknownMetric."""
    kind = spec.get("type") or ""
    asker = _ASKERS.get(kind)
    if asker is None:
        raise UnknownMetric("InvalidMetricSourceType", f'unknown metric source type "{kind}"')
    reason, ask_it = asker
    try:
        return await ask_it(metrics, target, spec)
    except (MetricsError, ValueError) as error:
        raise UnknownMetric(reason, str(error), _WHOLE[kind](spec, str(error))) from error


async def _ask_resource(metrics: Metrics, target: Target, spec: Fields) -> Answer:
    return await _ask_use(metrics, target, spec, "resource", "")


async def _ask_container(metrics: Metrics, target: Target, spec: Fields) -> Answer:
    container = spec["containerResource"].get("container") or ""
    return await _ask_use(metrics, target, spec, "containerResource", container)


async def _ask_use(metrics: Metrics, target: Target, spec: Fields, part: str, container: str) -> Answer:
    source = spec[part]
    resource, wanted = source.get("name") or "", source.get("target") or {}
    what = f"{resource} container resource" if container else f"{resource} resource"
    try:
        samples = await metrics.of_resource(target.namespace, target.selector, resource, container)
    except MetricsError as error:
        raise MetricsError(f"unable to get metrics for resource {resource}: {error}") from error
    names: Object = {"name": resource, **({"container": container} if container else {})}
    if wanted.get("averageValue") is not None:
        found = _by_pods(target, samples, resource, Plain(milli(wanted["averageValue"])))
        now: Object = {"averageValue": _quantity(found.use.average)}
    elif (percent := wanted.get("averageUtilization")) is not None:
        measure = Utilization(percent, requests_of(target.pods, resource, container))
        found = _by_pods(target, samples, resource, measure)
        percent = min(found.use.percent, MOST_PERCENT)
        now = {"averageUtilization": percent, "averageValue": _quantity(found.use.average)}
        what += " utilization (percentage of request)"
    else:
        raise MetricsError(
            "invalid resource metric source: neither an average utilization target nor an average value "
            "(usage) target was set"
        )
    return Answer(found.replicas, what, {"type": spec["type"], part: {**names, "current": now}})


async def _ask_pods(metrics: Metrics, target: Target, spec: Fields) -> Answer:
    source = spec["pods"]
    metric = source["metric"]
    name = metric.get("name") or ""
    try:
        samples = await metrics.of_pods(target.namespace, target.selector, name, _metric_selector(metric))
    except MetricsError as error:
        raise MetricsError(f"unable to get metric {name}: {error}") from error
    wanted = milli((source.get("target") or {}).get("averageValue") or "0")
    found = _by_pods(target, samples, "", Plain(wanted))
    status = {"metric": dict(metric), "current": {"averageValue": _quantity(found.use.average)}}
    return Answer(found.replicas, f"pods metric {name}", {"type": "Pods", "pods": status})


async def _ask_object(metrics: Metrics, target: Target, spec: Fields) -> Answer:
    source = spec["object"]
    metric, described = source["metric"], source["describedObject"]
    name, wanted = metric.get("name") or "", source.get("target") or {}
    kind, of = described.get("kind") or "", described.get("name") or ""
    try:
        resource = target.resource_of(described.get("apiVersion") or "", kind)
        value = await metrics.of_object(resource, target.namespace, of, name, _metric_selector(metric))
    except MetricsError as error:
        where = f"{kind} {target.namespace}/{of}"
        raise MetricsError(f"unable to get metric {name}: {error} on {where}") from error
    replicas, now = _by_value(target, value, wanted, "object")
    status = {"describedObject": dict(described), "metric": dict(metric), "current": now}
    return Answer(replicas, f"{kind} metric {name}", {"type": "Object", "object": status})


async def _ask_external(metrics: Metrics, target: Target, spec: Fields) -> Answer:
    source = spec["external"]
    metric, wanted = source["metric"], source.get("target") or {}
    name = metric.get("name") or ""
    try:
        values = await metrics.of_external(target.namespace, name, _metric_selector(metric))
    except MetricsError as error:
        shown = f"{target.namespace}/{name}/{_go_selector(metric.get('selector'))}"
        raise MetricsError(f"unable to get external metric {shown}: {error}") from error
    replicas, now = _by_value(target, sum(values), wanted, "external")
    status = {"metric": dict(metric), "current": now}
    shown = f"external metric {name}({_go_selector(metric.get('selector'))})"
    return Answer(replicas, shown, {"type": "External", "external": status})


def _by_pods(target: Target, samples: Samples, resource: str, measure: Plain | Utilization) -> Proposal:
    if not target.pods:
        raise MetricsError("no pods returned by selector while calculating replica count")
    groups = sort_pods(target.pods, samples, resource, target.now, target.patience)
    return propose(target.wanted, samples, groups, measure, target.tolerances)


def _by_value(target: Target, value: int, wanted: Fields, kind: str) -> tuple[int, Object]:
    """The replicas for one value, held against a value for all pods or for each, and its status."""
    if wanted.get("averageValue") is not None:
        per_pod = milli(wanted["averageValue"])
        replicas = propose_per_pod(target.reported, value, per_pod, target.tolerances)
        average = math.ceil(value / target.reported) if target.reported else value
        return replicas, {"averageValue": _quantity(average)}
    if wanted.get("value") is not None:
        ready = count_ready(target.pods) if target.wanted else 0
        replicas = propose_for_whole(target.wanted, value, milli(wanted["value"]), ready, target.tolerances)
        return replicas, {"value": _quantity(value)}
    raise MetricsError(
        f"invalid {kind} metric source: neither a value target nor an average value target was set"
    )


def _quantity(thousandths: int) -> str:
    return format_quantity(Decimal(thousandths).scaleb(-3))


def _metric_selector(metric: Fields) -> str:
    """The metric's own selector as text, "" without one. Raises ValueError."""
    selector = metric.get("selector")
    return "" if selector is None else str(from_label_selector(selector))


def _go_selector(selector: Fields | None) -> str:
    """A label selector as Go's %+v shows the pointer to one."""
    if selector is None:
        return "nil"
    labels = "".join(f"{key}: {value}," for key, value in sorted((selector.get("matchLabels") or {}).items()))
    expressions = "".join(
        f"LabelSelectorRequirement{{Key:{one.get('key')},Operator:{one.get('operator')},"
        f"Values:[{' '.join(one.get('values') or ())}],}},"
        for one in selector.get("matchExpressions") or ()
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )


_ASKERS = {
    "Resource": ("FailedGetResourceMetric", _ask_resource),
    "ContainerResource": ("FailedGetContainerResourceMetric", _ask_container),
    "Pods": ("FailedGetPodsMetric", _ask_pods),
    "Object": ("FailedGetObjectMetric", _ask_object),
    "External": ("FailedGetExternalMetric", _ask_external),
}
_WHOLE: Mapping[str, Callable[[Fields, str], str]] = {
    "Resource": lambda spec, text: f"failed to get {spec['resource'].get('name')} utilization: {text}",
    "ContainerResource": lambda spec, text: (
        f"failed to get {spec['containerResource'].get('name')} utilization: {text}"
    ),
    "Pods": lambda _, text: f"failed to get pods metric value: {text}",
    "Object": lambda _, text: f"failed to get object metric value: {text}",
    "External": lambda spec, text: (
        f"failed to get {spec['external']['metric'].get('name')} external metric: {text}"
    ),
}
"""What goes before the text where it is told as one of several."""
