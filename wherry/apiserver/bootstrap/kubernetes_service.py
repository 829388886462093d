"""Keep the Service `default/kubernetes` and its endpoints what they should be, whoever changes them.

People type `kubectl delete all --all`, and pods without this Service do not find the API server.
Source: pkg/controlplane/controller/kubernetesservice, which looks every ten seconds; here a change is seen at
once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wherry.api.core.endpoints import ENDPOINTS
from wherry.api.core.services import SERVICES
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.api.resource import Resource
from wherry.apiserver.bootstrap import endpoint
from wherry.apiserver.cached import CachedEvent
from wherry.apiserver.ensuring import create_if_missing
from wherry.apiserver.parts import Parts
from wherry.client.api import Client
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, name_of, namespace_of
from wherry.store.base import Subscription

log = logging.getLogger(__name__)

Change = Callable[[Any], Any]
FOLLOWED = (SERVICES, ENDPOINTS, ENDPOINT_SLICES)


class KubernetesService:
    """The Service at the first address of its range; the API server is reached at `address` and `port`."""

    def __init__(self, parts: Parts, client: Client, address: str, port: int) -> None:
        self._parts = parts
        self._client = client
        self._address = address
        self._port = port
        self._is_owed = False
        """Whether the Service could not be brought about yet."""
        self._feeds: list[Subscription] = []
        self._tasks = Tasks("kubernetes service")
        self._repeater = Repeater(
            "the kubernetes service", self._again, self._tasks, parts.clock, expected=(ApiError,)
        )

    async def bring_about(self) -> None:
        """Create what is missing, and put right what an earlier start left: ports may have changed."""
        wanted = self._service()
        try:
            await self._put_right(SERVICES, wanted, {"spec": lambda spec: {**spec, **_ports(wanted)}})
        except ApiError as error:
            # Its address may be of no ServiceCIDR just now: only a server that runs can be given one.
            log.warning("the kubernetes service could not be brought about yet: %s", error.message)
            self._is_owed = True
        await self._reconcile_endpoints()

    async def follow(self) -> None:
        """From now on do so again whenever one of the objects changes."""
        await self._parts.registry.open(FOLLOWED)
        self._feeds = [
            self._parts.registry.follow(resource, self._changed, self._repeater.poke) for resource in FOLLOWED
        ]
        if self._is_owed:
            self._repeater.poke()

    async def close(self) -> None:
        """Follow no more."""
        for feed in self._feeds:
            feed.close()
        await self._repeater.close()
        await self._tasks.close()

    def _changed(self, events: Sequence[CachedEvent]) -> None:
        for event in events:
            if (event.object.namespace, event.object.name) == (endpoint.NAMESPACE, endpoint.NAME):
                self._repeater.poke()

    async def _again(self) -> None:
        await self._put_right(SERVICES, self._service(), {})  # once it is there, its ports are its own
        await self._reconcile_endpoints()

    def _service(self) -> Object:
        return endpoint.service(self._parts.services.first, self._port)

    async def _reconcile_endpoints(self) -> None:
        wanted = endpoint.endpoints(self._address, self._port)
        await self._put_right(ENDPOINTS, wanted, _always(wanted, "subsets"))
        told = endpoint.endpoint_slice(self._address, self._port)
        await self._put_right(ENDPOINT_SLICES, told, _always(told, "addressType", "endpoints", "ports"))

    async def _put_right(self, resource: Resource, wanted: Object, parts: Mapping[str, Change]) -> None:
        """Create the object, or make those parts of the present one what `parts` makes of them."""
        client, served = self._client, self._parts.registry.of(resource)
        await served.source.open()
        cached = served.get(namespace_of(wanted), name_of(wanted))
        if cached is None:
            await create_if_missing(client, resource, wanted)
            return
        present = cached.decode()
        new = {**present, **{name: make(present.get(name)) for name, make in parts.items()}}
        if new == present:
            return
        if new.get("addressType") != present.get("addressType"):
            await client.delete(resource, name_of(wanted), namespace_of(wanted))
            await client.create(resource, wanted)
            return
        await client.update(resource, new)


def _ports(service: Object) -> Object:
    return {name: service["spec"][name] for name in ("ports", "type")}


def _always(wanted: Object, *names: str) -> dict[str, Change]:
    """Whatever stands there: what `wanted` says."""

    def said(name: str) -> Change:
        return lambda _: wanted[name]

    return {name: said(name) for name in names}
