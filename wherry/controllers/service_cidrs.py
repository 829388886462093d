"""ServiceCIDRs: ready as soon as they are there, and kept while addresses would be left without one.

Source: pkg/controller/servicecidrs/servicecidrs_controller.go, KEP-1880. Upstream looks at a ServiceCIDR
whenever an address of it comes or goes; only for one that is being deleted does that change anything.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import lru_cache
from typing import ClassVar, TypeAlias

from wherry.api.networking.ip_addresses import IP_ADDRESSES
from wherry.api.networking.service_cidrs import SERVICE_CIDRS
from wherry.client.cache import Cache
from wherry.controllers.base import Controller, Environment
from wherry.controllers.protection.finalizers import awaits_release, finalizers, lacks, write_finalizers
from wherry.kit.portions import Portions, Work
from wherry.objects.conditions import with_condition
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, format_time, is_deleting, labels_of, metadata, name_of, parse_time

FINALIZER = "networking.k8s.io/service-cidr-finalizer"
MANAGED_BY_LABEL = "ipaddress.kubernetes.io/managed-by"
MANAGER = "ipallocator.k8s.io"
GRACE = timedelta(seconds=10)
"""How long after the deletion the finalizer stays: until then every allocator has heard of it."""
IS_READY = "Kubernetes Service CIDR is ready"
IS_IN_USE = (
    "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"
)

DELETING = "deleting"
MOST_PARSED = 8192

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


@lru_cache(maxsize=MOST_PARSED)
def _parsed(cidr: str) -> Network:
    return ipaddress.ip_network(cidr)


def networks_of(service_cidr: Object) -> list[Network]:
    """The ranges of a ServiceCIDR."""
    return [_parsed(cidr) for cidr in (service_cidr.get("spec") or {}).get("cidrs") or ()]


def has(network: Network, address: Address) -> bool:
    """Whether the range may have given the address out, which it does not with its first and last."""
    if address == network.network_address or address not in network:
        return False
    return address.version == 6 or address != network.broadcast_address


class Ranges:
    """The ranges of many ServiceCIDRs, looked up in the time it takes to go through their sizes."""

    def __init__(self, service_cidrs: Iterable[Object]) -> None:
        self._by_size: dict[tuple[int, int], set[int]] = {}
        """First addresses, by IP version and prefix length."""
        for one in service_cidrs:
            for network in networks_of(one):
                size = network.version, network.prefixlen
                self._by_size.setdefault(size, set()).add(int(network.network_address))

    def has(self, address: Address) -> bool:
        """Whether one of them may have given the address out."""
        return any(has(network, address) for network in self._around(address, address.max_prefixlen))

    def cover(self, network: Network) -> bool:
        """Whether one of them has all of another range."""
        return any(True for _ in self._around(network.network_address, network.prefixlen))

    def _around(self, address: Address, longest: int) -> Iterator[Network]:
        bits = address.max_prefixlen
        for (version, length), firsts in self._by_size.items():
            if version == address.version and length <= longest:
                first = int(address) >> (bits - length) << (bits - length)
                if first in firsts:
                    yield _parsed(f"{type(address)(first)}/{length}")


def address_of(obj: Object) -> Address | None:
    """The address an IPAddress the allocator made is of; None for others'."""
    if labels_of(obj).get(MANAGED_BY_LABEL) != MANAGER:
        return None
    return ipaddress.ip_address(name_of(obj))


def by_deletion(service_cidr: Object) -> Iterable[str]:
    """What the index `DELETING` has a ServiceCIDR under: all that are being deleted are one group."""
    return (DELETING,) if is_deleting(service_cidr) else ()


