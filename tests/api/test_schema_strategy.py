"""The strategy of kinds with few rules of their own."""

from typing import Any

import pytest

from tests.api.objects import create, make, update
from wherry.api.networking.ingress_classes import INGRESS_CLASSES
from wherry.api.policy.pod_disruption_budgets import POD_DISRUPTION_BUDGETS
from wherry.api.schema_strategy import bump_generation
from wherry.objects.meta import Object


@pytest.mark.parametrize(
    ("new", "old", "generation"),
    [
        ({"spec": 1}, None, 1),
        ({"spec": 2}, {"metadata": {"generation": 4}, "spec": 1}, 5),
        ({"spec": 1}, {"metadata": {"generation": 4}, "spec": 1}, 4),
        ({"spec": 1, "status": 2}, {"metadata": {"generation": 4}, "spec": 1, "status": 1}, 4),
        ({"data": 1}, {"metadata": {"generation": 1}}, 2),
    ],
)
def test_the_generation_counts_changes(new: Object, old: Object | None, generation: int) -> None:
    bump_generation(new, old)
    assert new["metadata"]["generation"] == generation


def test_status_is_kept_apart() -> None:
    spec: dict[str, Any] = {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}
    obj, errors = create(
        POD_DISRUPTION_BUDGETS, make(POD_DISRUPTION_BUDGETS, spec=spec, status={"disruptionsAllowed": 9})
    )
    assert errors == []
    assert "status" not in obj
    stored = {**obj, "status": {"disruptionsAllowed": 1}}
    changed, _ = update(POD_DISRUPTION_BUDGETS, stored, {**obj, "status": {"disruptionsAllowed": 9}})
    assert changed["status"] == {"disruptionsAllowed": 1}


def test_immutable_fields() -> None:
    old = make(INGRESS_CLASSES, spec={"controller": "a/b"})
    assert update(INGRESS_CLASSES, old, make(INGRESS_CLASSES, spec={"controller": "a/c"}))[1] == [
        'spec.controller: Invalid value: "a/c": field is immutable'
    ]


def test_nothing_is_told_twice() -> None:
    assert create(INGRESS_CLASSES, make(INGRESS_CLASSES, spec={}))[1] == ["spec.controller: Required value"]
