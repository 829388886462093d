"""Horizontal pod autoscalers in both versions."""

import json
from typing import Any

import pytest

from tests.api.objects import cells, create, make, update
from wherry.api.autoscaling.conversion import BEHAVIOR, CURRENT_METRICS, METRICS, to_v1, to_v2
from wherry.api.autoscaling.horizontal_pod_autoscalers import HORIZONTAL_POD_AUTOSCALERS as V2
from wherry.api.autoscaling.horizontal_pod_autoscalers_v1 import HORIZONTAL_POD_AUTOSCALERS_V1 as V1
from wherry.api.resource import Resource

TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
CPU = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
}
MEMORY = {
    "type": "Resource",
    "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}},
}


def test_defaults() -> None:
    obj, errors = create(V2, make(V2, spec={"scaleTargetRef": TARGET, "maxReplicas": 3}))
    assert errors == []
    assert obj["spec"]["minReplicas"] == 1
    assert obj["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 80


def test_an_empty_behavior_is_one() -> None:
    obj, errors = create(V2, make(V2, spec={"scaleTargetRef": TARGET, "maxReplicas": 3, "behavior": {}}))
    assert errors == []
    assert obj["spec"]["behavior"]["scaleDown"] == {
        "selectPolicy": "Max",
        "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
    }


def test_zero_replicas_need_a_metric_that_does_not_come_from_pods() -> None:
    target = {"type": "Value", "value": "1"}
    external = {"type": "External", "external": {"metric": {"name": "queue"}, "target": target}}
    spec = {"scaleTargetRef": TARGET, "minReplicas": 0, "maxReplicas": 3, "metrics": [external]}
    assert create(V2, make(V2, spec=spec))[1] == []


def test_v1_becomes_v2_and_comes_back() -> None:
    spec = {"scaleTargetRef": TARGET, "maxReplicas": 3, "targetCPUUtilizationPercentage": 50}
    old = make(V1, spec=spec, status={"currentReplicas": 1})
    new = to_v2(old)
    assert new["apiVersion"] == "autoscaling/v2"
    assert new["spec"]["metrics"] == [CPU]
    assert to_v1(new) == old


def test_v1_without_a_target_aims_at_what_v2_does() -> None:
    obj, errors = create(V1, make(V1, spec={"scaleTargetRef": TARGET, "maxReplicas": 3}))
    assert errors == []
    assert obj["spec"]["targetCPUUtilizationPercentage"] == 80


def test_current_cpu_utilization_is_in_the_field_and_the_annotation() -> None:
    cpu = {"name": "cpu", "current": {"averageUtilization": 7, "averageValue": "70m"}}
    current = [{"type": "Resource", "resource": cpu}]
    new = make(V2, spec={"metrics": [CPU]}, status={"currentMetrics": current})
    old = to_v1(new)
    assert old["status"]["currentCPUUtilizationPercentage"] == 7
    assert json.loads(old["metadata"]["annotations"][CURRENT_METRICS]) == [
        {
            "type": "Resource",
            "resource": {"name": "cpu", "currentAverageUtilization": 7, "currentAverageValue": "70m"},
        }
    ]
    assert to_v2(old) == new


METRIC = {"name": "hits", "selector": {"matchLabels": {"a": "b"}}}
REFERENCE = {"kind": "Service", "name": "s"}


@pytest.mark.parametrize(
    ("metric", "noted"),
    [
        (MEMORY, {"type": "Resource", "resource": {"name": "memory", "targetAverageValue": "1Gi"}}),
        (
            {
                "type": "ContainerResource",
                "containerResource": {
                    "name": "cpu",
                    "container": "c",
                    "target": {"type": "Utilization", "averageUtilization": 5},
                },
            },
            {
                "type": "ContainerResource",
                "containerResource": {"name": "cpu", "container": "c", "targetAverageUtilization": 5},
            },
        ),
        (
            {
                "type": "Pods",
                "pods": {"metric": METRIC, "target": {"type": "AverageValue", "averageValue": "5"}},
            },
            {
                "type": "Pods",
                "pods": {"metricName": "hits", "selector": METRIC["selector"], "targetAverageValue": "5"},
            },
        ),
        (
            {
                "type": "Object",
                "object": {
                    "describedObject": REFERENCE,
                    "metric": METRIC,
                    "target": {"type": "Value", "value": "5"},
                },
            },
            {
                "type": "Object",
                "object": {
                    "target": REFERENCE,
                    "metricName": "hits",
                    "selector": METRIC["selector"],
                    "targetValue": "5",
                },
            },
        ),
        (
            {
                "type": "Object",
                "object": {
                    "describedObject": REFERENCE,
                    "metric": METRIC,
                    "target": {"type": "AverageValue", "averageValue": "5"},
                },
            },
            {
                "type": "Object",
                "object": {
                    "target": REFERENCE,
                    "metricName": "hits",
                    "selector": METRIC["selector"],
                    "targetValue": "0",
                    "averageValue": "5",
                },
            },
        ),
        (
            {"type": "External", "external": {"metric": METRIC, "target": {"type": "Value", "value": "5"}}},
            {
                "type": "External",
                "external": {"metricName": "hits", "metricSelector": METRIC["selector"], "targetValue": "5"},
            },
        ),
    ],
)
def test_metrics_travel_as_v1_spells_them(metric: dict[str, Any], noted: dict[str, Any]) -> None:
    new = make(V2, spec={"scaleTargetRef": TARGET, "maxReplicas": 3, "metrics": [metric]})
    old = to_v1(new)
    assert json.loads(old["metadata"]["annotations"][METRICS]) == [noted]
    assert to_v2(old) == new


def test_v2_survives_v1() -> None:
    policy = {"type": "Pods", "value": 4, "periodSeconds": 15}
    spec = {
        "scaleTargetRef": TARGET,
        "maxReplicas": 3,
        "metrics": [MEMORY, CPU],
        "behavior": {"scaleUp": {"stabilizationWindowSeconds": 5, "policies": [policy]}},
    }
    status = {"conditions": [{"type": "AbleToScale", "status": "True"}], "currentReplicas": 2}
    new = make(V2, spec=spec, status=status, metadata={"annotations": {"mine": "x"}})
    old = to_v1(new)
    assert old["spec"]["targetCPUUtilizationPercentage"] == 50
    assert "metrics" not in old["spec"]
    assert json.loads(old["metadata"]["annotations"][BEHAVIOR]) == {
        "ScaleUp": {
            "StabilizationWindowSeconds": 5,
            "SelectPolicy": None,
            "Policies": [{"Type": "Pods", "Value": 4, "PeriodSeconds": 15}],
            "Tolerance": None,
        },
        "ScaleDown": None,
    }
    assert to_v2(old) == new


@pytest.mark.parametrize("text", ["{", "3", "[1]", "{}"])
def test_broken_annotations_are_no_metrics(text: str) -> None:
    spec = {"scaleTargetRef": TARGET, "maxReplicas": 1}
    obj = make(V1, spec=spec, metadata={"annotations": {METRICS: text}})
    (metric,) = to_v2(obj)["spec"]["metrics"]
    assert metric["resource"]["target"]["averageUtilization"] == 80


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"maxReplicas": 0}, "spec.maxReplicas: Invalid value: 0: must be greater than 0"),
        ({"minReplicas": -1}, "spec.minReplicas: Invalid value: -1: must be greater than or equal to 0"),
        (
            {"minReplicas": 0},
            (
                "spec.metrics: Forbidden: must specify at least one Object or External metric "
                "to support scaling to zero replicas"
            ),
        ),
        (
            {"behavior": {"scaleUp": {"policies": []}}},
            "spec.behavior.scaleUp.policies: Required value: must specify at least one Policy",
        ),
        (
            {"minReplicas": 5},
            "spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`",
        ),
        (
            {"metrics": [{"type": "Pods"}]},
            "spec.metrics[0].pods: Required value: must populate information for the given metric source",
        ),
    ],
)
def test_refused(spec: dict[str, Any], text: str) -> None:
    _, errors = create(V2, make(V2, spec={"scaleTargetRef": TARGET, "maxReplicas": 3, **spec}))
    assert text in errors


