"""AlwaysPullImages (off unless asked for): nobody runs an image on a node without being let to pull it."""

from __future__ import annotations

from wherry.api.core.pods import PODS
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CREATE, UPDATE, Attributes, BasePlugin

FIELDS = ("initContainers", "containers", "ephemeralContainers")


class AlwaysPullImages(BasePlugin):
    """See the module."""

    name = "AlwaysPullImages"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        return (
            resource is PODS and subresource in ("", "ephemeralcontainers") and operation in (CREATE, UPDATE)
        )

    async def admit(self, attributes: Attributes) -> None:
        spec = (attributes.obj or {}).get("spec") or {}
        old = (attributes.old or {}).get("spec") or {}
        for field in FIELDS:
            before = {c.get("name"): c.get("image") for c in old.get(field) or ()}
            for container in spec.get(field) or ():
                if before.get(container.get("name")) != container.get("image"):
                    container["imagePullPolicy"] = "Always"
