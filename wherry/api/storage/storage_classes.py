"""StorageClass: a kind of storage that volumes are made of."""

from __future__ import annotations

from wherry.api.resource import Resource

STORAGE_CLASSES = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="StorageClass",
    plural="storageclasses",
    namespaced=False,
    short_names=("sc",),
    schema="io.k8s.api.storage.v1.StorageClass",
)
