"""What drivers of storage say of themselves, and attachments of volumes."""

from typing import Any

import pytest

from tests.api.objects import create, make, update
from wherry.api.resource import Resource
from wherry.api.storage.csi_drivers import CSI_DRIVERS
from wherry.api.storage.csi_nodes import CSI_NODES
from wherry.api.storage.storage_classes import STORAGE_CLASSES
from wherry.api.storage.volume_attachments import VOLUME_ATTACHMENTS

NODE_DRIVER = {"name": "d.example.com", "nodeID": "n"}
ATTACHMENT = {"attacher": "d.example.com", "nodeName": "n"}
INLINE = {"accessModes": ["ReadWriteOnce"], "csi": {"driver": "d.example.com", "volumeHandle": "h"}}


@pytest.mark.parametrize(
    ("resource", "spec", "texts"),
    [
        (CSI_DRIVERS, {"tokenRequests": [{"audience": ""}]}, []),
        (
            CSI_DRIVERS,
            {"tokenRequests": [{"audience": "a", "expirationSeconds": 1}, {"audience": "a"}]},
            [
                (
                    "spec.tokenRequests[0].expirationSeconds: Invalid value: 1: "
                    "may not specify a duration less than 10 minutes"
                ),
                'spec.tokenRequests[1].audience: Duplicate value: "a"',
            ],
        ),
        (
            CSI_DRIVERS,
            {"nodeAllocatableUpdatePeriodSeconds": 9},
            [
                (
                    "spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 9: "
                    "must be greater than or equal to 10 seconds"
                )
            ],
        ),
        (
            CSI_NODES,
            {"drivers": [NODE_DRIVER, NODE_DRIVER]},
            ['spec.drivers[1].name: Duplicate value: "d.example.com"'],
        ),
        (
            CSI_NODES,
            {"drivers": [{**NODE_DRIVER, "allocatable": {"count": -1}, "topologyKeys": ["a", "a"]}]},
            [
                ("spec.drivers[0].allocatable.count: Invalid value: -1: must be greater than or equal to 0"),
                'spec.drivers[0]: Duplicate value: "a"',
            ],
        ),
        (
            VOLUME_ATTACHMENTS,
            {**ATTACHMENT, "source": {"persistentVolumeName": "v", "inlineVolumeSpec": INLINE}},
            [
                (
                    "spec.source: Forbidden: "
                    "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
                )
            ],
        ),
        (VOLUME_ATTACHMENTS, {**ATTACHMENT, "source": {"inlineVolumeSpec": INLINE}}, []),
        (
            VOLUME_ATTACHMENTS,
            {**ATTACHMENT, "source": {"inlineVolumeSpec": {**INLINE, "capacity": {"storage": "1"}}}},
            [
                (
                    "spec.source.inlineVolumeSpec.capacity: Forbidden: "
                    "may not be specified in the context of inline volumes"
                )
            ],
        ),
    ],
)
def test_specs(resource: Resource, spec: dict[str, Any], texts: list[str]) -> None:
    assert create(resource, make(resource, spec=spec))[1] == texts


def test_limits_of_a_driver_may_change() -> None:
    old = make(CSI_NODES, spec={"drivers": [{**NODE_DRIVER, "allocatable": {"count": 1}}]})
    new = {**old, "spec": {"drivers": [{**NODE_DRIVER, "allocatable": {"count": 2}}]}}
    assert update(CSI_NODES, old, new)[1] == []


def test_attachment_statuses() -> None:
    old = make(VOLUME_ATTACHMENTS, spec={**ATTACHMENT, "source": {"persistentVolumeName": "v"}})
    error = {"message": "x" * 1025, "errorCode": -1}
    errors = VOLUME_ATTACHMENTS.strategy.validate_status({**old, "status": {"attachError": error}}, old)
    assert [str(e) for e in errors] == [
        "status.attachError.message: Too long: may not be more than 262144 bytes",
        "status.attachError.errorCode: Invalid value: -1: must be between 0 and 2147483647, inclusive",
    ]


@pytest.mark.parametrize(
    ("parts", "texts"),
    [
        ({"provisioner": "Example.com/P"}, []),
        ({"parameters": {"": "v"}}, ['parameters: Invalid value: "": field can not be empty.']),
        (
            {"parameters": {str(i): "" for i in range(513)}},
            ["parameters: Too long: may not be more than 512 bytes"],
        ),
        (
            {"allowedTopologies": [{"matchLabelExpressions": [{"key": "z", "values": ["a", "a"]}] * 2}]},
            [
                'allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: "a"',
                'allowedTopologies[0].matchLabelExpressions[1].values[1]: Duplicate value: "a"',
                'allowedTopologies[0].matchLabelExpressions[1].key: Duplicate value: "z"',
            ],
        ),
    ],
)
def test_storage_classes(parts: dict[str, Any], texts: list[str]) -> None:
    obj = make(STORAGE_CLASSES, **{"provisioner": "example.com/p", **parts})
    assert create(STORAGE_CLASSES, obj)[1] == texts


def test_old_labels_warn() -> None:
    zone = {"key": "failure-domain.beta.kubernetes.io/zone", "values": ["a"]}
    obj = make(STORAGE_CLASSES, provisioner="p", allowedTopologies=[{"matchLabelExpressions": [zone]}])
    assert STORAGE_CLASSES.strategy.warnings(obj, None) == [
        (
            "allowedTopologies[0].matchLabelExpressions[0].key: deprecated since v1.17; "
            'use "topology.kubernetes.io/zone" instead'
        )
    ]
