from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.api.core.examples import changed, create, stored, template
from wherry.api.core.replication_controllers import REPLICATION_CONTROLLERS
from wherry.objects.meta import Object

NOW = datetime(2026, 1, 1, 1, 0, 0, tzinfo=UTC)


def controller(**changes: Any) -> Object:
    obj: Object = {"metadata": {"name": "web", "namespace": "default"}, "spec": {"template": template()}}
    return changed(obj, changes)


def test_selector_and_labels_come_from_the_template() -> None:
    obj = controller()
    assert create(REPLICATION_CONTROLLERS, obj) == []
    assert obj["spec"]["replicas"] == 1
    assert obj["spec"]["selector"] == obj["metadata"]["labels"] == {"app": "web"}
    assert obj["status"] == {"replicas": 0}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"spec.selector": {"app": "db"}},
            [
                (
                    'spec.template.metadata.labels: Invalid value: {"app":"web"}: '
                    "`selector` does not match template `labels`"
                )
            ],
        ),
        ({"spec.template": None}, ["spec.selector: Required value", "spec.template: Required value"]),
        (
            {"spec.replicas": -1},
            ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
        ),
        (
            {"spec.template.spec.restartPolicy": "Never"},
            ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
        ),
        (
            {"spec.template.spec.activeDeadlineSeconds": 5},
            [
                (
                    "spec.template.spec.activeDeadlineSeconds: Forbidden: "
                    "activeDeadlineSeconds in ReplicationController is not Supported"
                )
            ],
        ),
        (
            {"spec.template.spec.ephemeralContainers": [{"name": "d", "image": "d"}]},
            [
                (
                    "spec.template.spec.ephemeralContainers: Forbidden: "
                    "ephemeral containers not allowed in pod template"
                )
            ],
        ),
        ({"spec.template.spec.containers[0].image": " "}, []),
    ],
)
def test_what_is_wrong(changes: dict[str, Any], expected: list[str]) -> None:
    assert create(REPLICATION_CONTROLLERS, controller(**changes)) == expected


def test_status_and_row() -> None:
    old = stored(REPLICATION_CONTROLLERS, controller())
    new = changed(dict(old), {"status": {"replicas": 1, "readyReplicas": 2}})
    errors = REPLICATION_CONTROLLERS.strategy.validate_status(new, old)
    assert [str(error) for error in errors] == [
        "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas"
    ]
    new["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    row = REPLICATION_CONTROLLERS.strategy.cells(new, NOW)
    assert row == ["web", 1, 1, 2, "60m", "nginx", "nginx:1.27", "app=web"]
    assert len(row) == len(REPLICATION_CONTROLLERS.columns)
    assert REPLICATION_CONTROLLERS.selectable["status.replicas"](new) == "1"
