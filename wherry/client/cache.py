"""What a component knows of the cluster: one informer per resource, shared by all its readers.

`Cache` is how components read. It answers at once from memory, calls handlers on changes, and its
objects are shared: nobody may change one. It lags behind the API server by one watch delivery, so
whoever writes and then reads must be prepared not to see its own write yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from wherry.api.resource import Resource
from wherry.client.api import Client
from wherry.client.informer import (
    OWNER,
    Handler,
    IndexFunction,
    Informer,
    Objects,
    Scope,
    Shelf,
    owner_value,
)
from wherry.kit.clock import Clock
from wherry.kit.tasks import Tasks
from wherry.objects.meta import Object


class Cache:
    """Informers over one client.

    `random` spreads retries (a private one if not given). `transform`, if given, maps every object
    to what is kept of it, so a reader that needs little of much does not hold it all.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        *,
        random: Random | None = None,
        transform: Callable[[Object], Object] | None = None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._random = random or Random()  # noqa: S311 - spreads retries, guards nothing
        self._transform = transform
        self._informers: dict[Resource, Informer] = {}
        self._running: dict[Resource, Tasks] = {}
        self._started = False

    def add(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
    ) -> Informer:
        """Keep `resource` (or the selected part of it); an informer that is there is returned.

        Before `start` it begins then, afterwards at once. Raises ValueError when the resource is
        kept already with another selection: one cache has one view of a resource.
        """
        scope = Scope(namespace, label_selector, field_selector)
        informer = self._informers.get(resource)
        if informer is not None:
            if scope != informer.scope:
                raise ValueError(f"{resource.plural} is cached with {informer.scope}, asked for {scope}")
            return informer
        shelf = Shelf(self._transform)
        informer = Informer(self._client, resource, scope, self._clock, self._random, shelf)
        self._informers[resource] = informer
        if self._started:
            self._run(informer)
        return informer

    async def remove(self, resource: Resource) -> None:
        """Stop following `resource` and forget its objects, without telling handlers."""
        self._informers.pop(resource, None)
        running = self._running.pop(resource, None)
        if running is not None:
            await running.close()

    def on(self, resource: Resource, handler: Handler) -> None:
        """Call `handler(old, new)` on the event loop for every change of `resource` (added if need be).

        It is called at once for each object already known, as new. It must not block; what it
        raises is logged.
        """
        self.informer(resource).shelf.on(handler)

    async def start(self) -> None:
        """Begin following; returns when every informer added so far has listed once."""
        if not self._started:
            self._started = True
            for informer in list(self._informers.values()):
                self._run(informer)
        await self.wait_synced()

    async def wait_synced(self) -> None:
        """Return when every informer added so far has listed once."""
        for informer in list(self._informers.values()):
            await informer.wait_synced()

    async def close(self) -> None:
        """Stop following; what was known stays readable."""
        await asyncio.gather(*(running.close() for running in self._running.values()))
        self._running.clear()

    def synced(self, resource: Resource) -> bool:
        """Whether the resource is followed and was listed once."""
        informer = self._informers.get(resource)
        return informer is not None and informer.synced

    @property
    def resources(self) -> tuple[Resource, ...]:
        """What is followed."""
        return tuple(self._informers)

    def get(self, resource: Resource, key: str) -> Object | None:
        """The object of `namespace/name` (`name` alone without namespace), None if not known.

        This and the readers below raise KeyError for a resource that was never added.
        """
        return self._informers[resource].shelf.get(key)

    def list(self, resource: Resource, namespace: str = "") -> Objects:
        """All known objects, or those of one namespace."""
        return self._informers[resource].shelf.list(namespace)

    def owned(self, resource: Resource, owner_uid: str, namespace: str) -> Objects:
        """The objects of the namespace, the owner's own, whose controlling owner has that uid."""
        return self._informers[resource].shelf.by_index(OWNER, owner_value(namespace, owner_uid))

    def add_index(self, resource: Resource, name: str, func: IndexFunction) -> None:
        """Index the resource (added if need be) by the values `func` gives for each object."""
        self.informer(resource).shelf.add_index(name, func)

    def by_index(self, resource: Resource, name: str, value: str) -> Objects:
        """The objects index `name` holds under `value`."""
        return self._informers[resource].shelf.by_index(name, value)

    def informer(self, resource: Resource) -> Informer:
        """What follows `resource`, with whatever selection it was added; all of it if it was not."""
        return self._informers.get(resource) or self.add(resource)

    def _run(self, informer: Informer) -> None:
        tasks = self._running[informer.resource] = Tasks("cache")
        tasks.essential(informer.run(), informer.resource.plural)
