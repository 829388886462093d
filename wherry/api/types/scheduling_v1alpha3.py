# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `scheduling_v1alpha3` types, for the type checker only."""

from __future__ import annotations

from typing import Any, TypedDict


class TopologyConstraint(TypedDict, total=False):
    key: str


class WorkloadPodGroupDisruptionMode(TypedDict, total=False):
    all: dict[str, Any]
    single: dict[str, Any]


class WorkloadPodGroupGangSchedulingPolicy(TypedDict, total=False):
    minCount: int


class WorkloadPodGroupResourceClaim(TypedDict, total=False):
    name: str
    resourceClaimName: str
    resourceClaimTemplateName: str


class WorkloadPodGroupSchedulingConstraints(TypedDict, total=False):
    topology: list[TopologyConstraint]


class WorkloadPodGroupSchedulingPolicy(TypedDict, total=False):
    basic: dict[str, Any]
    gang: WorkloadPodGroupGangSchedulingPolicy
