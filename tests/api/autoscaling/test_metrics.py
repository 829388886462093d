"""What an autoscaler may measure, and how fast it may act."""

from typing import Any

import pytest

from tests.api.objects import create, make
from wherry.api.autoscaling.horizontal_pod_autoscalers import HORIZONTAL_POD_AUTOSCALERS as HPAS

SPEC = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 3}
CPU: dict[str, Any] = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
AT = "spec.metrics[0]"


@pytest.mark.parametrize(
    ("metric", "texts"),
    [
        ({"type": "Resource", "resource": CPU}, []),
        (
            {"type": "Resource", "resource": CPU, "pods": {}},
            [
                f"{AT}.pods.metric.name: Required value: must specify a metric name",
                f"{AT}.pods.target.type: Required value: must specify a metric target type",
                (
                    f'{AT}.pods.target.type: Invalid value: "": '
                    "must be either Utilization, Value, or AverageValue"
                ),
                f"{AT}.pods.target.averageValue: Required value: must specify a positive target averageValue",
                f"{AT}.pods: Forbidden: must populate the given metric source only",
            ],
        ),
        (
            {"type": "Resource", "resource": {**CPU, "target": {**CPU["target"], "averageValue": "1"}}},
            [
                (
                    f"{AT}.resource.target.averageValue: Forbidden: "
                    "may not set both a target raw value and a target utilization"
                )
            ],
        ),
        (
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Value", "value": "0"}}},
            [
                f'{AT}.resource.target.value: Invalid value: "0": must be positive',
                (
                    f"{AT}.resource.target.averageUtilization: Required value: "
                    "must set either a target raw value or a target utilization"
                ),
            ],
        ),
        (
            {"type": "ContainerResource", "containerResource": {**CPU, "name": "foo", "container": "A"}},
            [
                (
                    f'{AT}.containerResource.name: Invalid value: "foo": '
                    "must be a standard resource type or fully qualified"
                ),
                (
                    f'{AT}.containerResource.name: Invalid value: "foo": '
                    "must be a standard resource for containers"
                ),
                (
                    f'{AT}.containerResource.container: Invalid value: "A": '
                    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
                    "and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', "
                    "regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
                ),
            ],
        ),
        (
            {
                "type": "External",
                "external": {
                    "metric": {"name": "a/b"},
                    "target": {"type": "Value", "value": "1", "averageValue": "1"},
                },
            },
            [
                f"{AT}.external.metric.name: Invalid value: \"a/b\": may not contain '/'",
                (
                    f"{AT}.external.target.value: Forbidden: "
                    "may not set both a target value for metric and a per-pod target"
                ),
            ],
        ),
    ],
)
def test_metrics(metric: dict[str, Any], texts: list[str]) -> None:
    assert create(HPAS, make(HPAS, spec={**SPEC, "metrics": [metric]}))[1] == texts


@pytest.mark.parametrize(
    ("rules", "texts"),
    [
        ({"stabilizationWindowSeconds": 3600, "selectPolicy": "Disabled"}, []),
        ({"stabilizationWindowSeconds": 3601}, [("stabilizationWindowSeconds: Invalid value: 3601: "
         "must be less than or equal to 3600")]),
        ({"stabilizationWindowSeconds": -1}, [("stabilizationWindowSeconds: Invalid value: -1: "
         "must be greater than or equal to zero")]),
        ({"tolerance": "-1"}, ['tolerance: Invalid value: "-1": must be greater than or equal to 0']),
        (
            {"policies": [{"type": "Pods", "value": 0, "periodSeconds": 1801}]},
            [
                "policies[0].value: Invalid value: 0: must be greater than zero",
                "policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800",
            ],
        ),
    ],
)  # fmt: skip
def test_behavior(rules: dict[str, Any], texts: list[str]) -> None:
    _, errors = create(HPAS, make(HPAS, spec={**SPEC, "behavior": {"scaleDown": rules}}))
    assert errors == [f"spec.behavior.scaleDown.{text}" for text in texts]


def test_statuses_count_up_from_nothing() -> None:
    obj = make(HPAS, spec=SPEC, status={"currentReplicas": -1, "desiredReplicas": 0})
    assert [str(error) for error in HPAS.strategy.validate_status(obj, obj)] == [
        "status.currentReplicas: Invalid value: -1: must be greater than or equal to 0"
    ]
