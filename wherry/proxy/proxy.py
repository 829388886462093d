"""Keeps the kernel's rules in step with Services and EndpointSlices.

Changes only mark the rules as stale; one `Repeater` brings them up to date, so a burst of changes costs
one update and a failed one is repeated, with growing delays. Now and then it looks whether the rules still
stand, since other programs flush them. Flows that are to be forgotten are remembered until they are.
"""

from __future__ import annotations

import logging

from wherry.api.core.nodes import NODES
from wherry.api.core.services import SERVICES
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.kit.clock import Clock
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.network.tool import NetworkFailure
from wherry.objects.meta import Object, labels_of
from wherry.proxy.backends.base import Backend, BackendError
from wherry.proxy.conntrack import flush, plan_flushes
from wherry.proxy.model import ServicePort, build_model
from wherry.proxy.topology import Place

log = logging.getLogger(__name__)

FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 30.0
SETTLE_S = 0.5
"""Whoever takes rules away is mostly not done with the first."""
ZONE = "topology.kubernetes.io/zone"
LOOK_EVERY_S = 30.0
"""How often it is looked whether the rules still stand: kube-proxy's `syncPeriod`."""


class Proxy:
    """One node's proxy, over any backend."""

    def __init__(self, client: Client, backend: Backend, node_name: str, clock: Clock) -> None:
        self._backend = backend
        self._node_name = node_name
        self._zone = ""
        self._clock = clock
        self._cache = Cache(client, clock)
        self._tasks = Tasks("proxy")
        self._model: tuple[ServicePort, ...] | None = None
        self._look_at = 0.0
        self._flows: dict[tuple[str, ...], None] = {}
        """Arguments of the `conntrack -D` calls that are owed, in order."""
        self._syncing = Repeater(
            "updating rules",
            self._sync,
            self._tasks,
            clock,
            first_s=FIRST_RETRY_S,
            longest_s=LONGEST_RETRY_S,
            expected=(BackendError,),
        )
        self._forgetting = Repeater(
            "forgetting flows", self._forget, self._tasks, clock, expected=(NetworkFailure,)
        )

    async def start(self) -> None:
        """Begin; returns when the rules stand for the first time."""
        for resource in (SERVICES, ENDPOINT_SLICES):
            self._cache.on(resource, self._changed)
        self._cache.add(NODES, field_selector=f"metadata.name={self._node_name}")
        self._cache.on(NODES, self._node_changed)
        await self._cache.start()
        self._syncing.poke()
        await self._syncing.succeeded.wait()

    async def close(self) -> None:
        """End; the rules stay, so that running pods go on being reached."""
        await self._syncing.close()
        await self._forgetting.close()
        await self._tasks.close()
        await self._cache.close()

    def rules_removed(self) -> None:
        """Rules were taken away by somebody, ours perhaps: see soon whether they stand."""
        if self._model is not None:
            self._look_at = self._clock.monotonic()
            self._syncing.within(SETTLE_S)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if all(self._cache.synced(resource) for resource in (SERVICES, ENDPOINT_SLICES, NODES)):
            self._syncing.poke()

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        """Of this node only the zone matters here; its heartbeats do not."""
        zone = labels_of(new or {}).get(ZONE, "")
        if zone != self._zone:
            self._zone = zone
            self._changed(old, new)

    async def _sync(self) -> float:
        place = Place(self._node_name, self._zone)
        model = build_model(self._cache.list(SERVICES), self._cache.list(ENDPOINT_SLICES), place)
        if model != self._model or not await self._is_standing():
            await self._backend.apply(model)
            self._flows |= dict.fromkeys(map(tuple, plan_flushes(self._model or (), model)))
            self._model = model
            self._look_at = self._clock.monotonic() + LOOK_EVERY_S
            if self._flows:
                self._forgetting.poke()
        return self._look_at - self._clock.monotonic()

    async def _is_standing(self) -> bool:
        """Whether the rules put there last still stand, as far as it is time to look."""
        if self._clock.monotonic() < self._look_at:
            return True
        if await self._backend.is_intact():
            self._look_at = self._clock.monotonic() + LOOK_EVERY_S
            return True
        log.warning("the rules of services were taken away by another program; putting them back")
        return False

    async def _forget(self) -> None:
        while self._flows:
            arguments = next(iter(self._flows))
            await flush(arguments)
            self._flows.pop(arguments, None)
