"""Daemon sets and stateful sets."""

from typing import Any

import pytest

from tests.api.objects import cells, create, make, update
from wherry.api.apps.daemon_sets import DAEMON_SETS
from wherry.api.apps.stateful_sets import STATEFUL_SETS
from wherry.api.resource import Resource
from wherry.objects.meta import Object

LABELS = {"app": "a"}


def owner(resource: Resource, **spec: Any) -> Object:
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    return make(resource, spec={"selector": {"matchLabels": LABELS}, "template": template, **spec})


def stored(resource: Resource, **spec: Any) -> Object:
    obj, errors = create(resource, owner(resource, **spec))
    assert errors == []
    return obj


def test_daemon_set_defaults() -> None:
    spec = stored(DAEMON_SETS)["spec"]
    assert spec["updateStrategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0},
    }
    assert spec["revisionHistoryLimit"] == 10
    assert spec["template"]["spec"]["restartPolicy"] == "Always"


def test_daemon_set_row() -> None:
    obj = {**stored(DAEMON_SETS), "status": {"desiredNumberScheduled": 3, "numberReady": 2}}
    row = cells(DAEMON_SETS, obj)
    assert (row["Desired"], row["Ready"], row["Available"], row["Node Selector"]) == (3, 2, 0, "<none>")
    assert row["Selector"] == "app=a"


@pytest.mark.parametrize("resource", [DAEMON_SETS, STATEFUL_SETS], ids=lambda resource: resource.plural)
@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            {"selector": {"matchLabels": {"app": "b"}}},
            (
                'spec.template.metadata.labels: Invalid value: {"app":"a"}: '
                "`selector` does not match template `labels`"
            ),
        ),
    ],
)
def test_selector_and_template_fit(resource: Resource, spec: dict[str, Any], text: str) -> None:
    assert text in create(resource, owner(resource, **spec))[1]


def test_a_rollout_must_be_able_to_move() -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 0}}
    assert create(DAEMON_SETS, owner(DAEMON_SETS, updateStrategy=strategy))[1] == [
        "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"
    ]


def test_daemon_set_selectors_stay() -> None:
    old = stored(DAEMON_SETS)
    new = {
        **old,
        "spec": {**old["spec"], "selector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}},
    }
    (text,) = update(DAEMON_SETS, old, new)[1]
    assert text.startswith("spec.selector: Invalid value: ")
    assert text.endswith("field is immutable")


def test_stateful_set_defaults() -> None:
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    spec = stored(STATEFUL_SETS, volumeClaimTemplates=[claim])["spec"]
    assert (spec["replicas"], spec["podManagementPolicy"]) == (1, "OrderedReady")
    assert spec["updateStrategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"partition": 0, "maxUnavailable": 1},
    }
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    (template,) = spec["volumeClaimTemplates"]
    assert (template["kind"], template["spec"]["volumeMode"]) == ("PersistentVolumeClaim", "Filesystem")
    assert template["status"] == {"phase": "Pending"}


def test_a_stateful_set_that_names_its_strategy_gets_no_parameters() -> None:
    said = {"type": "RollingUpdate"}
    assert stored(STATEFUL_SETS, updateStrategy=said)["spec"]["updateStrategy"] == said
    half = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    assert stored(STATEFUL_SETS, updateStrategy=half)["spec"]["updateStrategy"]["rollingUpdate"] == {
        "partition": 2,
        "maxUnavailable": 1,
    }


def test_stateful_set_changes() -> None:
    old = stored(STATEFUL_SETS, serviceName="a")
    scaled = {**old, "spec": {**old["spec"], "replicas": 3}}
    changed, errors = update(STATEFUL_SETS, old, scaled)
    assert errors == []
    assert changed["metadata"]["generation"] == 2
    moved = {**old, "spec": {**old["spec"], "serviceName": "b"}}
    (text,) = update(STATEFUL_SETS, old, moved)[1]
    assert text.startswith("spec: Forbidden: updates to statefulset spec for fields other than 'replicas'")


def test_stateful_set_row() -> None:
    obj = {**stored(STATEFUL_SETS, replicas=3), "status": {"readyReplicas": 1}}
    assert cells(STATEFUL_SETS, obj)["Ready"] == "1/3"


def test_stateful_pods_mount_what_they_claim() -> None:
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    container = {"name": "c", "image": "i", "volumeMounts": [{"name": "data", "mountPath": "/d"}]}
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [container]}}
    assert (
        create(STATEFUL_SETS, owner(STATEFUL_SETS, template=template, volumeClaimTemplates=[claim]))[1] == []
    )
    assert create(STATEFUL_SETS, owner(STATEFUL_SETS, template=template))[1] == [
        'spec.template.spec.containers[0].volumeMounts[0].name: Not found: "data"'
    ]


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            {"podManagementPolicy": "Random"},
            "spec.podManagementPolicy: Invalid value: \"Random\": must be 'OrderedReady' or 'Parallel'",
        ),
        (
            {"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 1}}},
            (
                'spec.updateStrategy.rollingUpdate: Invalid value: {"partition":1}: '
                "only allowed for updateStrategy 'RollingUpdate'"
            ),
        ),
        (
            {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 0}}},
            "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0",
        ),
        (
            {"updateStrategy": {"rollingUpdate": {"partition": -1}}},
            (
                "spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: "
                "must be greater than or equal to 0"
            ),
        ),
        (
            {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Keep"}},
            (
                'spec.persistentVolumeClaimRetentionPolicy.whenScaled: Unsupported value: "Keep": '
                'supported values: "Retain", "Delete"'
            ),
        ),
        (
            {"ordinals": {"start": -1}},
            "spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0",
        ),
    ],
)
def test_stateful_sets_refused(spec: dict[str, Any], text: str) -> None:
    assert create(STATEFUL_SETS, owner(STATEFUL_SETS, **spec))[1] == [text]


