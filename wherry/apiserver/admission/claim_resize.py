"""PersistentVolumeClaimResize: a claim grows only where its storage class lets it."""

from __future__ import annotations

from decimal import Decimal

from wherry.api.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIMS
from wherry.api.quota.claims import class_of_claim
from wherry.api.resource import Resource
from wherry.api.storage.storage_classes import STORAGE_CLASSES
from wherry.apiserver.admission.base import UPDATE, Attributes, BasePlugin
from wherry.objects.errors import forbidden
from wherry.objects.meta import Object
from wherry.objects.quantity import parse_quantity

NOT_BOUND = "Only bound persistent volume claims can be expanded"
NOT_EXPANDABLE = (
    "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc "
    "must support resize"
)


class PersistentVolumeClaimResize(BasePlugin):
    """See the module."""

    name = "PersistentVolumeClaimResize"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        return resource is PERSISTENT_VOLUME_CLAIMS and not subresource and operation == UPDATE

    async def validate(self, attributes: Attributes) -> None:
        new, old = attributes.obj or {}, attributes.old or {}
        if _size(new) <= _size(old):
            return
        if (old.get("status") or {}).get("phase") != "Bound":
            raise forbidden(attributes.resource.plural, "", attributes.name, NOT_BOUND)
        served = attributes.core.registry.of(STORAGE_CLASSES)
        await served.source.open()
        name = class_of_claim(new)
        cached = served.get("", name) if name and name == class_of_claim(old) else None
        if cached is None or not cached.decode().get("allowVolumeExpansion"):
            raise forbidden(attributes.resource.plural, "", attributes.name, NOT_EXPANDABLE)


def _size(claim: Object) -> Decimal:
    resources = (claim.get("spec") or {}).get("resources") or {}
    return parse_quantity((resources.get("requests") or {}).get("storage") or "0")
