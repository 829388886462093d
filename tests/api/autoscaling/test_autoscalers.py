"""Horizontal pod autoscalers in both versions."""

from typing import Any

import pytest

from tests.api.objects import cells, create, make
from wherry.api.autoscaling.conversion import to_v1, to_v2
from wherry.api.autoscaling.horizontal_pod_autoscalers import HORIZONTAL_POD_AUTOSCALERS as V2
from wherry.api.autoscaling.horizontal_pod_autoscalers_v1 import HORIZONTAL_POD_AUTOSCALERS_V1 as V1

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


def test_v1_becomes_v2_and_comes_back() -> None:
    spec = {"scaleTargetRef": TARGET, "maxReplicas": 3, "targetCPUUtilizationPercentage": 50}
    old = make(V1, spec=spec, status={"currentCPUUtilizationPercentage": 10, "currentReplicas": 1})
    new = to_v2(old)
    assert new["apiVersion"] == "autoscaling/v2"
    assert new["spec"]["metrics"] == [CPU]
    assert new["status"]["currentMetrics"][0]["resource"]["current"] == {"averageUtilization": 10}
    assert to_v1(new) == old


def test_v2_survives_v1() -> None:
    spec = {
        "scaleTargetRef": TARGET,
        "maxReplicas": 3,
        "metrics": [CPU, MEMORY],
        "behavior": {"scaleUp": {"stabilizationWindowSeconds": 5}},
    }
    status = {"conditions": [{"type": "AbleToScale", "status": "True"}], "currentReplicas": 2}
    new = make(V2, spec=spec, status=status, metadata={"annotations": {"mine": "x"}})
    old = to_v1(new)
    assert old["spec"]["targetCPUUtilizationPercentage"] == 50
    assert "metrics" not in old["spec"]
    assert "autoscaling.alpha.kubernetes.io/metrics" in old["metadata"]["annotations"]
    assert to_v2(old) == new


def test_broken_annotations_are_no_metrics() -> None:
    annotations = {"autoscaling.alpha.kubernetes.io/metrics": "{"}
    obj = make(V1, spec={"scaleTargetRef": TARGET, "maxReplicas": 1}, metadata={"annotations": annotations})
    assert "metrics" not in to_v2(obj)["spec"]


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"maxReplicas": 0}, "spec.maxReplicas: Invalid value: 0: must be greater than 0"),
        ({"minReplicas": 0}, "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1"),
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
    spec = {"scaleTargetRef": TARGET, "minReplicas": 1, "maxReplicas": 3, "metrics": [CPU, MEMORY]}
    obj = make(V2, spec=spec, status={"currentMetrics": current, "currentReplicas": 2})
    row = cells(V2, obj)
    assert row["Reference"] == "Deployment/web"
    assert row["Targets"] == "cpu: 7%/50%, memory: <unknown>/1Gi"
    assert cells(V1, to_v1(obj)) == row
