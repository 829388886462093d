"""StorageObjectInUseProtection: claims and volumes are not gone before nobody uses them any more.

They get a finalizer at birth, which a controller takes off when they are deleted and unused.
"""

from __future__ import annotations

from wherry.api.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIMS
from wherry.api.core.persistent_volumes import PERSISTENT_VOLUMES
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CREATE, Attributes, BasePlugin

FINALIZERS = {
    PERSISTENT_VOLUME_CLAIMS: "kubernetes.io/pvc-protection",
    PERSISTENT_VOLUMES: "kubernetes.io/pv-protection",
}


class StorageObjectInUseProtection(BasePlugin):
    """See the module."""

    name = "StorageObjectInUseProtection"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        return resource in FINALIZERS and not subresource and operation == CREATE

    async def admit(self, attributes: Attributes) -> None:
        if attributes.obj is None:
            return
        meta = attributes.obj["metadata"]
        finalizers = meta.get("finalizers") or []
        wanted = FINALIZERS[attributes.resource]
        if wanted not in finalizers:
            meta["finalizers"] = [*finalizers, wanted]
