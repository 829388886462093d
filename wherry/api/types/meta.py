# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `meta` types, for the type checker only."""

from __future__ import annotations

from typing import Any, TypedDict


class APIGroup(TypedDict, total=False):
    apiVersion: str
    kind: str
    name: str
    preferredVersion: GroupVersionForDiscovery
    serverAddressByClientCIDRs: list[ServerAddressByClientCIDR]
    versions: list[GroupVersionForDiscovery]


class APIGroupList(TypedDict, total=False):
    apiVersion: str
    groups: list[APIGroup]
    kind: str


class APIResource(TypedDict, total=False):
    categories: list[str]
    group: str
    kind: str
    name: str
    namespaced: bool
    shortNames: list[str]
    singularName: str
    storageVersionHash: str
    verbs: list[str]
    version: str


class APIResourceList(TypedDict, total=False):
    apiVersion: str
    groupVersion: str
    kind: str
    resources: list[APIResource]


class APIVersions(TypedDict, total=False):
    apiVersion: str
    kind: str
    serverAddressByClientCIDRs: list[ServerAddressByClientCIDR]
    versions: list[str]


class Condition(TypedDict, total=False):
    lastTransitionTime: str
    message: str
    observedGeneration: int
    reason: str
    status: str
    type: str


class DeleteOptions(TypedDict, total=False):
    apiVersion: str
    dryRun: list[str]
    gracePeriodSeconds: int
    ignoreStoreReadErrorWithClusterBreakingPotential: bool
    kind: str
    orphanDependents: bool
    preconditions: Preconditions
    propagationPolicy: str


class FieldSelectorRequirement(TypedDict, total=False):
    key: str
    operator: str
    values: list[str]


class GroupResource(TypedDict, total=False):
    group: str
    resource: str


class GroupVersionForDiscovery(TypedDict, total=False):
    groupVersion: str
    version: str


class LabelSelector(TypedDict, total=False):
    matchExpressions: list[LabelSelectorRequirement]
    matchLabels: dict[str, str]


class LabelSelectorRequirement(TypedDict, total=False):
    key: str
    operator: str
    values: list[str]


ListMeta = TypedDict(
    "ListMeta",
    {
        "continue": "str",
        "remainingItemCount": "int",
        "resourceVersion": "str",
        "selfLink": "str",
        "shardInfo": "ShardInfo",
    },
    total=False,
)


class ManagedFieldsEntry(TypedDict, total=False):
    apiVersion: str
    fieldsType: str
    fieldsV1: dict[str, Any]
    manager: str
    operation: str
    subresource: str
    time: str


class ObjectMeta(TypedDict, total=False):
    annotations: dict[str, str]
    creationTimestamp: str
    deletionGracePeriodSeconds: int
    deletionTimestamp: str
    finalizers: list[str]
    generateName: str
    generation: int
    labels: dict[str, str]
    managedFields: list[ManagedFieldsEntry]
    name: str
    namespace: str
    ownerReferences: list[OwnerReference]
    resourceVersion: str
    selfLink: str
    uid: str


class OwnerReference(TypedDict, total=False):
    apiVersion: str
    blockOwnerDeletion: bool
    controller: bool
    kind: str
    name: str
    uid: str


class Preconditions(TypedDict, total=False):
    resourceVersion: str
    uid: str


class ServerAddressByClientCIDR(TypedDict, total=False):
    clientCIDR: str
    serverAddress: str


class ShardInfo(TypedDict, total=False):
    selector: str


class Status(TypedDict, total=False):
    apiVersion: str
    code: int
    details: StatusDetails
    kind: str
    message: str
    metadata: ListMeta
    reason: str
    status: str


class StatusCause(TypedDict, total=False):
    field: str
    message: str
    reason: str


class StatusDetails(TypedDict, total=False):
    causes: list[StatusCause]
    group: str
    kind: str
    name: str
    retryAfterSeconds: int
    uid: str


class WatchEvent(TypedDict, total=False):
    object: dict[str, Any]
    type: str
