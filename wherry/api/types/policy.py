# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `policy` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import meta


class Eviction(TypedDict, total=False):
    apiVersion: str
    deleteOptions: meta.DeleteOptions
    kind: str
    metadata: meta.ObjectMeta


class PodDisruptionBudget(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: PodDisruptionBudgetSpec
    status: PodDisruptionBudgetStatus


class PodDisruptionBudgetList(TypedDict, total=False):
    apiVersion: str
    items: list[PodDisruptionBudget]
    kind: str
    metadata: meta.ListMeta


class PodDisruptionBudgetSpec(TypedDict, total=False):
    maxUnavailable: int | str
    minAvailable: int | str
    selector: meta.LabelSelector
    unhealthyPodEvictionPolicy: str


class PodDisruptionBudgetStatus(TypedDict, total=False):
    conditions: list[meta.Condition]
    currentHealthy: int
    desiredHealthy: int
    disruptedPods: dict[str, str]
    disruptionsAllowed: int
    expectedPods: int
    observedGeneration: int
