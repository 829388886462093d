# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `coordination_v1beta1` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import meta


class LeaseCandidate(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: LeaseCandidateSpec


class LeaseCandidateList(TypedDict, total=False):
    apiVersion: str
    items: list[LeaseCandidate]
    kind: str
    metadata: meta.ListMeta


class LeaseCandidateSpec(TypedDict, total=False):
    binaryVersion: str
    emulationVersion: str
    leaseName: str
    pingTime: str
    renewTime: str
    strategy: str
