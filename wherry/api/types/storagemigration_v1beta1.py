# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `storagemigration_v1beta1` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import meta


class StorageVersionMigration(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: StorageVersionMigrationSpec
    status: StorageVersionMigrationStatus


class StorageVersionMigrationList(TypedDict, total=False):
    apiVersion: str
    items: list[StorageVersionMigration]
    kind: str
    metadata: meta.ListMeta


class StorageVersionMigrationSpec(TypedDict, total=False):
    resource: meta.GroupResource


class StorageVersionMigrationStatus(TypedDict, total=False):
    conditions: list[meta.Condition]
    resourceVersion: str
