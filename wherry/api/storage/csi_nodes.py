"""CSINode: the storage drivers of a node."""

from __future__ import annotations

from wherry.api.resource import Resource

CSI_NODES = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="CSINode",
    plural="csinodes",
    namespaced=False,
    schema="io.k8s.api.storage.v1.CSINode",
)