def test_row() -> None:
    current = [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 7}}}]
    spec = {"scaleTargetRef": TARGET, "minReplicas": 1, "maxReplicas": 3, "metrics": [MEMORY, CPU]}
    obj = make(
        V2, spec=spec, status={"currentMetrics": [{"type": "Resource"}, *current], "currentReplicas": 2}
    )
    row = cells(V2, obj)
    assert row["Reference"] == "Deployment/web"
    assert row["Targets"] == "memory: <unknown>/1Gi, cpu: 7%/50%"
    assert cells(V1, to_v1(obj)) == row


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ({"kind": "Deployment"}, 'Invalid value: "": apiVersion must specify API group'),
        (
            {"kind": "Deployment", "apiVersion": "v1"},
            'Invalid value: "v1": apiVersion must specify API group',
        ),
        (
            {"kind": "Deployment", "apiVersion": "a/b/c"},
            'Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
        ),
        ({"kind": "ReplicationController", "apiVersion": "v1"}, ""),
    ],
)
@pytest.mark.parametrize("resource", [V1, V2], ids=["v1", "v2"])
def test_what_is_scaled_has_an_api_group(resource: Resource, reference: dict[str, Any], text: str) -> None:
    target = {"name": "web", **reference}
    _, errors = create(resource, make(resource, spec={"scaleTargetRef": target, "maxReplicas": 3}))
    assert errors == ([f"spec.scaleTargetRef.apiVersion: {text}"] if text else [])


def test_an_api_version_that_was_wrong_may_stay() -> None:
    old = make(V2, spec={"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 3})
    assert update(V2, old, {**old, "spec": {**old["spec"], "maxReplicas": 4}})[1] == []
