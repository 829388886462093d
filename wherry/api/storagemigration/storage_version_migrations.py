"""StorageVersionMigration: asks that all objects of a kind be stored anew. Its spec never changes."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy

_SCHEMA = "io.k8s.api.storagemigration.v1.StorageVersionMigration"


STORAGE_VERSION_MIGRATIONS = Resource(
    group="storagemigration.k8s.io",
    version="v1",
    kind="StorageVersionMigration",
    plural="storageversionmigrations",
    namespaced=False,
    subresources=(Subresource("status"),),
    strategy=SchemaStrategy(schema=_SCHEMA, namespaced=False, has_status=True, immutable=("spec",)),
    schema=_SCHEMA,
    storage_version=("storagemigration.k8s.io", "v1beta1"),  # which the release before can read
)
