"""What a budget's status says, as upstream's controller works it out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from wherry.controllers.disruption.plan import (
    count_healthy,
    needs_scale,
    plan_evictions,
    plan_failed_status,
    plan_status,
    plan_wanted,
)
from wherry.objects.meta import Object, name_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def budget(status: Object | None = None, **spec: Any) -> Object:
    return {
        "metadata": {"name": "b", "namespace": "n", "generation": 3},
        "spec": spec,
        "status": status or {},
    }


def pod(name: str, *, ready: bool = True, deleting: bool = False) -> Object:
    meta: Object = {"name": name, "namespace": "n"}
    if deleting:
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    return {"metadata": meta, "status": {"conditions": [condition]}}


@pytest.mark.parametrize(
    ("spec", "expected", "wanted"),
    [
        ({"minAvailable": 2}, 5, 2),
        ({"minAvailable": "50%"}, 5, 3),
        ({"maxUnavailable": 1}, 5, 4),
        ({"maxUnavailable": "30%"}, 5, 3),
        ({"maxUnavailable": 9}, 5, 0),
        ({"maxUnavailable": 0}, 5, 5),
        ({}, 5, 0),
    ],
)
def test_how_many_must_stay(spec: Object, expected: int, wanted: int) -> None:
    assert plan_wanted(budget(**spec), expected) == wanted


@pytest.mark.parametrize(
    ("spec", "needs"),
    [
        ({"minAvailable": 1}, False),
        ({"minAvailable": "1%"}, True),
        ({"maxUnavailable": 0}, True),
        ({}, False),
    ],
)
def test_when_the_workloads_are_asked(spec: Object, needs: bool) -> None:
    assert needs_scale(budget(**spec)) is needs


@pytest.mark.parametrize(
    ("healthy", "wanted", "expected", "allowed", "reason"),
    [
        (3, 2, 3, 1, "SufficientPods"),
        (2, 2, 3, 0, "InsufficientPods"),
        (1, 2, 3, 0, "InsufficientPods"),
        (3, 2, 0, 0, "InsufficientPods"),
    ],
)
def test_room_for_evictions(healthy: int, wanted: int, expected: int, allowed: int, reason: str) -> None:
    status = plan_status(budget(), healthy=healthy, wanted=wanted, expected=expected, pending={}, now=NOW)
    (condition,) = status.pop("conditions")
    assert (condition["type"], condition["reason"]) == ("DisruptionAllowed", reason)
    assert condition["status"] == ("True" if allowed else "False")
    assert condition["observedGeneration"] == 3
    assert status == {
        "currentHealthy": healthy,
        "desiredHealthy": wanted,
        "disruptionsAllowed": allowed,
        "expectedPods": expected,
        "observedGeneration": 3,
    }


def test_evicted_pods_are_waited_for_two_minutes() -> None:
    noted = {
        "late": "2025-12-31T23:57:59Z",
        "waiting": "2025-12-31T23:59:00Z",
        "newer": "2025-12-31T23:59:30Z",
        "going": "2025-12-31T23:59:00Z",
        "gone": "2025-12-31T23:59:00Z",
    }
    pods = [pod("late"), pod("waiting"), pod("newer"), pod("going", deleting=True), pod("other")]
    evictions = plan_evictions(budget({"disruptedPods": noted}), pods, NOW)
    assert dict(evictions.pending) == {name: noted[name] for name in ("waiting", "newer")}
    assert [name_of(p) for p in evictions.overdue] == ["late"]
    assert evictions.recheck_s == 60.0
    assert count_healthy([*pods, pod("unready", ready=False)], evictions.pending) == 2


def test_what_cannot_be_worked_out_lets_nobody_go() -> None:
    old = {"disruptionsAllowed": 4, "currentHealthy": 5, "observedGeneration": 2}
    status = plan_failed_status(budget(old), "no idea", NOW)
    (condition,) = status["conditions"]
    assert (status["disruptionsAllowed"], status["currentHealthy"]) == (0, 5)
    assert (condition["reason"], condition["message"], condition["observedGeneration"]) == (
        "SyncFailed",
        "no idea",
        2,
    )
