"""The strategy of kinds with few rules of their own."""

from typing import Any

from tests.api.objects import create, make, update
from wherry.api.networking.ingress_classes import INGRESS_CLASSES
from wherry.api.policy.pod_disruption_budgets import POD_DISRUPTION_BUDGETS


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
