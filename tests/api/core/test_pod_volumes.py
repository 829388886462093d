from __future__ import annotations

from typing import Any

import pytest

from tests.api.core.examples import create, pod
from wherry.api.core.pods import PODS
from wherry.objects.names import dns1123_subdomain_errors

V = "spec.volumes[0]"
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
MODE = "must be a number between 0 and 0777 (octal), both inclusive"

CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no name": ({"name": "", "emptyDir": {}}, [f"{V}.name: Required value"]),
    "two sources": (
        {"emptyDir": {}, "hostPath": {"path": "/x"}},
        [f"{V}.hostPath: Forbidden: may not specify more than 1 volume type"],
    ),
    "host path without path": ({"hostPath": {"path": ""}}, [f"{V}.hostPath.path: Required value"]),
    "host path going up": (
        {"hostPath": {"path": "/a/../b"}},
        [f"{V}.hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"],
    ),
    "host path type": (
        {"hostPath": {"path": "/x", "type": "Door"}},
        [
            (
                f'{V}.hostPath.type: Unsupported value: "Door": supported values: "", "BlockDevice", '
                '"CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"'
            )
        ],
    ),
    "size limit": (
        {"emptyDir": {"sizeLimit": "-1"}},
        [f"{V}.emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity"],
    ),
    "secret without name": ({"secret": {}}, [f"{V}.secret.secretName: Required value"]),
    "secret mode": (
        {"secret": {"secretName": "s", "defaultMode": 0o1000}},
        [f"{V}.secret.defaultMode: Invalid value: 512: {MODE}"],
    ),
    "config map item": (
        {"configMap": {"name": "c", "items": [{"key": "", "path": "/x"}]}},
        [
            f"{V}.configMap.items[0].key: Required value",
            f'{V}.configMap.items[0].path: Invalid value: "/x": must be a relative path',
        ],
    ),
    "reserved path": (
        {"configMap": {"name": "c", "items": [{"key": "k", "path": "..data"}]}},
        [f"{V}.configMap.items[0].path: Invalid value: \"..data\": must not start with '..'"],
    ),
    "claim without name": (
        {"persistentVolumeClaim": {}},
        [f"{V}.persistentVolumeClaim.claimName: Required value"],
    ),
    "downward file of nothing": (
        {"downwardAPI": {"items": [{"path": "a"}]}},
        [f"{V}.downwardAPI: Required value: one of fieldRef and resourceFieldRef is required"],
    ),
    "downward resource without container": (
        {"downwardAPI": {"items": [{"path": "a", "resourceFieldRef": {"resource": "limits.cpu"}}]}},
        [f"{V}.downwardAPI.resourceFieldRef.containerName: Required value"],
    ),
    "projected twice at one path": (
        {
            "projected": {
                "sources": [
                    {"secret": {"name": "s", "items": [{"key": "a", "path": "x"}]}},
                    {"configMap": {"name": "c", "items": [{"key": "a", "path": "x"}]}},
                ]
            }
        },
        [f'{V}.projected: Invalid value: "c": conflicting duplicate paths'],
    ),
    "short token": (
        {"projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 60}}]}},
        [
            (
                f"{V}.projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 60: "
                "may not specify a duration less than 10 minutes"
            ),
            (
                f"{V}.projected.sources[0].serviceAccountToken: Forbidden: "
                "must not be specified when serviceAccountName is not set"
            ),
        ],
    ),
    "two in one source": (
        {"projected": {"sources": [{"secret": {"name": "s"}, "configMap": {"name": "c"}}]}},
        [f"{V}.projected.sources[0]: Forbidden: may not specify more than 1 volume type per source"],
    ),
    "nfs": (
        {"nfs": {"server": "s", "path": "x"}},
        [f'{V}.nfs.path: Invalid value: "x": must be an absolute path'],
    ),
    "csi": (
        {"csi": {}},
        [
            f"{V}.csi.driver: Required value",
            *(f'{V}.csi.driver: Invalid value: "": {text}' for text in dns1123_subdomain_errors("")),
        ],
    ),
    "csi secret": (
        {"csi": {"driver": "d", "nodePublishSecretRef": {}}},
        [f"{V}.csi.nodePublishSecretRef.name: Required value"],
    ),
    "ephemeral metadata": (
        {"ephemeral": {"volumeClaimTemplate": {"metadata": {"name": "x"}, "spec": CLAIM}}},
        [f"{V}.ephemeral.volumeClaimTemplate.metadata.name: Forbidden: cannot be set"],
    ),
    "ephemeral class": (
        {"ephemeral": {"volumeClaimTemplate": {"spec": {**CLAIM, "volumeMode": "Tape"}}}},
        [
            (
                f'{V}.ephemeral.volumeClaimTemplate.spec.volumeMode: Unsupported value: "Tape": '
                'supported values: "Block", "Filesystem"'
            )
        ],
    ),
    "image": ({"image": {"reference": ""}}, [f"{V}.image.reference: Required value"]),
    "iscsi": (
        {"iscsi": {"targetPortal": "p", "iqn": "abc", "lun": 256}},
        [
            f'{V}.iscsi.iqn: Invalid value: "abc": must be valid format starting with iqn, eui, or naa',
            f"{V}.iscsi.lun: Invalid value: 256: must be between 0 and 255, inclusive",
        ],
    ),
    "ephemeral without template": (
        {"ephemeral": {}},
        [f"{V}.ephemeral.volumeClaimTemplate: Required value"],
    ),
}


@pytest.mark.parametrize(("source", "expected"), CASES.values(), ids=CASES.keys())
def test_what_is_wrong(source: dict[str, Any], expected: list[str]) -> None:
    assert create(PODS, pod(**{"spec.volumes": [{"name": "v", **source}]})) == expected


def test_two_volumes_of_one_name() -> None:
    volumes = [{"name": "v", "emptyDir": {}}, {"name": "v", "emptyDir": {}}]
    assert create(PODS, pod(**{"spec.volumes": volumes})) == ['spec.volumes[1].name: Duplicate value: "v"']


def test_a_claim_made_for_an_ephemeral_volume_is_its_own() -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    volumes = [
        {"name": "a", "ephemeral": {"volumeClaimTemplate": {"spec": spec}}},
        {"name": "b", "persistentVolumeClaim": {"claimName": "web-a"}},
    ]
    assert create(PODS, pod(**{"spec.volumes": volumes})) == [
        (
            'spec.volumes[1].persistentVolumeClaim.claimName: Invalid value: "web-a": '
            "must not reference a PVC that gets created for an ephemeral volume"
        )
    ]
