"""Storage classes, volumes and claims."""

from typing import Any

import pytest

from tests.api.objects import cells, create, make, update
from wherry.api.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIMS
from wherry.api.core.persistent_volumes import PERSISTENT_VOLUMES
from wherry.api.storage.storage_classes import STORAGE_CLASSES
from wherry.objects.meta import Object

CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
VOLUME = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/x"}}


def test_storage_class_defaults_and_row() -> None:
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
    obj, errors = create(
        STORAGE_CLASSES, make(STORAGE_CLASSES, provisioner="a/b", metadata={"annotations": annotations})
    )
    assert errors == []
    assert cells(STORAGE_CLASSES, obj) == {
        "Name": "a (default)",
        "Provisioner": "a/b",
        "ReclaimPolicy": "Delete",
        "VolumeBindingMode": "Immediate",
        "AllowVolumeExpansion": "false",
        "Age": "5m",
    }
    assert update(STORAGE_CLASSES, obj, {**obj, "provisioner": "a/c"})[1] == [
        "provisioner: Forbidden: updates to provisioner are forbidden."
    ]
    assert create(STORAGE_CLASSES, make(STORAGE_CLASSES))[1] == ["provisioner: Required value"]


def claim(**spec: Any) -> Object:
    return make(PERSISTENT_VOLUME_CLAIMS, spec={**CLAIM, **spec})


def test_a_claim_waits() -> None:
    obj, errors = create(PERSISTENT_VOLUME_CLAIMS, claim())
    assert errors == []
    assert obj["status"] == {"phase": "Pending"}
    assert obj["spec"]["volumeMode"] == "Filesystem"
    row = cells(PERSISTENT_VOLUME_CLAIMS, obj)
    assert (row["Status"], row["Volume"], row["Capacity"], row["Access Modes"]) == ("Pending", "", "", "")
    assert row["VolumeAttributesClass"] == "<unset>"


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"accessModes": []}, "spec.accessModes: Required value: at least 1 access mode is required"),
        ({"resources": {}}, "spec.resources[storage]: Required value"),
        (
            {"accessModes": ["ReadWriteOncePod", "ReadWriteOnce"]},
            "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes",
        ),
        (
            {"volumeMode": "Tape"},
            'spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"',
        ),
    ],
)
def test_claims_refused(spec: dict[str, Any], text: str) -> None:
    assert create(PERSISTENT_VOLUME_CLAIMS, claim(**spec))[1] == [text]


def test_a_claim_is_bound_once_and_grows() -> None:
    old, _ = create(PERSISTENT_VOLUME_CLAIMS, claim())
    bound = {**old, "spec": {**old["spec"], "volumeName": "pv"}}
    assert update(PERSISTENT_VOLUME_CLAIMS, old, bound)[1] == []
    more = {"requests": {"storage": "2Gi"}}
    grown = {**bound, "spec": {**bound["spec"], "resources": more}}
    assert update(PERSISTENT_VOLUME_CLAIMS, bound, grown)[1] != []
    live = {**bound, "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}
    assert update(PERSISTENT_VOLUME_CLAIMS, live, grown)[1] == []
    less = {**bound, "spec": {**bound["spec"], "resources": {"requests": {"storage": "1Mi"}}}}
    assert update(PERSISTENT_VOLUME_CLAIMS, live, less)[1] == [
        "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"
    ]
    moved = {**bound, "spec": {**bound["spec"], "volumeName": "other"}}
    assert update(PERSISTENT_VOLUME_CLAIMS, live, moved)[1][0].startswith(
        "spec: Forbidden: spec is immutable"
    )


def test_volumes() -> None:
    obj, errors = create(PERSISTENT_VOLUMES, make(PERSISTENT_VOLUMES, spec=VOLUME))
    assert errors == []
    obj["spec"]["claimRef"] = {"namespace": "n", "name": "c"}
    row = cells(PERSISTENT_VOLUMES, obj)
    assert (row["Capacity"], row["Access Modes"], row["Claim"]) == ("1Gi", "RWO", "n/c")
    assert (row["Reclaim Policy"], row["Status"]) == ("Retain", "Pending")


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"hostPath": None}, "spec: Required value: must specify a volume type"),
        ({"capacity": {}}, "spec.capacity: Required value"),
        (
            {"nfs": {"server": "s", "path": "/"}},
            "spec.nfs: Forbidden: may not specify more than 1 volume type",
        ),
        (
            {"persistentVolumeReclaimPolicy": "Burn"},
            (
                'spec.persistentVolumeReclaimPolicy: Unsupported value: "Burn": '
                'supported values: "Delete", "Recycle", "Retain"'
            ),
        ),
    ],
)
def test_volumes_refused(spec: dict[str, Any], text: str) -> None:
    merged = {name: value for name, value in {**VOLUME, **spec}.items() if value is not None}
    assert create(PERSISTENT_VOLUMES, make(PERSISTENT_VOLUMES, spec=merged))[1][:1] == [text]
