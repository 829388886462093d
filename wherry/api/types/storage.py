# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `storage` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import core, meta


class CSIDriver(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: CSIDriverSpec


class CSIDriverList(TypedDict, total=False):
    apiVersion: str
    items: list[CSIDriver]
    kind: str
    metadata: meta.ListMeta


class CSIDriverSpec(TypedDict, total=False):
    attachRequired: bool
    fsGroupPolicy: str
    nodeAllocatableUpdatePeriodSeconds: int
    podInfoOnMount: bool
    preventPodSchedulingIfMissing: bool
    requiresRepublish: bool
    seLinuxMount: bool
    serviceAccountTokenInSecrets: bool
    storageCapacity: bool
    tokenRequests: list[TokenRequest]
    volumeLifecycleModes: list[str]


class CSINode(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: CSINodeSpec
    status: CSINodeStatus


class CSINodeDriver(TypedDict, total=False):
    allocatable: VolumeNodeResources
    name: str
    nodeID: str
    topologyKeys: list[str]


class CSINodeList(TypedDict, total=False):
    apiVersion: str
    items: list[CSINode]
    kind: str
    metadata: meta.ListMeta


class CSINodeSpec(TypedDict, total=False):
    drivers: list[CSINodeDriver]


class CSINodeStatus(TypedDict, total=False):
    storageHealth: list[StorageHealth]


class CSIStorageCapacity(TypedDict, total=False):
    apiVersion: str
    capacity: str | int | float
    kind: str
    maximumVolumeSize: str | int | float
    metadata: meta.ObjectMeta
    nodeTopology: meta.LabelSelector
    storageClassName: str


class CSIStorageCapacityList(TypedDict, total=False):
    apiVersion: str
    items: list[CSIStorageCapacity]
    kind: str
    metadata: meta.ListMeta


class StorageClass(TypedDict, total=False):
    allowVolumeExpansion: bool
    allowedTopologies: list[core.TopologySelectorTerm]
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    mountOptions: list[str]
    parameters: dict[str, str]
    provisioner: str
    reclaimPolicy: str
    volumeBindingMode: str


class StorageClassList(TypedDict, total=False):
    apiVersion: str
    items: list[StorageClass]
    kind: str
    metadata: meta.ListMeta


class StorageHealth(TypedDict, total=False):
    healthConditions: list[StorageHealthCondition]
    name: str


class StorageHealthCondition(TypedDict, total=False):
    accessMode: str
    lastTransitionTime: str
    message: str
    reason: str
    status: str
    volumeMode: str


class TokenRequest(TypedDict, total=False):
    audience: str
    expirationSeconds: int


class VolumeAttachment(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: VolumeAttachmentSpec
    status: VolumeAttachmentStatus


class VolumeAttachmentList(TypedDict, total=False):
    apiVersion: str
    items: list[VolumeAttachment]
    kind: str
    metadata: meta.ListMeta


class VolumeAttachmentSource(TypedDict, total=False):
    inlineVolumeSpec: core.PersistentVolumeSpec
    persistentVolumeName: str


class VolumeAttachmentSpec(TypedDict, total=False):
    attacher: str
    nodeName: str
    source: VolumeAttachmentSource


class VolumeAttachmentStatus(TypedDict, total=False):
    attachError: VolumeError
    attached: bool
    attachmentMetadata: dict[str, str]
    detachError: VolumeError


class VolumeAttributesClass(TypedDict, total=False):
    apiVersion: str
    driverName: str
    kind: str
    metadata: meta.ObjectMeta
    parameters: dict[str, str]


class VolumeAttributesClassList(TypedDict, total=False):
    apiVersion: str
    items: list[VolumeAttributesClass]
    kind: str
    metadata: meta.ListMeta


class VolumeError(TypedDict, total=False):
    errorCode: int
    message: str
    time: str


class VolumeNodeResources(TypedDict, total=False):
    count: int
