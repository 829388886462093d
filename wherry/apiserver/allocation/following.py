"""Keeps the allocator's index in step with what is stored: `Following` of IPAddresses and ServiceCIDRs.

The store tells it before it answers whoever wrote, so the index never lags behind an answered write, be it of
this server or of another one on the same store.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence

from wherry.api.core.services import SERVICES
from wherry.api.networking.ip_addresses import IP_ADDRESSES
from wherry.api.networking.service_cidrs import SERVICE_CIDRS
from wherry.apiserver.allocation.addresses import Holder, canonical
from wherry.apiserver.allocation.objects import all_ranges, cluster_addresses, parent_of, ranges_of
from wherry.apiserver.allocation.services import ServiceAllocator
from wherry.apiserver.cached import Cached, CachedEvent
from wherry.apiserver.registry import Registry
from wherry.objects.meta import Object, name_of, namespace_of
from wherry.store.base import KeyExists, OutOfSpace, Subscription, TransactingStore
from wherry.store.writes import Write

log = logging.getLogger(__name__)

FOLLOWED = (SERVICES, IP_ADDRESSES, SERVICE_CIDRS)
AT_ONCE = 256


class Following:
    """What an allocator knows of the store, from `start` to `close`."""

    def __init__(self, registry: Registry, store: TransactingStore, allocator: ServiceAllocator) -> None:
        self._registry = registry
        self._store = store
        self._allocator = allocator
        self._feeds: list[Subscription] = []
        self._ranges: dict[str, Mapping[str, bool]] = {}
        """Of each ServiceCIDR, by name."""

    async def start(self) -> None:
        """Return once the allocator knows what is taken, by Services of former versions, too.

        Raises ApiError (503), StoreError.
        """
        registry = self._registry
        await registry.open(FOLLOWED)
        self._read_ranges()
        self._read_addresses()
        self._feeds = [
            registry.follow(SERVICE_CIDRS, self._ranges_changed, self._read_ranges),
            registry.follow(IP_ADDRESSES, self._changed, self._read_addresses),
        ]
        await self._adopt()

    def close(self) -> None:
        """Follow no more."""
        for feed in self._feeds:
            feed.close()
        self._feeds = []

    def _read_ranges(self) -> None:
        self._ranges = {}
        self._registry.of(SERVICE_CIDRS).each(self._note_ranges)
        self._allocator.addresses.set_ranges(all_ranges(self._ranges))

    def _note_ranges(self, cached: Cached) -> None:
        self._ranges[cached.name] = ranges_of(cached.decode())

    def _ranges_changed(self, events: Sequence[CachedEvent]) -> None:
        before = {event.object.name: self._ranges.get(event.object.name) for event in events}
        for event in events:
            if event.type == "DELETED":
                self._ranges.pop(event.object.name, None)
            else:
                self._note_ranges(event.object)
        if any(self._ranges.get(name) != ranges for name, ranges in before.items()):
            self._allocator.addresses.set_ranges(all_ranges(self._ranges))

    def _read_addresses(self) -> None:
        cached, _ = self._registry.of(IP_ADDRESSES).cacher.list("")
        self._allocator.addresses.read(address.name for address in cached)

    def _changed(self, events: Sequence[CachedEvent]) -> None:
        addresses = self._allocator.addresses
        for event in events:
            if event.type == "DELETED":
                addresses.forget(event.object.name)
                self._owe(event.object)
            else:
                addresses.note(event.object.name)

    def _owe(self, gone: Cached) -> None:
        """Keep the address for the Service that says it has it, until `Repair` stores its IPAddress again."""
        if gone.key in self._allocator.writing:
            return
        parent = parent_of(gone.decode())
        holder = parent.get("namespace") or "", parent.get("name") or ""
        cached = self._registry.of(SERVICES).get(*holder)
        if cached is not None and gone.name in map(canonical, cluster_addresses(cached.decode())):
            self._allocator.addresses.owe(gone.name, holder)

    async def _adopt(self) -> None:
        """Give what stored Services hold its IPAddress, where an earlier version stored none."""
        missing: dict[str, tuple[Write, Holder]] = {}  # by address

        def look(cached: Cached) -> None:
            service = cached.decode()
            self._allocator.ports.load(service)
            for address, write in self._missing(service):
                missing.setdefault(address, (write, (cached.namespace, cached.name)))

        self._registry.of(SERVICES).each(look)
        owed = list(missing.items())
        for start in range(0, len(owed), AT_ONCE):
            some = owed[start : start + AT_ONCE]
            await asyncio.gather(*(self._create(address, *each) for address, each in some))
        if missing:
            stored = sum(self._allocator.addresses.is_stored(name) for name in missing)
            log.info("%d of %d addresses of services without an IPAddress have one now", stored, len(missing))

    def _missing(self, service: Object) -> Iterable[tuple[str, Write]]:
        for address in map(canonical, cluster_addresses(service)):
            if not self._allocator.addresses.is_stored(address):
                yield address, self._allocator.taking(address, namespace_of(service), name_of(service))

    async def _create(self, address: str, write: Write, holder: Holder) -> None:
        try:
            await self._store.transact([write])
        except KeyExists:
            return  # another server on the store was faster, which is fine
        except OutOfSpace:
            # Whoever is to make room needs this server; `Repair` stores it once there is some.
            self._allocator.addresses.owe(address, holder)
