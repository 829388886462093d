"""Persistent volumes and claims: sources, affinity, what may change, statuses."""

from typing import Any

import pytest

from tests.api.objects import create, make, update
from wherry.api.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIMS as CLAIMS
from wherry.api.core.persistent_volumes import PERSISTENT_VOLUMES as VOLUMES

BASE = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
ZONES = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "z", "operator": "Exists"}]}]}


@pytest.mark.parametrize(
    ("spec", "texts"),
    [
        ({"local": {"path": "/d"}, "nodeAffinity": {"required": ZONES}}, []),
        (
            {"local": {"path": "/d"}},
            ["spec.nodeAffinity: Required value: Local volume requires node affinity"],
        ),
        (
            {"local": {"path": "a/../b"}, "nodeAffinity": {"required": ZONES}},
            ["spec.local.path: Invalid value: \"a/../b\": must not contain '..'"],
        ),
        ({"hostPath": {"path": "/x", "type": "Odd"}}, ["spec.hostPath.type: Unsupported value"]),
        (
            {"hostPath": {"path": "/."}, "persistentVolumeReclaimPolicy": "Recycle"},
            [
                ("spec.persistentVolumeReclaimPolicy: Forbidden: "
                "may not be 'recycle' for a hostPath mount of '/'")
            ],
        ),
        ({"nfs": {"server": "s", "path": "p"}}, ['spec.nfs.path: Invalid value: "p": must be an absolute']),
        ({"gcePersistentDisk": {}}, ["spec.persistentDisk.pdName: Required value"]),
        ({"glusterfs": {"endpoints": "e", "path": "p", "endpointsNamespace": ""}},
         ['spec.glusterfs.endpointsNamespace: Invalid value: ""']),
        ({"cinder": {"volumeID": "v", "secretRef": {"name": "s"}}},
         ["spec.cinder.secretRef.namespace: Required value"]),
        ({"azureFile": {"secretName": "s", "shareName": "s", "secretNamespace": ""}},
         ["spec.azureFile.secretNamespace: Required value"]),
        ({"storageos": {"volumeName": "V", "secretRef": {"namespace": "n"}}},
         ['spec.storageos.volumeName: Invalid value: "V"', "spec.storageos.secretRef.name: Required value"]),
        ({"quobyte": {"registry": "host", "volume": "v"}},
         ['spec.quobyte.registry: Invalid value: "host": must be a host:port pair']),
        ({"csi": {"driver": "d" * 64, "volumeHandle": "h"}},
         ["spec.csi.driver: Too long: may not be more than 63 bytes"]),
        ({"csi": {"driver": "d", "volumeHandle": "h", "nodeExpandSecretRef": {"name": "S"}}},
         ['spec.csi.nodeExpandSecretRef.name: Invalid value: "S"',
          "spec.csi.nodeExpandSecretRef.namespace: Required value"]),
        ({"hostPath": {"path": "/x"}, "volumeAttributesClassName": "a"},
         ["spec.csi: Required value: has to be specified when using volumeAttributesClassName"]),
        ({"hostPath": {"path": "/x"}, "capacity": {"storage": "0"}},
         ['spec.capacity[storage]: Invalid value: "0": must be greater than zero']),
        ({"hostPath": {"path": "/x"}, "accessModes": ["ReadWriteOncePod", "ReadOnlyMany"]},
         ["spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"]),
    ],
)  # fmt: skip
def test_volumes(spec: dict[str, Any], texts: list[str]) -> None:
    _, errors = create(VOLUMES, make(VOLUMES, spec={**BASE, **spec}))
    assert len(errors) == len(texts)
    assert all(error.startswith(text) for error, text in zip(errors, texts, strict=True))


@pytest.mark.parametrize(
    ("source", "filled"),
    [
        ({"rbd": {"monitors": ["m"], "image": "i"}}, {"pool": "rbd", "user": "admin"}),
        ({"iscsi": {"targetPortal": "p", "iqn": "iqn.2001-01.a:b"}}, {"iscsiInterface": "default"}),
        ({"hostPath": {"path": "/"}}, {"type": ""}),
    ],
)
def test_sources_are_filled(source: dict[str, Any], filled: dict[str, Any]) -> None:
    obj, _ = create(VOLUMES, make(VOLUMES, spec={**BASE, **source}))
    (name,) = source
    assert filled.items() <= obj["spec"][name].items()


def test_the_secret_for_growing_may_be_set_once() -> None:
    csi = {"driver": "d", "volumeHandle": "h"}
    old, _ = create(VOLUMES, make(VOLUMES, spec={**BASE, "csi": csi}))
    secret = {"controllerExpandSecretRef": {"name": "s", "namespace": "n"}}
    new = {**old, "spec": {**old["spec"], "csi": {**csi, **secret}}}
    assert update(VOLUMES, old, new)[1] == []
    (text,) = update(VOLUMES, new, old)[1]
    assert text.startswith("spec.persistentvolumesource: Forbidden: ")


