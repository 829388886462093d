"""DefaultStorageClass: a claim that names no class gets the cluster's default one."""

from __future__ import annotations

from wherry.api.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIMS
from wherry.api.quota.claims import BETA_CLASS
from wherry.api.resource import Resource
from wherry.api.storage.storage_classes import IS_DEFAULT, STORAGE_CLASSES, is_default_class
from wherry.apiserver.admission.base import CREATE, Attributes, BasePlugin
from wherry.objects.meta import Object, annotations_of, metadata, name_of


class DefaultStorageClass(BasePlugin):
    """See the module."""

    name = "DefaultStorageClass"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        return resource is PERSISTENT_VOLUME_CLAIMS and not subresource and operation == CREATE

    async def admit(self, attributes: Attributes) -> None:
        claim = attributes.obj
        if claim is None:
            return
        spec = claim.setdefault("spec", {})
        if spec.get("storageClassName") is not None or BETA_CLASS in annotations_of(claim):
            return
        served = attributes.core.registry.of(STORAGE_CLASSES)
        await served.source.open()
        chosen = choose_default([item.decode() for item in await served.cacher.having(IS_DEFAULT, "true")])
        if chosen:
            spec["storageClassName"] = chosen


def choose_default(classes: list[Object]) -> str:
    """The name of the default class: of several the youngest, then the first by name; "" for none."""
    defaults = sorted((c for c in classes if is_default_class(c)), key=name_of)
    if not defaults:
        return ""
    # max keeps the first of equals, and times sort as text.
    return name_of(max(defaults, key=lambda item: metadata(item).get("creationTimestamp") or ""))