@pytest.mark.parametrize(
    ("rolling", "texts"),
    [
        ({"maxUnavailable": "10%"}, []),
        ({"maxUnavailable": 0, "maxSurge": "100%"}, []),
        (
            {"maxUnavailable": 1, "maxSurge": 1},
            ["maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero"],
        ),
        (
            {"maxUnavailable": "200%"},
            ['maxUnavailable: Invalid value: "200%": must not be greater than 100%'],
        ),
    ],
)
def test_daemon_rollouts(rolling: dict[str, Any], texts: list[str]) -> None:
    _, errors = create(DAEMON_SETS, owner(DAEMON_SETS, updateStrategy={"rollingUpdate": rolling}))
    assert errors == [f"spec.updateStrategy.rollingUpdate.{text}" for text in texts]


@pytest.mark.parametrize(
    ("resource", "before", "status", "texts"),
    [
        (STATEFUL_SETS, {}, {"replicas": 2, "readyReplicas": 2, "availableReplicas": 2}, []),
        (
            STATEFUL_SETS,
            {},
            {"replicas": 1, "currentReplicas": 2, "availableReplicas": 1},
            [
                "status.currentReplicas: Invalid value: 2: cannot be greater than status.replicas",
                "status.availableReplicas: Invalid value: 1: cannot be greater than status.readyReplicas",
            ],
        ),
        (
            STATEFUL_SETS,
            {"collisionCount": 2},
            {"replicas": 0, "collisionCount": 1},
            ["status.collisionCount: Invalid value: 1: cannot be decremented"],
        ),
        (
            DAEMON_SETS,
            {"collisionCount": 2},
            {"numberReady": -1},
            [
                "status.numberReady: Invalid value: -1: must be greater than or equal to 0",
                "status.collisionCount: Invalid value: 0: cannot be decremented",
            ],
        ),
    ],
)
def test_statuses(resource: Resource, before: Object, status: Object, texts: list[str]) -> None:
    old = {**stored(resource), "status": before}
    errors = resource.strategy.validate_status({**old, "status": status}, old)
    assert [str(error) for error in errors] == texts


def test_a_stateful_set_may_keep_all_its_revisions() -> None:
    limit, amount = "spec.revisionHistoryLimit", "resources.requests[storage]"
    claim = {
        "metadata": {"name": "c"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1500m"}}},
    }
    obj = stored(STATEFUL_SETS, revisionHistoryLimit=-1, volumeClaimTemplates=[claim])
    for old, path in (
        (None, "spec.volumeClaimTemplates[0]"),
        (obj, "spec.volumeClaimTemplates[0].Spec"),  # Upstream's own slip.
    ):
        texts = STATEFUL_SETS.strategy.warnings(obj, old)
        assert [text.partition(": ")[0] for text in texts] == [f"{path}.{amount}", limit]
    assert STATEFUL_SETS.strategy.warnings(stored(STATEFUL_SETS), None) == []


@pytest.mark.parametrize(
    ("resource", "is_missed"),
    [(DAEMON_SETS, False), (STATEFUL_SETS, True)],
    ids=["daemonsets", "statefulsets"],
)
def test_no_selector_matches_nothing(resource: Resource, is_missed: bool) -> None:
    mismatch = 'Invalid value: {"app":"a"}: `selector` does not match template `labels`'
    _, errors = create(resource, owner(resource, selector=None))
    missing = ["spec.selector: Required value"] * is_missed
    assert errors == [*missing, f"spec.template.metadata.labels: {mismatch}"]
