from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.growth.meter import time_growth
from wherry.api.core.pod_resources import aggregate_requests, pod_limits, pod_requests, qos_class


def container(cpu: str = "", **more: Any) -> dict[str, Any]:
    return {"resources": {"requests": {"cpu": cpu}} if cpu else {}, **more}


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        ({"containers": [container("1"), container("500m")]}, "1.5"),
        ({"containers": [container("1")], "initContainers": [container("3"), container("2")]}, "3"),
        (
            {
                "containers": [container("1")],
                "initContainers": [container("1", restartPolicy="Always"), container("3")],
            },
            "4",
        ),
        (
            {
                "containers": [container("1")],
                "initContainers": [container("3"), container("1", restartPolicy="Always")],
            },
            "3",
        ),
        ({"containers": [container("1")], "overhead": {"cpu": "250m"}}, "1.25"),
        ({"containers": [container("1")], "resources": {"requests": {"cpu": "2"}}}, "2"),
    ],
    ids=["sum", "largest init", "sidecar beside init", "sidecar after init", "overhead", "pod level"],
)
def test_requests(spec: dict[str, Any], cpu: str) -> None:
    assert pod_requests({"spec": spec}) == {"cpu": Decimal(cpu)}


def test_limits_count_overhead_only_where_limited() -> None:
    spec = {
        "containers": [{"resources": {"limits": {"memory": "1Gi"}}}],
        "overhead": {"cpu": "1", "memory": "1Gi"},
    }
    assert pod_limits({"spec": spec}) == {"memory": Decimal(2**31)}


EQUAL = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m", "memory": "1024Mi"}}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"containers": [{}]}, "BestEffort"),
        ({"containers": [{"resources": {"requests": {"cpu": "0"}}}]}, "BestEffort"),
        ({"containers": [{"resources": {"requests": {"example.com/gpu": "1"}}}]}, "BestEffort"),
        ({"containers": [{"resources": EQUAL}]}, "Guaranteed"),
        ({"containers": [{"resources": EQUAL}, {}]}, "Burstable"),
        ({"containers": [{"resources": EQUAL}], "initContainers": [{}]}, "Burstable"),
        ({"containers": [{"resources": {"limits": {"cpu": "1"}}}]}, "Burstable"),
        ({"containers": [{"resources": {**EQUAL, "requests": {"cpu": "1"}}}]}, "Burstable"),
        ({"containers": [{}], "resources": EQUAL}, "Guaranteed"),
    ],
)
def test_quality_of_service(spec: dict[str, Any], expected: str) -> None:
    assert qos_class({"spec": spec}) == expected


def test_sidecars_with_resources_of_their_own_cost_what_they_weigh() -> None:
    def spec(size: int) -> dict[str, Any]:
        sidecars = [
            {"restartPolicy": "Always", "resources": {"requests": {f"example.com/r{number}": "1"}}}
            for number in range(size)
        ]
        once = [{"resources": {"requests": {"cpu": "2"}}}] * size
        return {"initContainers": [*sidecars, *once]}

    assert aggregate_requests(spec(2)) == {"example.com/r0": 1, "example.com/r1": 1, "cpu": 2}
    assert not time_growth(aggregate_requests, spec, 2000)