def held_by_address(cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
    """The ServiceCIDRs whose deletion an address may hold up."""
    deleted = cache.by_index(SERVICE_CIDRS, DELETING, DELETING)
    if deleted and (old is None or new is None):
        address = address_of(new or old or {})
        if address is not None:
            for one in deleted:
                if any(has(network, address) for network in networks_of(one)):
                    yield name_of(one)


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


class ServiceCidrs(Controller):
    """Makes them Ready, and lets those go on which no address depends."""

    name = "service-cidr-controller"
    account = "service-cidrs-controller"
    primary = SERVICE_CIDRS
    watches: ClassVar = {IP_ADDRESSES: held_by_address}

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.cache.add_index(SERVICE_CIDRS, DELETING, by_deletion)
        self._held_by: dict[str, str] = {}
        """An address each deleted ServiceCIDR was last seen to be needed for."""

    def map_primary(self, cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """Its own key; one that comes, or goes, may free deleted ones, or bind them."""
        changed = new or old or {}
        yield name_of(changed)
        if old is None or (new is not None and is_deleting(new) != is_deleting(old)):
            mine = networks_of(changed)
            for other in cache.by_index(SERVICE_CIDRS, DELETING, DELETING):
                if any(_overlap(one, another) for one in networks_of(other) for another in mine):
                    yield name_of(other)

    async def sync(self, key: str) -> float | None:
        """Give it finalizer and condition, or let it go. Raises ApiError."""
        service_cidr = self.cache.get(SERVICE_CIDRS, key)
        if service_cidr is None:
            self._held_by.pop(key, None)
            return None
        if is_deleting(service_cidr):
            return await self._let_go(key, service_cidr)
        if lacks(service_cidr, FINALIZER):
            wanted = [*finalizers(service_cidr), FINALIZER]
            await write_finalizers(self, key, SERVICE_CIDRS, service_cidr, wanted)
            return None  # which brings it here again
        try:
            await self._say(service_cidr, "True", "", IS_READY)
        except ApiError:
            why = "The ServiceCIDR Status can not be set to Ready=True"
            self.events.event(service_cidr, "Warning", "KubernetesServiceCIDRError", why)
            raise
        return None

    async def _let_go(self, key: str, service_cidr: Object) -> float | None:
        if await self._is_needed(key, service_cidr):
            await self._say(service_cidr, "False", "Terminating", IS_IN_USE)
            return None
        asked_at = parse_time(metadata(service_cidr)["deletionTimestamp"])
        left_s = (asked_at + GRACE - self.clock.now()).total_seconds()
        if left_s > 0:
            return left_s
        if awaits_release(service_cidr, FINALIZER):
            left = [item for item in finalizers(service_cidr) if item != FINALIZER]
            await write_finalizers(self, key, SERVICE_CIDRS, service_cidr, left)
        return None

    async def _is_needed(self, key: str, service_cidr: Object) -> bool:
        """Whether an address would be of no ServiceCIDR without this one.

        Those that are being deleted, too, do not count: of two that go together neither could be relied on.
        (Upstream counts them, and leaves addresses without a range.)
        """
        portions = Portions(Work.CONTROLLING)
        others = Ranges(
            one for one in self.cache.list(SERVICE_CIDRS) if not is_deleting(one) and name_of(one) != key
        )
        mine = networks_of(service_cidr)
        if all(others.cover(network) for network in mine):
            return False
        known = self.cache.get(IP_ADDRESSES, self._held_by.get(key, ""))
        # The one that was in the way mostly still is: all are looked at only when it is gone.
        for found in ((known,) if known is not None else (), self.cache.list(IP_ADDRESSES)):
            for obj in found:
                address = address_of(obj)
                if address is not None and any(has(one, address) for one in mine) and not others.has(address):
                    self._held_by[key] = name_of(obj)
                    return True
                await portions.next()
        return False

    async def _say(self, service_cidr: Object, status: str, reason: str, message: str) -> None:
        stored = service_cidr.get("status") or {}
        now = format_time(self.clock.now())
        conditions = with_condition(stored.get("conditions"), "Ready", status, now, reason, message)
        conditions = [{"reason": "", **condition} for condition in conditions]
        await self.write_status(service_cidr, {**stored, "conditions": conditions})
