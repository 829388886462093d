"""StorageVersionMigration: asks that all objects of a kind be stored anew."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

STORAGE_VERSION_MIGRATIONS = Resource(
    group="storagemigration.k8s.io",
    version="v1",
    kind="StorageVersionMigration",
    plural="storageversionmigrations",
    namespaced=False,
    subresources=(Subresource("status"),),
    schema="io.k8s.api.storagemigration.v1.StorageVersionMigration",
)
