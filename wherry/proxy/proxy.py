"""Keeps the kernel's rules in step with Services and EndpointSlices.

Changes only mark a Service as changed; one `Repeater` brings the rules up to date, so a burst of changes
costs one update, of the changed Services alone, and a failed one is repeated, with growing delays. Now and
then it looks whether the rules still stand, since other programs flush them. Flows that are to be forgotten
are remembered until they are.
"""

from __future__ import annotations

import logging

from wherry.api.core.nodes import NODES
from wherry.api.core.services import SERVICES
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.kit.clock import Clock
from wherry.kit.portions import Portions, Work
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.network.tool import NetworkFailure
from wherry.objects.meta import Object, labels_of
from wherry.proxy.backends.base import Backend, BackendError
from wherry.proxy.conntrack import flush, plan_flushes
from wherry.proxy.model import Ports, owner_key, service_key, service_ports
from wherry.proxy.topology import Place

log = logging.getLogger(__name__)

FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 30.0
SETTLE_S = 0.5
"""Whoever takes rules away is mostly not done with the first."""
ZONE = "topology.kubernetes.io/zone"
BY_SERVICE = "service"
"""Index of slices by the Service they are of."""
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
        self._model: dict[str, Ports] = {}
        self._is_applied = False
        self._changed_keys: set[str] | None = None
        """Services that may differ from what the backend was given last; None: all."""
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
        self._cache.on(SERVICES, self._service_changed)
        self._cache.add_index(ENDPOINT_SLICES, BY_SERVICE, _owners)
        self._cache.on(ENDPOINT_SLICES, self._slice_changed)
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
        if self._is_applied:
            self._look_at = min(self._look_at, self._clock.monotonic() + SETTLE_S)
            self._syncing.within(SETTLE_S)

    def _service_changed(self, old: Object | None, new: Object | None) -> None:
        self._changed({service_key(found) for found in (old, new) if found is not None})

    def _slice_changed(self, old: Object | None, new: Object | None) -> None:
        self._changed({owner_key(found) for found in (old, new) if found is not None} - {""})

    def _changed(self, keys: set[str]) -> None:
        if self._changed_keys is not None:
            self._changed_keys |= keys
            self._syncing.poke()

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        """Of this node only the zone matters here; its heartbeats do not."""
        zone = labels_of(new or {}).get(ZONE, "")
        if zone != self._zone:
            self._zone = zone
            if self._changed_keys is not None:
                self._changed_keys = None
                self._syncing.poke()

    async def _sync(self) -> float:
        keys, self._changed_keys = self._changed_keys, set()
        try:
            await self._update(keys)
        except BaseException:
            # Whatever changed meanwhile included.
            self._changed_keys = (
                None if keys is None or self._changed_keys is None else keys | self._changed_keys
            )
            raise
        return self._look_at - self._clock.monotonic()

    async def _update(self, keys: set[str] | None) -> None:
        """Bring the rules of these Services (None: of all) up to date; of all, too, where others flushed."""
        changed = await self._plan(keys)
        # Asked first: what others took away is put back also while Services go on changing.
        if self._is_applied and await self._is_standing() and not changed:
            return
        model = {**self._model, **changed}
        for key in changed:
            if not model[key]:
                del model[key]
        await self._backend.apply(model, changed.keys())
        for key, ports in changed.items():
            self._flows |= dict.fromkeys(map(tuple, plan_flushes(self._model.get(key, ()), ports)))
        if not self._is_applied:
            self._look_at = self._clock.monotonic() + LOOK_EVERY_S
        self._model, self._is_applied = model, True
        if self._flows:
            self._forgetting.poke()

    async def _plan(self, keys: set[str] | None) -> dict[str, Ports]:
        """What has to change: the new ports of each of the Services `keys` (None: of all) that has others."""
        place = Place(self._node_name, self._zone)
        if keys is None:
            keys = self._model.keys() | {service_key(service) for service in self._cache.list(SERVICES)}
        portions = Portions(Work.NODE)
        changed: dict[str, Ports] = {}
        for key in sorted(keys):
            await portions.next()
            ports = self._ports(key, place)
            if ports != self._model.get(key, ()):
                changed[key] = ports
        return changed

    def _ports(self, key: str, place: Place) -> Ports:
        """A Service's ports; one that cannot be understood is logged and has none, others do not suffer."""
        service = self._cache.get(SERVICES, key)
        if service is None:
            return ()
        try:
            return service_ports(service, self._cache.by_index(ENDPOINT_SLICES, BY_SERVICE, key), place)
        except Exception:
            log.exception("service %s cannot be routed", key)
            return ()

    async def _is_standing(self) -> bool:
        """Whether the rules put there last still stand, as far as it is time to look."""
        if self._clock.monotonic() < self._look_at:
            return True
        is_intact = await self._backend.is_intact()
        self._look_at = self._clock.monotonic() + LOOK_EVERY_S
        if is_intact:
            return True
        log.warning("the rules of services were taken away by another program; putting them back")
        return False

    async def _forget(self) -> None:
        while self._flows:
            arguments = next(iter(self._flows))
            await flush(arguments)
            self._flows.pop(arguments, None)


def _owners(endpoint_slice: Object) -> tuple[str, ...]:
    key = owner_key(endpoint_slice)
    return (key,) if key else ()
