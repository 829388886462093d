"""How far and how fast a number of replicas may move."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.api.autoscaling.behavior import default_behavior
from wherry.controllers.podautoscaler.limits import (
    DOWN_LIMIT,
    DOWN_STABILIZED,
    READY,
    TOO_FEW,
    TOO_MANY,
    UP_LIMIT,
    UP_STABILIZED,
    WITHIN,
    History,
    limit,
)

WINDOW_S = 300.0


def spec(least: int | None = 1, most: int = 100, behavior: dict[str, Any] | None = None) -> dict[str, Any]:
    if behavior is not None:
        default_behavior(behavior)
    return {"minReplicas": least, "maxReplicas": most, "behavior": behavior}


def rules(direction: str, *policies: tuple[str, int, int], **more: Any) -> dict[str, Any]:
    listed = [{"type": kind, "value": value, "periodSeconds": period} for kind, value, period in policies]
    return {direction: {"policies": listed, **more}}


@pytest.mark.parametrize(
    ("current", "proposed", "bounds", "replicas", "why"),
    [
        (1, 3, (1, 100), 3, WITHIN),
        (1, 10, (1, 100), 4, UP_LIMIT),
        (10, 50, (1, 100), 20, UP_LIMIT),
        (10, 50, (1, 15), 15, TOO_MANY),
        (10, 1, (3, 15), 3, TOO_FEW),
        (10, 1, (None, 15), 1, WITHIN),
    ],
)
def test_without_a_behavior(
    current: int, proposed: int, bounds: tuple[int | None, int], replicas: int, why: tuple[str, str]
) -> None:
    found = limit(spec(*bounds), History(), current, proposed, 0.0, WINDOW_S)
    assert (found.replicas, found.limited, found.is_limited) == (replicas, why, why is not WITHIN)
    assert found.able == READY


def test_five_minutes_of_higher_recommendations_hold_the_size() -> None:
    history = History()
    history.begin(10, 0.0)
    held = limit(spec(), history, 10, 2, 299.0, WINDOW_S)
    assert (held.replicas, held.able) == (10, DOWN_STABILIZED)
    assert limit(spec(), history, 10, 2, 301.0, WINDOW_S).replicas == 2
    assert len(history.recommended) == 2, "what is older than the window is forgotten"


@pytest.mark.parametrize(
    ("behavior", "current", "proposed", "replicas", "why"),
    [
        ({}, 10, 50, 20, UP_LIMIT),  # 100 % or 4 pods in 15 s, whichever is more
        ({}, 1, 50, 5, UP_LIMIT),
        ({}, 10, 1, 1, WITHIN),
        (rules("scaleUp", ("Pods", 2, 60)), 10, 50, 12, UP_LIMIT),
        (rules("scaleUp", ("Percent", 1, 60)), 10, 50, 11, UP_LIMIT),
        (rules("scaleUp", ("Percent", 50, 60), ("Pods", 2, 60), selectPolicy="Min"), 10, 50, 12, UP_LIMIT),
        (rules("scaleUp", ("Pods", 2, 60), selectPolicy="Disabled"), 10, 50, 10, UP_LIMIT),
        (rules("scaleUp", ("Pods", 200, 60)), 10, 150, 100, TOO_MANY),
        (rules("scaleDown", ("Pods", 2, 60)), 10, 1, 8, DOWN_LIMIT),
        (rules("scaleDown", ("Percent", 15, 60)), 10, 1, 8, DOWN_LIMIT),
        (rules("scaleDown", ("Percent", 50, 60), ("Pods", 2, 60), selectPolicy="Min"), 10, 1, 8, DOWN_LIMIT),
        (rules("scaleDown", ("Pods", 2, 60), selectPolicy="Disabled"), 10, 1, 10, DOWN_LIMIT),
        (rules("scaleDown", ("Pods", 200, 60)), 10, 0, 1, TOO_FEW),
    ],
)
def test_rates(
    behavior: dict[str, Any], current: int, proposed: int, replicas: int, why: tuple[str, str]
) -> None:
    found = limit(spec(behavior=behavior), History(), current, proposed, 1000.0, 0.0)
    assert (found.replicas, found.limited) == (replicas, why)


def test_a_rate_counts_what_its_period_saw_in_both_directions() -> None:
    behavior = rules("scaleUp", ("Pods", 4, 60), stabilizationWindowSeconds=0)
    wanted, history = spec(behavior=behavior), History()
    assert limit(wanted, history, 10, 50, 0.0, 0.0).replicas == 14
    history.scaled(behavior, 10, 14, 0.0)
    assert limit(wanted, history, 14, 50, 30.0, 0.0).replicas == 14
    history.scaled(behavior, 14, 12, 40.0)
    assert limit(wanted, history, 12, 50, 45.0, 0.0).replicas == 14, "what was taken away may come back"
    history.scaled(behavior, 12, 14, 45.0)
    assert limit(wanted, history, 14, 50, 59.0, 0.0).replicas == 14
    # The four of the beginning are a minute ago now; those of the last minute cancel out.
    assert limit(wanted, history, 14, 50, 61.0, 0.0).replicas == 18


def test_stabilization_in_both_directions() -> None:
    behavior = {
        **rules("scaleUp", ("Pods", 100, 60), stabilizationWindowSeconds=60),
        **rules("scaleDown", ("Pods", 100, 60), stabilizationWindowSeconds=120),
    }
    wanted, history = spec(behavior=behavior), History()
    history.begin(5, 0.0)
    first = limit(wanted, history, 5, 9, 10.0, WINDOW_S)
    assert (first.replicas, first.able) == (5, UP_STABILIZED)
    second = limit(wanted, history, 5, 8, 61.0, WINDOW_S)
    assert (second.replicas, second.able) == (8, READY), "the lowest of the last minute"
    third = limit(wanted, history, 8, 2, 100.0, WINDOW_S)
    assert (third.replicas, third.able) == (8, DOWN_STABILIZED)
    fourth = limit(wanted, history, 8, 2, 131.0, WINDOW_S)
    assert fourth.replicas == 8, "eight was recommended within two minutes"
    assert limit(wanted, history, 8, 2, 182.0, WINDOW_S).replicas == 2


def test_without_a_window_of_its_own_shrinking_waits_for_the_usual_one() -> None:
    wanted, history = spec(behavior={}), History()
    history.begin(10, 0.0)
    assert limit(wanted, history, 10, 2, 299.0, WINDOW_S).replicas == 10
    assert limit(wanted, history, 10, 2, 301.0, WINDOW_S).replicas == 2


def test_changes_are_forgotten_when_no_policy_looks_back_so_far() -> None:
    behavior = rules("scaleUp", ("Pods", 4, 60))
    default_behavior(behavior)
    history = History()
    for second in range(100):
        history.scaled(behavior, 1, 2, float(second))
    assert len(history.added) == 61
    assert history.removed == []
