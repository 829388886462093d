"""Disruption budgets."""

from typing import Any

import pytest

from tests.api.objects import CREATED, create, make
from wherry.api.policy.pod_disruption_budgets import POD_DISRUPTION_BUDGETS as BUDGETS


@pytest.mark.parametrize(
    ("spec", "texts"),
    [
        ({"minAvailable": "50%"}, []),
        (
            {"minAvailable": 1, "maxUnavailable": 1},
            [
                (
                    'spec: Invalid value: {"minAvailable":1,"maxUnavailable":1}: '
                    "minAvailable and maxUnavailable cannot be both set"
                )
            ],
        ),
        (
            {"minAvailable": "101%"},
            ['spec.minAvailable: Invalid value: "101%": must not be greater than 100%'],
        ),
        (
            {"maxUnavailable": -1},
            ["spec.maxUnavailable: Invalid value: -1: must be greater than or equal to 0"],
        ),
    ],
)
def test_budgets(spec: dict[str, Any], texts: list[str]) -> None:
    assert create(BUDGETS, make(BUDGETS, spec=spec))[1] == texts


def test_statuses() -> None:
    fine = {"type": "DisruptionAllowed", "status": "True", "reason": "Enough", "lastTransitionTime": CREATED}
    wrong = {**fine, "status": "Maybe", "reason": "not enough"}
    obj = make(BUDGETS, status={"conditions": [fine, wrong], "expectedPods": -1})
    fields = [error.field for error in BUDGETS.strategy.validate_status(obj, obj)]
    assert fields == [
        "status.conditions[1].type",
        "status.conditions[1].status",
        "status.conditions[1].reason",
        "status.expectedPods",
    ]
