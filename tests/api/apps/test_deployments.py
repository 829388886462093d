from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.api.core.examples import changed, create, stored, update, workload
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.objects.names import percent_errors

NOW = datetime(2026, 1, 1, 1, 0, 0, tzinfo=UTC)
R = "spec.strategy.rollingUpdate"


def test_a_minimal_deployment() -> None:
    obj = workload("Deployment")
    assert create(DEPLOYMENTS, obj) == []
    assert obj["spec"] == {
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [
                    {
                        "name": "nginx",
                        "image": "nginx:1.27",
                        "imagePullPolicy": "IfNotPresent",
                        "resources": {},
                        "terminationMessagePath": "/dev/termination-log",
                        "terminationMessagePolicy": "File",
                    }
                ],
                "dnsPolicy": "ClusterFirst",
                "restartPolicy": "Always",
                "schedulerName": "default-scheduler",
                "securityContext": {},
                "terminationGracePeriodSeconds": 30,
            },
        },
    }
    assert obj["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"spec.strategy": {"type": "Recreate"}}, []),
        (
            {"spec.strategy": {"type": "Recreate", "rollingUpdate": {}}},
            [f"{R}: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
        ),
        (
            {"spec.strategy": {"type": "BigBang"}},
            [
                (
                    'spec.strategy: Unsupported value: {"Type":"BigBang","RollingUpdate":null}: '
                    'supported values: "Recreate", "RollingUpdate"'
                ),
            ],
        ),
        (
            {R: {"maxSurge": 0, "maxUnavailable": 0}},
            [f"{R}.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"],
        ),
        (
            {R: {"maxSurge": "0%", "maxUnavailable": "0%"}},
            [f'{R}.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'],
        ),
        (
            {R: {"maxUnavailable": "101%"}},
            [f'{R}.maxUnavailable: Invalid value: "101%": must not be greater than 100%'],
        ),
        (
            {R: {"maxSurge": -1}},
            [f"{R}.maxSurge: Invalid value: -1: must be greater than or equal to 0"],
        ),
        (
            {R: {"maxSurge": "some"}},
            [f'{R}.maxSurge: Invalid value: "some": {percent_errors("some")[0]}'],
        ),
        (
            {"spec.progressDeadlineSeconds": 10, "spec.minReadySeconds": 10},
            ["spec.progressDeadlineSeconds: Invalid value: 10: must be greater than minReadySeconds"],
        ),
        (
            {"spec.revisionHistoryLimit": -1},
            ["spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0"],
        ),
        (
            {"spec.selector.matchLabels.app": "db"},
            [
                (
                    'spec.template.metadata.labels: Invalid value: {"app":"web"}: '
                    "`selector` does not match template `labels`"
                )
            ],
        ),
        (
            {"spec.template.spec.activeDeadlineSeconds": 1},
            [
                (
                    "spec.template.spec.activeDeadlineSeconds: Forbidden: "
                    "activeDeadlineSeconds in ReplicaSet is not Supported"
                )
            ],
        ),
        (
            {"spec.template": {}},
            [
                (
                    "spec.template.metadata.labels: Invalid value: null: "
                    "`selector` does not match template `labels`"
                ),
                "spec.template.spec.containers: Required value",
            ],
        ),
    ],
)
def test_what_is_wrong(changes: dict[str, Any], expected: list[str]) -> None:
    assert create(DEPLOYMENTS, workload("Deployment", **changes)) == expected


def test_what_counts_as_a_new_generation() -> None:
    old = stored(DEPLOYMENTS, workload("Deployment"))
    for changes, generation in (
        ({"metadata.labels": {"a": "b"}}, 1),
        ({"status": {"replicas": 1}}, 1),
        ({"spec.paused": False}, 1),
        ({"metadata.annotations": {"a": "b"}}, 2),
        ({"spec.replicas": 2}, 2),
    ):
        new = changed(deepcopy(old), changes)
        assert update(DEPLOYMENTS, new, old) == []
        assert new["metadata"]["generation"] == generation, changes


def test_the_selector_is_for_life() -> None:
    old = stored(DEPLOYMENTS, workload("Deployment"))
    new = changed(
        deepcopy(old),
        {"spec.selector.matchLabels.tier": "x", "spec.template.metadata.labels.tier": "x"},
    )
    assert update(DEPLOYMENTS, new, old) == [
        'spec.selector: Invalid value: {"matchLabels":{"app":"web","tier":"x"}}: field is immutable'
    ]


def test_collisions_only_grow() -> None:
    old = stored(DEPLOYMENTS, workload("Deployment"))
    old["status"] = {"collisionCount": 2}
    new = deepcopy(old) | {"status": {"collisionCount": 1}}
    assert [str(error) for error in DEPLOYMENTS.strategy.validate_status(new, old)] == [
        "status.collisionCount: Invalid value: 1: cannot be decremented"
    ]


def test_warnings_come_with_changes_of_the_template() -> None:
    old = stored(DEPLOYMENTS, workload("Deployment"))
    selector = {"spec.template.spec.nodeSelector": {"beta.kubernetes.io/os": "linux"}}
    new = changed(deepcopy(old), selector)
    assert update(DEPLOYMENTS, new, old) == []
    assert DEPLOYMENTS.strategy.warnings(new, old) == [
        (
            "spec.template.spec.nodeSelector[beta.kubernetes.io/os]: "
            'deprecated since v1.14; use "kubernetes.io/os" instead'
        )
    ]
    assert DEPLOYMENTS.strategy.warnings(new, new) == []


def test_row() -> None:
    obj = workload("Deployment", **{"spec.replicas": 3, "metadata.creationTimestamp": "2026-01-01T00:00:00Z"})
    obj["status"] = {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1}
    row = DEPLOYMENTS.strategy.cells(obj, NOW)
    assert row == ["web", "2/3", 3, 1, "60m", "nginx", "nginx:1.27", "app=web"]
    assert len(row) == len(DEPLOYMENTS.columns)
