# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `autoscaling` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import meta


class CrossVersionObjectReference(TypedDict, total=False):
    apiVersion: str
    kind: str
    name: str


class HorizontalPodAutoscaler(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: HorizontalPodAutoscalerSpec
    status: HorizontalPodAutoscalerStatus


class HorizontalPodAutoscalerList(TypedDict, total=False):
    apiVersion: str
    items: list[HorizontalPodAutoscaler]
    kind: str
    metadata: meta.ListMeta


class HorizontalPodAutoscalerSpec(TypedDict, total=False):
    maxReplicas: int
    minReplicas: int
    scaleTargetRef: CrossVersionObjectReference
    targetCPUUtilizationPercentage: int


class HorizontalPodAutoscalerStatus(TypedDict, total=False):
    currentCPUUtilizationPercentage: int
    currentReplicas: int
    desiredReplicas: int
    lastScaleTime: str
    observedGeneration: int


class Scale(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: ScaleSpec
    status: ScaleStatus


class ScaleSpec(TypedDict, total=False):
    replicas: int


class ScaleStatus(TypedDict, total=False):
    replicas: int
    selector: str
