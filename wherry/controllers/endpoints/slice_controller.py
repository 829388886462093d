"""The controller of EndpointSlices: carries out the plan, one service at a time."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import ClassVar

from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.core.services import SERVICES
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.client.cache import Cache
from wherry.controllers.base import Environment
from wherry.controllers.endpoints.members import by_label, selects
from wherry.controllers.endpoints.service_controller import ServiceController
from wherry.controllers.endpoints.slice_writing import keys_of, write_slices
from wherry.controllers.endpoints.slices import MANAGER, SERVICE_NAME, plan_slices
from wherry.controllers.endpoints.topology import TopologyHints
from wherry.controllers.endpoints.zone_shares import ZONE
from wherry.controllers.nodes.lifecycle import BY_NODE, node_name_of
from wherry.objects.meta import Object, is_deleting, labels_of, name_of

BY_SERVICE = "service"


class EndpointSlices(ServiceController):
    """Keeps the EndpointSlices of each service."""

    name = "endpointslice"
    account = "endpointslice-controller"
    component = "endpoint-slice-controller"
    watches: ClassVar = {ENDPOINT_SLICES: by_label(SERVICE_NAME)}

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.cache.add_index(ENDPOINT_SLICES, BY_SERVICE, partial(keys_of, manager=MANAGER))
        self.cache.add_index(PODS, BY_NODE, node_name_of)
        self._topology = TopologyHints(self.cache, self._queue, self.tasks, self.clock)

    def _queue(self, key: str) -> None:
        self.queue.add_after(key, self.rests.left_s(key))

    def watch_sources(self) -> None:
        """Beside the fixed kinds and pods: nodes, through the pods on them."""
        super().watch_sources()
        self._watch(NODES, self._services_on_node)

    def _services_on_node(self, cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """A node whose zone changed concerns the services with pods on it: slices name the zone."""
        if new is None or labels_of(old or {}).get(ZONE) == labels_of(new).get(ZONE):
            return set()
        pods = cache.by_index(PODS, BY_NODE, name_of(new))
        return {key for pod in pods for key in self.members.services_of(pod)}

    async def sync(self, key: str) -> float | None:
        """Write what differs; the slices of a service that is gone are removed."""
        self.note_sync(key)
        service = self.cache.get(SERVICES, key)
        existing = self.cache.by_index(ENDPOINT_SLICES, BY_SERVICE, key)
        if service is None:
            self.trigger_times.forget(key)
            self._topology.forget(key)
            for piece in existing:
                await self.delete(key, ENDPOINT_SLICES, piece)
            return None
        if not selects(service) or is_deleting(service):
            return None
        pods = await self.members.pods_of(service)
        since = await self.trigger_times.look(key, service, pods)
        plan = await plan_slices(service, pods, existing, self._zone_of)
        for told in self._topology.apply(key, service, plan, existing):
            self.events.event(service, *told)
        plan.stamp(since)
        await write_slices(self, key, service, plan)
        return None

    def _zone_of(self, node: str) -> str:
        found = self.cache.get(NODES, node)
        return labels_of(found).get(ZONE, "") if found is not None else ""
