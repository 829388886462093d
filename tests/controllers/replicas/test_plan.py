"""Which pods go first, and what a replica set reports."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from wherry.controllers.replicas.plan import plan_replicas, plan_status
from wherry.controllers.replicas.ranking import DELETION_COST, choose_victims
from wherry.controllers.workload import next_available_s
from wherry.kit.clock import FakeClock
from wherry.objects.meta import Object, format_time, name_of

NOW = FakeClock().now()


def ago(seconds: float) -> str:
    return format_time(NOW - timedelta(seconds=seconds))


def pod(
    name: str,
    *,
    node: str = "n",
    phase: str = "Running",
    ready_s: float | None = 1000,
    age_s: float = 5000,
    restarts: int = 0,
    cost: str = "",
) -> Object:
    conditions: list[Object] = []
    if ready_s is not None:
        conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": ago(ready_s)}]
    return {
        "metadata": {
            "name": name,
            "uid": name,
            "creationTimestamp": ago(age_s),
            "annotations": {DELETION_COST: cost} if cost else {},
            "labels": {"app": "web"},
        },
        "spec": {"nodeName": node} if node else {},
        "status": {
            "phase": phase,
            "conditions": conditions,
            "containerStatuses": [{"restartCount": restarts}],
        },
    }


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"node": ""}, {}),
        ({"phase": "Pending", "ready_s": None}, {"phase": "Running", "ready_s": None}),
        ({"ready_s": None}, {}),
        ({"cost": "-5"}, {}),
        ({"cost": "1"}, {"cost": "2", "ready_s": 1}),
        ({"ready_s": 10}, {"ready_s": 4000}),
        ({"restarts": 3}, {"restarts": 1}),
        ({"age_s": 100}, {"age_s": 5000}),
    ],
)
def test_the_order_of_victims(first: dict[str, Any], second: dict[str, Any]) -> None:
    # Names are against the expected order, so that ties would show.
    loser, keeper = pod("b", **first), pod("a", **second)
    for pods in ([loser, keeper], [keeper, loser]):
        assert choose_victims(pods, pods, 1, NOW) == [loser]


def test_a_crowded_node_gives_first() -> None:
    mine = [pod("a", node="n1"), pod("b", node="n2")]
    sibling = pod("c", node="n2")
    assert [name_of(p) for p in choose_victims(mine, [*mine, sibling], 1, NOW)] == ["b"]


def test_ages_of_one_power_of_two_are_equal() -> None:
    pods = [pod("a", ready_s=3000), pod("b", ready_s=2900)]
    assert [name_of(p) for p in choose_victims(pods, pods, 1, NOW)] == ["a"]


def owner(count: int | None, **more: Any) -> Object:
    spec = {"template": {"metadata": {"labels": {"app": "web"}}}, "minReadySeconds": 30}
    if count is not None:
        spec["replicas"] = count
    return {"kind": "ReplicaSet", "metadata": {"name": "web", "generation": 4}, "spec": spec, **more}


@pytest.mark.parametrize(
    ("wanted", "present", "create", "delete"),
    [(3, 1, 2, 0), (3, 3, 0, 0), (1, 3, 0, 2), (0, 2, 0, 2), (None, 0, 1, 0), (2000, 0, 500, 0)],
)
def test_how_many(wanted: int | None, present: int, create: int, delete: int) -> None:
    pods = [pod(str(n)) for n in range(present)]
    plan = plan_replicas(owner(wanted), pods, pods, NOW)
    assert (plan.create, len(plan.delete)) == (create, delete)


def test_what_is_reported() -> None:
    ended = pod("ended", phase="Failed")
    leaving = pod("leaving")
    leaving["metadata"]["deletionTimestamp"] = ago(1)
    unlabeled = pod("u")
    unlabeled["metadata"]["labels"] = {}
    pods = [pod("a"), pod("b", ready_s=10), pod("c", ready_s=None), unlabeled, ended, leaving]
    assert plan_status(owner(4), pods, None, NOW) == {
        "replicas": 4,
        "fullyLabeledReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 2,
        "terminatingReplicas": 1,
        "observedGeneration": 4,
    }
    assert next_available_s(pods, 30, NOW) == 20
    assert next_available_s(pods, 0, NOW) is None


def test_a_failure_is_told_once_and_taken_back() -> None:
    status = plan_status(owner(4), [], RuntimeError("no room"), NOW)
    (condition,) = status["conditions"]
    assert (condition["reason"], condition["message"]) == ("FailedCreate", "no room")
    again = plan_status(owner(4, status=status), [], RuntimeError("still none"), NOW)
    assert again["conditions"] == [condition]
    assert "conditions" not in plan_status(owner(4, status=status), [], None, NOW)
