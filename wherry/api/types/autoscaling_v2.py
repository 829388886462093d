# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `autoscaling_v2` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import meta


class ContainerResourceMetricSource(TypedDict, total=False):
    container: str
    name: str
    target: MetricTarget


class ContainerResourceMetricStatus(TypedDict, total=False):
    container: str
    current: MetricValueStatus
    name: str


class CrossVersionObjectReference(TypedDict, total=False):
    apiVersion: str
    kind: str
    name: str


class ExternalMetricSource(TypedDict, total=False):
    metric: MetricIdentifier
    target: MetricTarget


class ExternalMetricStatus(TypedDict, total=False):
    current: MetricValueStatus
    metric: MetricIdentifier


class HPAScalingPolicy(TypedDict, total=False):
    periodSeconds: int
    type: str
    value: int


class HPAScalingRules(TypedDict, total=False):
    policies: list[HPAScalingPolicy]
    selectPolicy: str
    stabilizationWindowSeconds: int
    tolerance: str | int | float


class HorizontalPodAutoscaler(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: HorizontalPodAutoscalerSpec
    status: HorizontalPodAutoscalerStatus


class HorizontalPodAutoscalerBehavior(TypedDict, total=False):
    scaleDown: HPAScalingRules
    scaleUp: HPAScalingRules


class HorizontalPodAutoscalerCondition(TypedDict, total=False):
    lastTransitionTime: str
    message: str
    observedGeneration: int
    reason: str
    status: str
    type: str


class HorizontalPodAutoscalerList(TypedDict, total=False):
    apiVersion: str
    items: list[HorizontalPodAutoscaler]
    kind: str
    metadata: meta.ListMeta


class HorizontalPodAutoscalerSpec(TypedDict, total=False):
    behavior: HorizontalPodAutoscalerBehavior
    maxReplicas: int
    metrics: list[MetricSpec]
    minReplicas: int
    scaleTargetRef: CrossVersionObjectReference


class HorizontalPodAutoscalerStatus(TypedDict, total=False):
    conditions: list[HorizontalPodAutoscalerCondition]
    currentMetrics: list[MetricStatus]
    currentReplicas: int
    desiredReplicas: int
    lastScaleTime: str
    observedGeneration: int


class MetricIdentifier(TypedDict, total=False):
    name: str
    selector: meta.LabelSelector


class MetricSpec(TypedDict, total=False):
    containerResource: ContainerResourceMetricSource
    external: ExternalMetricSource
    object: ObjectMetricSource
    pods: PodsMetricSource
    resource: ResourceMetricSource
    type: str


class MetricStatus(TypedDict, total=False):
    containerResource: ContainerResourceMetricStatus
    external: ExternalMetricStatus
    object: ObjectMetricStatus
    pods: PodsMetricStatus
    resource: ResourceMetricStatus
    type: str


class MetricTarget(TypedDict, total=False):
    averageUtilization: int
    averageValue: str | int | float
    type: str
    value: str | int | float


class MetricValueStatus(TypedDict, total=False):
    averageUtilization: int
    averageValue: str | int | float
    value: str | int | float


class ObjectMetricSource(TypedDict, total=False):
    describedObject: CrossVersionObjectReference
    metric: MetricIdentifier
    target: MetricTarget


class ObjectMetricStatus(TypedDict, total=False):
    current: MetricValueStatus
    describedObject: CrossVersionObjectReference
    metric: MetricIdentifier


class PodsMetricSource(TypedDict, total=False):
    metric: MetricIdentifier
    target: MetricTarget


class PodsMetricStatus(TypedDict, total=False):
    current: MetricValueStatus
    metric: MetricIdentifier


class ResourceMetricSource(TypedDict, total=False):
    name: str
    target: MetricTarget


class ResourceMetricStatus(TypedDict, total=False):
    current: MetricValueStatus
    name: str
