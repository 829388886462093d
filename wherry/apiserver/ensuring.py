"""Objects the API server itself wants to be there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from wherry.api.resource import Resource
from wherry.apiserver.parts import Parts
from wherry.client.api import Client
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, name_of, namespace_of


async def ensure(core: Parts, client: Client, resource: Resource, wanted: Sequence[Object]) -> None:
    """Create those of `wanted` that are not there."""
    served = core.registry.of(resource)
    await served.source.open()
    missing = [obj for obj in wanted if served.get(namespace_of(obj), name_of(obj)) is None]
    await asyncio.gather(*(create_if_missing(client, resource, obj) for obj in missing))


async def create_if_missing(client: Client, resource: Resource, obj: Object) -> None:
    """Create `obj` unless there is one of its name."""
    try:
        await client.create(resource, obj)
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise
