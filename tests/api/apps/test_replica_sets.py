from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.api.core.examples import changed, create, stored, update, workload
from wherry.api.apps.replica_sets import REPLICA_SETS

NOW = datetime(2026, 1, 1, 1, 0, 0, tzinfo=UTC)


def test_defaults() -> None:
    obj = workload("ReplicaSet")
    assert create(REPLICA_SETS, obj) == []
    assert obj["spec"]["replicas"] == 1
    assert obj["spec"]["template"]["spec"]["schedulerName"] == "default-scheduler"
    assert obj["status"] == {"replicas": 0}
    assert obj["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"spec.selector": None},
            [
                "spec.selector: Required value",
                (
                    'spec.template.metadata.labels: Invalid value: {"app":"web"}: '
                    "`selector` does not match template `labels`"
                ),
            ],
        ),
        (
            {"spec.selector": {}},
            ["spec.selector: Invalid value: {}: empty selector is invalid for deployment"],
        ),
        (
            {"spec.selector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}},
            [
                (
                    'spec.selector.matchExpressions[0].operator: Invalid value: "Like": '
                    "not a valid selector operator"
                ),
                (
                    'spec.selector: Invalid value: {"matchExpressions":[{"key":"a","operator":"Like"}]}: '
                    "invalid label selector"
                ),
            ],
        ),
        (
            {"spec.template.metadata.labels": None},
            [
                (
                    "spec.template.metadata.labels: Invalid value: null: "
                    "`selector` does not match template `labels`"
                )
            ],
        ),
        (
            {"spec.template.spec.containers": []},
            ["spec.template.spec.containers: Required value"],
        ),
        (
            {"spec.template.spec.restartPolicy": "OnFailure"},
            ['spec.template.spec.restartPolicy: Unsupported value: "OnFailure": supported values: "Always"'],
        ),
        (
            {"spec.minReadySeconds": -1},
            ["spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0"],
        ),
    ],
)
def test_what_is_wrong(changes: dict[str, Any], expected: list[str]) -> None:
    assert create(REPLICA_SETS, workload("ReplicaSet", **changes)) == expected


def test_the_selector_is_for_life() -> None:
    old = stored(REPLICA_SETS, workload("ReplicaSet"))
    labels = {"app": "db"}
    new = changed(
        deepcopy(old), {"spec.selector.matchLabels": labels, "spec.template.metadata.labels": labels}
    )
    assert update(REPLICA_SETS, new, old) == [
        'spec.selector: Invalid value: {"matchLabels":{"app":"db"}}: field is immutable'
    ]


def test_status_is_checked_and_shown() -> None:
    old = stored(REPLICA_SETS, workload("ReplicaSet", **{"spec.replicas": 3}))
    new = deepcopy(old)
    new["status"] = {"replicas": 3, "readyReplicas": 1, "availableReplicas": 2}
    assert [str(error) for error in REPLICA_SETS.strategy.validate_status(new, old)] == [
        "status.availableReplicas: Invalid value: 2: cannot be greater than readyReplicas"
    ]
    new["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    row = REPLICA_SETS.strategy.cells(new, NOW)
    assert row == ["web", 3, 3, 1, "60m", "nginx", "nginx:1.27", "app=web"]
    assert len(row) == len(REPLICA_SETS.columns)
