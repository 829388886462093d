"""CSIStorageCapacity: how much storage is left where."""

from __future__ import annotations

from wherry.api.resource import Resource

CSI_STORAGE_CAPACITIES = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="CSIStorageCapacity",
    plural="csistoragecapacities",
    namespaced=True,
    schema="io.k8s.api.storage.v1.CSIStorageCapacity",
)
