"""Resource quotas and limit ranges."""

from typing import Any

import pytest

from tests.api.objects import create, make, update
from wherry.api.core.limit_ranges import LIMIT_RANGES
from wherry.api.core.resource_quotas import RESOURCE_QUOTAS

SCOPE = "spec.scopeSelector.matchExpressions"


def selecting(**expression: Any) -> dict[str, Any]:
    return {"scopeSelector": {"matchExpressions": [expression]}}


@pytest.mark.parametrize(
    ("spec", "texts"),
    [
        ({"hard": {"cpu": "1", "pods": "2", "requests.nvidia.com/gpu": "1", "count/jobs.batch": "3"}}, []),
        (
            {"hard": {"foo": "1"}},
            [
                ('spec.hard[foo]: Invalid value: "foo": must be a standard resource type or fully qualified'),
                'spec.hard[foo]: Invalid value: "foo": must be a standard resource for quota',
            ],
        ),
        ({"hard": {"pods": "1500m"}}, ['spec.hard[pods]: Invalid value: "1500m": must be an integer']),
        (
            {"hard": {"cpu": "-1"}},
            ['spec.hard[cpu]: Invalid value: "-1": must be greater than or equal to 0'],
        ),
        (
            {"hard": {"cpu": "1"}, "scopes": ["BestEffort"]},
            ['spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource'],
        ),
        (
            {"scopes": ["Terminating", "NotTerminating"]},
            ['spec.scopes: Invalid value: ["Terminating","NotTerminating"]: conflicting scopes'],
        ),
        ({"scopes": ["Odd"]}, ['spec.scopes: Invalid value: ["Odd"]: unsupported scope']),
        (selecting(scopeName="PriorityClass", operator="In", values=["high"]), []),
        (
            selecting(scopeName="PriorityClass", operator="In"),
            [
                (
                    f"{SCOPE}.values: Required value: "
                    "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
                )
            ],
        ),
        (
            selecting(scopeName="PriorityClass", operator="Near"),
            [f'{SCOPE}.operator: Invalid value: "Near": not a valid selector operator'],
        ),
    ],
)
def test_quotas(spec: dict[str, Any], texts: list[str]) -> None:
    assert create(RESOURCE_QUOTAS, make(RESOURCE_QUOTAS, spec=spec))[1] == texts


def test_scopes_stay_in_any_order() -> None:
    old = make(RESOURCE_QUOTAS, spec={"scopes": ["BestEffort", "Terminating"]})
    turned = {**old, "spec": {"scopes": ["Terminating", "BestEffort"]}}
    assert update(RESOURCE_QUOTAS, old, turned)[1] == []
    assert update(RESOURCE_QUOTAS, old, {**old, "spec": {}})[1] == [
        "spec.scopes: Invalid value: []: field is immutable"
    ]


def limits(**item: Any) -> dict[str, Any]:
    return {"limits": [{"type": "Container", **item}]}


@pytest.mark.parametrize(
    ("spec", "texts"),
    [
        (limits(max={"cpu": "2"}, min={"cpu": "1"}), []),
        ({"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}]}, []),
        (
            {"limits": [{"type": "Planet"}]},
            [
                (
                    'spec.limits[0].type: Invalid value: "Planet": '
                    "must be a standard limit type or fully qualified"
                )
            ],
        ),
        (
            {"limits": [{"type": "PersistentVolumeClaim"}]},
            [
                (
                    "spec.limits[0].limits: Required value: "
                    "either minimum or maximum storage value is required, but neither was provided"
                )
            ],
        ),
        (
            limits(max={"storage": "1"}),
            [
                (
                    'spec.limits[0].max[storage]: Invalid value: "storage": '
                    "must be a standard resource for containers"
                ),
                (
                    'spec.limits[0].default[storage]: Invalid value: "storage": '
                    "must be a standard resource for containers"
                ),
                (
                    'spec.limits[0].defaultRequest[storage]: Invalid value: "storage": '
                    "must be a standard resource for containers"
                ),
            ],
        ),
        (
            {"limits": [{"type": "Pod", "min": {"cpu": "2"}, "max": {"cpu": "1"}}]},
            [('spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1')],
        ),
        (
            {"limits": [{"type": "Pod", "default": {"cpu": "1"}}]},
            ["spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'"],
        ),
        (
            limits(maxLimitRequestRatio={"cpu": "500m"}),
            [('spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1')],
        ),
        (
            limits(max={"cpu": "2"}, min={"cpu": "1"}, maxLimitRequestRatio={"cpu": "3"}),
            [
                (
                    'spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "3": '
                    "ratio 3 is greater than max/min = 2.000000"
                )
            ],
        ),
        (
            limits(default={"example.com/gpu": "2"}, defaultRequest={"example.com/gpu": "1"}),
            [
                (
                    'spec.limits[0].defaultRequest[example.com/gpu]: Invalid value: "1": '
                    "default value 2 must equal to defaultRequest value 1 in example.com/gpu"
                )
            ],
        ),
    ],
)
def test_limits(spec: dict[str, Any], texts: list[str]) -> None:
    assert create(LIMIT_RANGES, make(LIMIT_RANGES, spec=spec))[1] == texts
