"""DenyServiceExternalIPs (off unless asked for): no service takes over addresses of its own choice."""

from __future__ import annotations

from wherry.api.core.services import SERVICES
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CREATE, UPDATE, Attributes, BasePlugin
from wherry.objects.errors import forbidden

WHY = "Use of external IPs is denied by admission control."


class DenyServiceExternalIPs(BasePlugin):
    """See the module."""

    name = "DenyServiceExternalIPs"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        return resource is SERVICES and not subresource and operation in (CREATE, UPDATE)

    async def validate(self, attributes: Attributes) -> None:
        new, old = (
            set(((obj or {}).get("spec") or {}).get("externalIPs") or ())
            for obj in (attributes.obj, attributes.old)
        )
        if new - old:
            raise forbidden("services", "", attributes.name, WHY)
