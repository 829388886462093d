# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `coordination` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import meta


class Lease(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: LeaseSpec


class LeaseList(TypedDict, total=False):
    apiVersion: str
    items: list[Lease]
    kind: str
    metadata: meta.ListMeta


class LeaseSpec(TypedDict, total=False):
    acquireTime: str
    holderIdentity: str
    leaseDurationSeconds: int
    leaseTransitions: int
    preferredHolder: str
    renewTime: str
    strategy: str
