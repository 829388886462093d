# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `scheduling_v1beta1` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import meta


class CompositeDisruptionMode(TypedDict, total=False):
    all: dict[str, Any]
    single: dict[str, Any]


class CompositeGangSchedulingPolicy(TypedDict, total=False):
    minGroupCount: int


class CompositePodGroupSchedulingConstraints(TypedDict, total=False):
    topology: list[TopologyConstraint]


class CompositePodGroupSchedulingPolicy(TypedDict, total=False):
    basic: dict[str, Any]
    gang: CompositeGangSchedulingPolicy


class CompositePodGroupTemplate(TypedDict, total=False):
    compositePodGroupTemplates: list[CompositePodGroupTemplate]
    disruptionMode: CompositeDisruptionMode
    name: str
    podGroupTemplates: list[PodGroupTemplate]
    preemptionPolicy: str
    priority: int
    priorityClassName: str
    schedulingConstraints: CompositePodGroupSchedulingConstraints
    schedulingPolicy: CompositePodGroupSchedulingPolicy


class DisruptionMode(TypedDict, total=False):
    all: dict[str, Any]
    single: dict[str, Any]


class GangSchedulingPolicy(TypedDict, total=False):
    minCount: int


class PodGroup(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: PodGroupSpec
    status: PodGroupStatus


class PodGroupList(TypedDict, total=False):
    apiVersion: str
    items: list[PodGroup]
    kind: str
    metadata: meta.ListMeta


class PodGroupResourceClaim(TypedDict, total=False):
    name: str
    resourceClaimName: str
    resourceClaimTemplateName: str


class PodGroupResourceClaimStatus(TypedDict, total=False):
    name: str
    resourceClaimName: str


class PodGroupSchedulingConstraints(TypedDict, total=False):
    topology: list[TopologyConstraint]


class PodGroupSchedulingPolicy(TypedDict, total=False):
    basic: dict[str, Any]
    gang: GangSchedulingPolicy


class PodGroupSpec(TypedDict, total=False):
    disruptionMode: DisruptionMode
    parentCompositePodGroupName: str
    preemptionPolicy: str
    priority: int
    priorityClassName: str
    resourceClaims: list[PodGroupResourceClaim]
    schedulingConstraints: PodGroupSchedulingConstraints
    schedulingPolicy: PodGroupSchedulingPolicy
    workloadRef: WorkloadReference


class PodGroupStatus(TypedDict, total=False):
    conditions: list[meta.Condition]
    resourceClaimStatuses: list[PodGroupResourceClaimStatus]


class PodGroupTemplate(TypedDict, total=False):
    disruptionMode: DisruptionMode
    name: str
    preemptionPolicy: str
    priority: int
    priorityClassName: str
    resourceClaims: list[PodGroupResourceClaim]
    schedulingConstraints: PodGroupSchedulingConstraints
    schedulingPolicy: PodGroupSchedulingPolicy


class TopologyConstraint(TypedDict, total=False):
    key: str


class TypedLocalObjectReference(TypedDict, total=False):
    apiGroup: str
    kind: str
    name: str


class Workload(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: WorkloadSpec


class WorkloadList(TypedDict, total=False):
    apiVersion: str
    items: list[Workload]
    kind: str
    metadata: meta.ListMeta


class WorkloadReference(TypedDict, total=False):
    templateName: str
    workloadName: str


class WorkloadSpec(TypedDict, total=False):
    compositePodGroupTemplates: list[CompositePodGroupTemplate]
    controllerRef: TypedLocalObjectReference
    podGroupTemplates: list[PodGroupTemplate]