def test_affinity_may_take_the_labels_new_names() -> None:
    def spread(label: str) -> dict[str, Any]:
        term = {"matchExpressions": [{"key": label, "operator": "In", "values": ["a"]}]}
        return {"required": {"nodeSelectorTerms": [term]}}

    beta, stable = "failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"
    spec = {**BASE, "csi": {"driver": "d", "volumeHandle": "h"}}
    old, _ = create(VOLUMES, make(VOLUMES, spec={**spec, "nodeAffinity": spread(beta)}))
    assert update(VOLUMES, old, {**old, "spec": {**old["spec"], "nodeAffinity": spread(stable)}})[1] == []
    assert update(VOLUMES, old, {**old, "spec": {**old["spec"], "nodeAffinity": spread("other")}})[1] != []


def test_volume_warnings() -> None:
    annotations = {"volume.beta.kubernetes.io/mount-options": "ro"}
    spec = {**BASE, "persistentVolumeReclaimPolicy": "Recycle", "cephfs": {"monitors": ["m"]}}
    texts = VOLUMES.strategy.warnings(make(VOLUMES, spec=spec, metadata={"annotations": annotations}), None)
    assert len(texts) == 3
    assert texts[2] == "spec.cephfs: deprecated in v1.28, non-functional in v1.31+"


@pytest.mark.parametrize(
    ("spec", "source", "reference"),
    [
        (
            {"dataSource": {"kind": "PersistentVolumeClaim", "name": "c"}},
            {"kind": "PersistentVolumeClaim", "name": "c"},
            {"kind": "PersistentVolumeClaim", "name": "c"},
        ),
        (
            {"dataSourceRef": {"apiGroup": "example.com", "kind": "K", "name": "k"}},
            {"apiGroup": "example.com", "kind": "K", "name": "k"},
            {"apiGroup": "example.com", "kind": "K", "name": "k"},
        ),
        ({"dataSource": {"apiGroup": "example.com", "kind": "K", "name": "k"}}, None, None),
    ],
)
def test_data_sources_are_told_twice(spec: Any, source: Any, reference: Any) -> None:
    obj, errors = create(CLAIMS, make(CLAIMS, spec={**CLAIM, **spec}))
    assert errors == []
    assert (obj["spec"].get("dataSource"), obj["spec"].get("dataSourceRef")) == (source, reference)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"dataSourceRef": {"kind": "Pod", "name": "p"}}, 'spec.dataSource: Invalid value: "Pod": must be'),
        ({"dataSourceRef": {}}, "spec.dataSource.name: Required value"),
        ({"volumeMode": ""}, 'spec.volumeMode: Unsupported value: ""'),
        ({"storageClassName": "A"}, 'spec.storageClassName: Invalid value: "A": '),
        (
            {"resources": {"requests": {"storage": "0"}}},
            'spec.resources[storage]: Invalid value: "0": must be greater than zero',
        ),
        (
            {
                "dataSource": {"kind": "PersistentVolumeClaim", "name": "a"},
                "dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "b"},
            },
            'spec: Invalid value: "spec.dataSource": must match dataSourceRef',
        ),
    ],
)
def test_claims_refused(spec: dict[str, Any], text: str) -> None:
    assert create(CLAIMS, make(CLAIMS, spec={**CLAIM, **spec}))[1][0].startswith(text)


def test_a_claim_without_a_class_may_get_one() -> None:
    old, _ = create(CLAIMS, make(CLAIMS, spec=CLAIM))
    assert update(CLAIMS, old, {**old, "spec": {**old["spec"], "storageClassName": "fast"}})[1] == []
    annotated = {
        **old,
        "metadata": {
            **old["metadata"],
            "annotations": {"volume.beta.kubernetes.io/storage-class": "slow"},
        },
    }
    assert (
        update(CLAIMS, annotated, {**annotated, "spec": {**old["spec"], "storageClassName": "slow"}})[1] == []
    )
    (first, *_) = update(CLAIMS, annotated, old)[1]
    assert first.startswith("metadata.annotations[volume.beta.kubernetes.io/storage-class]: Invalid value")


@pytest.mark.parametrize(("phase", "is_free"), [("Bound", True), ("Pending", False)])
def test_the_attributes_class_of_a_bound_claim_may_change(phase: str, is_free: bool) -> None:
    old = {**create(CLAIMS, make(CLAIMS, spec=CLAIM))[0], "status": {"phase": phase}}
    new = {**old, "spec": {**old["spec"], "volumeAttributesClassName": "gold"}}
    errors = update(CLAIMS, old, new)[1]
    assert (errors == []) is is_free
    assert all(error.startswith("spec: Forbidden: spec is immutable after creation") for error in errors)


def test_claim_statuses() -> None:
    old = make(CLAIMS, spec=CLAIM)
    status = {
        "capacity": {"storage": "-1"},
        "allocatedResources": {"cpu": "1"},
        "allocatedResourceStatuses": {"storage": "Thinking"},
    }
    errors = [str(error) for error in CLAIMS.strategy.validate_status({**old, "status": status}, old)]
    assert errors[0] == "status.capacity[storage]: Invalid value: -1: must be a valid resource quantity"
    assert errors[1].startswith('status.allocatedResourceStatus: Unsupported value: "storage"')
    assert errors[2] == 'status.allocatedResources: Unsupported value: "cpu": supported values: "storage"'


def test_claim_warnings() -> None:
    spec = {**CLAIM, "resources": {"requests": {"storage": "1500m"}}}
    assert CLAIMS.strategy.warnings(make(CLAIMS, spec=spec), None) == [
        'spec.resources.requests[storage]: fractional byte value "1500m" is invalid, must be an integer'
    ]
