"""ResourceSlice: some of the devices of a pool."""

from __future__ import annotations

from wherry.api.resource import Resource

RESOURCE_SLICES = Resource(
    group="resource.k8s.io",
    version="v1",
    kind="ResourceSlice",
    plural="resourceslices",
    namespaced=False,
    schema="io.k8s.api.resource.v1.ResourceSlice",
)
