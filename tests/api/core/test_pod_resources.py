from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.growth.meter import time_growth
from wherry.api.core.pod_resources import (
    aggregate_requests,
    held_limits,
    held_requests,
    pod_limits,
    pod_requests,
    qos_class,
    reported_amounts,
)


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


def amounts(requests: str, limits: str = "") -> dict[str, Any]:
    return {"requests": {"cpu": requests}, **({"limits": {"cpu": limits}} if limits else {})}


def resizing(
    spec: str, allocated: str, actual: str, *, why: str = "", limits: tuple[str, str] = ("", "")
) -> dict[str, Any]:
    """A pod of one container that asks for `spec`; `limits` are the asked and the actual one."""
    told = {
        "name": "c",
        "allocatedResources": {"cpu": allocated},
        "resources": amounts(actual, limits[1]),
    }
    condition = [{"type": "PodResizePending", "status": "True", "reason": why}] if why else []
    return {
        "spec": {"containers": [{"name": "c", "resources": amounts(spec, limits[0])}]},
        "status": {"containerStatuses": [told], "conditions": condition},
    }


@pytest.mark.parametrize(
    ("pod", "cpu"),
    [
        (resizing("1", "1", "1"), "1"),
        (resizing("2", "1", "1"), "2"),
        (resizing("1", "2", "2"), "2"),
        (resizing("1", "1", "3"), "3"),
        (resizing("9", "1", "1", why="Deferred"), "9"),
        (resizing("9", "1", "2", why="Infeasible"), "2"),
    ],
    ids=["settled", "asked", "allocated", "shrinking", "deferred", "infeasible"],
)
def test_a_pod_holds_the_most_of_what_it_asks_was_allocated_and_has(pod: dict[str, Any], cpu: str) -> None:
    assert held_requests(pod)["cpu"] == Decimal(cpu)


def test_limits_are_held_too() -> None:
    pod = resizing("1", "1", "1", limits=("2", "3"))
    assert held_limits(pod)["cpu"] == Decimal(3)
    pod = resizing("1", "1", "1", limits=("9", "3"), why="Infeasible")
    assert held_limits(pod)["cpu"] == Decimal(3)


def test_a_pod_as_a_whole_holds_what_its_node_tells() -> None:
    pod: dict[str, Any] = {
        "spec": {"containers": [{"name": "c"}], "resources": amounts("1"), "overhead": {"cpu": "1"}},
        "status": {
            "containerStatuses": [{"name": "c", "resources": {}}],
            "allocatedResources": {"cpu": "2"},
            "resources": amounts("3"),
        },
    }
    assert held_requests(pod)["cpu"] == Decimal(4)
    assert pod_requests(pod)["cpu"] == Decimal(2)


def test_what_a_settled_pod_reports_is_nothing_new() -> None:
    assert reported_amounts(resizing("1", "1", "1")) is None
    assert reported_amounts({"spec": {}, "status": {"phase": "Running"}}) is None
    told = reported_amounts(resizing("1", "2", "2"))
    assert told is not None
    assert "state" not in told["containerStatuses"][0]
