"""storagemigration.k8s.io/v1beta1: migrations, which are stored in it."""

from __future__ import annotations

from wherry.api.storagemigration.storage_version_migrations import STORAGE_VERSION_MIGRATIONS as MIGRATIONS
from wherry.api.versions import earlier

STORAGE_VERSION_MIGRATIONS = earlier(
    MIGRATIONS,
    "storagemigration.k8s.io/v1beta1",
    None,
    schema="storagemigration.v1beta1",
    is_current=True,
)
