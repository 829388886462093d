"""Services for the tests of this folder, and the IPAddresses they have."""

from __future__ import annotations

from typing import Any

from wherry.api.core.services import SERVICES
from wherry.api.networking.ip_addresses import IP_ADDRESSES
from wherry.client.api import Client
from wherry.objects.meta import Object, name_of


def service(name: str, **spec: Any) -> Object:
    """A Service with one port."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"ports": [{"port": 80}], **spec},
    }


async def create(client: Client, name: str, **spec: Any) -> Object:
    """Create one; its spec as stored."""
    made: Object = (await client.create(SERVICES, service(name, **spec)))["spec"]
    return made


async def given(client: Client) -> dict[str, str]:
    """Who has which address, by the IPAddresses; without the API server's own."""
    found = (await client.list(IP_ADDRESSES)).items
    return {
        name_of(one): parent["name"]
        for one in found
        if (parent := one["spec"]["parentRef"])["name"] != "kubernetes"
    }
