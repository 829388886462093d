"""Which resources an API server serves: `Discovery`, for clients that are not in its process.

Kinds this project declares are those declarations; any other (custom resources, aggregated APIs) is as much
as discovery says of it. It looks anew when a definition or an APIService changes, and every half minute, as
upstream's garbage collector does. A group that does not answer keeps what was known of it. Source:
k8s.io/client-go, discovery.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from wherry.api.apiextensions.custom_resource_definitions import CUSTOM_RESOURCE_DEFINITIONS
from wherry.api.apiregistration.api_services import API_SERVICES
from wherry.api.catalog import BUILTIN
from wherry.api.resource import Resource, Subresource
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.kit.clock import Clock
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

log = logging.getLogger(__name__)

LOOK_EVERY_S = 30.0
AT_ONCE = 8
"""How many group versions are asked for at the same time."""


class Discovery:
    """The resources of the API server behind `client`."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._cache = Cache(client, clock)
        self._tasks = Tasks("discovery")
        self._known: dict[str, tuple[Resource, ...]] = {}
        """By group version, `v1` or `apps/v1`."""
        self._declared = {(one.api_version, one.plural): one for one in BUILTIN}
        self._looking = Repeater(
            "looking which resources are served", self._look_again, self._tasks, clock, expected=(ApiError,)
        )

    def resources(self) -> Sequence[Resource]:
        """What was served when it was last looked."""
        return [resource for found in self._known.values() for resource in found]

    async def start(self) -> None:
        """Look once, then follow; waits for the server."""
        for resource in (CUSTOM_RESOURCE_DEFINITIONS, API_SERVICES):
            self._cache.on(resource, lambda _old, _new: self._looking.poke())
        self._looking.poke()
        await self._looking.succeeded.wait()
        await self._cache.start()

    async def close(self) -> None:
        """Look no more."""
        await self._looking.close()
        await self._tasks.close()
        await self._cache.close()

    async def look(self) -> None:
        """See what is served now. Raises ApiError when the server does not say its groups."""
        call = self._client.transport.call
        core, groups = await asyncio.gather(call("GET", "/api"), call("GET", "/apis"))
        versions = [str(version) for version in core.get("versions") or ()]
        for group in groups.get("groups") or ():
            versions += [str(version["groupVersion"]) for version in group.get("versions") or ()]
        gate = asyncio.Semaphore(AT_ONCE)
        found = await asyncio.gather(*(self._of(version, gate) for version in versions))
        self._known = dict(zip(versions, found, strict=True))

    async def _look_again(self) -> float:
        await self.look()
        return LOOK_EVERY_S

    async def _of(self, version: str, gate: asyncio.Semaphore) -> tuple[Resource, ...]:
        before = self._known.get(version, ())
        path = f"/apis/{version}" if "/" in version else f"/api/{version}"
        try:
            async with gate:
                listed = await self._client.transport.call("GET", path)
        except ApiError as error:
            log.log(
                logging.DEBUG if error.is_told else logging.INFO,
                "resources of %s are not known: %s",
                version,
                error.message,
            )
            return before
        found = read_resources(version, listed.get("resources") or ())
        kept = {_shape(resource): resource for resource in before}
        return tuple(
            self._declared.get((version, made.plural)) or kept.get(_shape(made)) or made for made in found
        )


def read_resources(version: str, listed: Sequence[Object]) -> list[Resource]:
    """The resources of an APIResourceList of the group version, each with its subresources."""
    group, _, bare = version.rpartition("/")
    below: dict[str, list[Subresource]] = {}
    for entry in listed:
        plural, slash, name = str(entry["name"]).partition("/")
        if slash:
            below.setdefault(plural, []).append(Subresource(name, tuple(entry.get("verbs") or ())))
    return [
        Resource(
            group=group,
            version=bare,
            kind=str(entry["kind"]),
            plural=str(entry["name"]),
            namespaced=entry.get("namespaced") is True,
            singular=str(entry.get("singularName") or ""),
            verbs=tuple(entry.get("verbs") or ()),
            subresources=tuple(below.get(str(entry["name"]), ())),
            storage_key=f"{group}/{entry['name']}",
        )
        for entry in listed
        if "/" not in str(entry["name"])
    ]


def _shape(resource: Resource) -> tuple[object, ...]:
    """What tells two resources apart: one that did not change stays the same object."""
    below = tuple((one.name, one.verbs) for one in resource.subresources)
    return (resource.plural, resource.kind, resource.namespaced, resource.verbs, below)
