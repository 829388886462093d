"""What a Service is given: cluster addresses and node ports, taken when it is written.

`reserve` fills in the object and takes what it holds; the caller stores it with `store`, and then commits the
reservation (what the old version alone held is free again), or undoes it when the object was not stored.
Source: pkg/registry/core/service/storage/alloc.go.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable, Sequence

from wherry.api.core.services import SERVICES
from wherry.api.networking.ip_addresses import IP_ADDRESSES
from wherry.api.resource import Resource
from wherry.apiserver import encoding
from wherry.apiserver.allocation.addresses import Addresses, AddressInUse, OutOfRange, RangeFull, canonical
from wherry.apiserver.allocation.families import fill_families, is_kept_preference
from wherry.apiserver.allocation.objects import HEADLESS, address_object, belongs_to, cluster_addresses
from wherry.apiserver.allocation.refusals import refused
from wherry.apiserver.allocation.reservations import NOTHING, Reservation
from wherry.apiserver.allocation.service_ports import ServicePorts
from wherry.apiserver.cached import Cached
from wherry.apiserver.registry import Registry
from wherry.kit.clock import Clock
from wherry.objects.errors import internal, invalid, invalid_value, service_unavailable
from wherry.objects.meta import Object, format_time, is_deleting, metadata, name_of, namespace_of
from wherry.objects.uids import new_uid
from wherry.store.base import Entry, KeyExists, KeyMissing, RevisionMismatch, TransactingStore
from wherry.store.writes import Write

ATTEMPTS = 32


class AddressTaken(Exception):
    """Somebody else was given the address between the reservation and the write."""


class ServiceAllocator:
    """Gives out addresses and ports to Services, and leaves every other kind alone.

    `cidrs` are the ranges the server was told, one of each family at most; their families are those Services
    of this cluster may be of. Addresses come of all ranges there are in ServiceCIDRs.
    """

    def __init__(
        self,
        registry: Registry,
        store: TransactingStore,
        clock: Clock,
        rng: random.Random,
        cidrs: Sequence[str],
        node_ports: tuple[int, int],
    ) -> None:
        networks = [ipaddress.ip_network(cidr) for cidr in cidrs]
        self.cidrs = [str(network) for network in networks]
        self.families = [f"IPv{network.version}" for network in networks]
        self.first = str(networks[0][1])
        """The address of the API server's own service."""
        self.addresses = Addresses(rng)
        self.writing: set[str] = set()
        """Keys of Services and IPAddresses that come or go together just now, by this server's own doing."""
        self.on_failure: Callable[[str, str, Sequence[str]], None] | None = None
        """Told of a Service that was not stored, by namespace and name, with the addresses concerned."""
        self.ports = ServicePorts(node_ports, rng)
        self._registry = registry
        self._store = store
        self._clock = clock
        self._random = rng

    def concerns(self, resource: Resource) -> bool:
        """Whether objects of the kind are given anything."""
        return resource is SERVICES

    def reserve(
        self, resource: Resource, new: Object, old: Object | None, *, dry_run: bool = False
    ) -> Reservation:
        """Take what `new` needs beyond `old`, and write it into `new`. Raises ApiError (422, 500)."""
        if resource is not SERVICES or (old is not None and new.get("spec") == old.get("spec")):
            return NOTHING
        reservation = Reservation()
        self._check_external(new, old)
        try:
            self._reserve_addresses(new, old, reservation)
            self.ports.reserve(new, old, reservation)
        except BaseException:
            reservation.undo()
            raise
        if dry_run:
            reservation.undo()
        return reservation

    def leave(self, resource: Resource, service: Object) -> Reservation:
        """What the stored `service` gives back by being deleted."""
        if resource is not SERVICES:
            return NOTHING
        reservation = Reservation()
        self._free(service, cluster_addresses(service), reservation)
        reservation.on_commit(lambda: self.ports.release(service))
        return reservation

    async def store(self, write: Write, service: Object, reservation: Reservation) -> Entry:
        """Make the `write` of a Service, and with it that of its addresses; what the first came to.

        Raises KeyExists, KeyMissing, RevisionMismatch if the Service is not as expected, AddressTaken,
        OutOfSpace.
        """
        namespace, name = namespace_of(service), name_of(service)
        takes = [self.taking(address, namespace, name) for address in reservation.takes]
        addresses = (*reservation.takes, *reservation.frees)
        keys = {write.key, *(IP_ADDRESSES.key("", address) for address in addresses)}
        self.writing |= keys
        try:
            return await self._transact(takes, write, (reservation.frees, namespace, name))
        except BaseException:
            # What others wrote meanwhile was taken for ours.
            if self.on_failure is not None:
                self.on_failure(namespace, name, addresses)
            raise
        finally:
            self.writing -= keys

    async def give(self, service: Object, address: str, instead_of: Cached | None) -> None:
        """Store the IPAddress that a stored Service lacks; at once with it, remove the one that is wrong.

        Raises KeyExists, KeyMissing, RevisionMismatch if the IPAddress is not as expected, OutOfSpace.
        """
        made = self.taking(address, namespace_of(service), name_of(service))
        old = [] if instead_of is None else [Write(instead_of.key, None, instead_of.revision)]
        await self._store.transact([*old, made])

    async def _transact(
        self, takes: Sequence[Write], write: Write, freed: tuple[Sequence[str], str, str]
    ) -> Entry:
        addresses, namespace, name = freed
        for _ in range(ATTEMPTS):
            frees = [
                free for address in addresses if (free := self._freeing(address, namespace, name)) is not None
            ]
            try:
                return (await self._store.transact([*takes, write, *frees]))[len(takes)]
            except (KeyExists, KeyMissing, RevisionMismatch) as error:
                if error.key == write.key:
                    raise
                if isinstance(error, KeyExists):
                    raise AddressTaken(error.key) from error
                # Somebody wrote the IPAddress meanwhile, and the cacher was told before us.
        raise service_unavailable("the addresses of the service are being changed by others")

    def taking(self, address: str, namespace: str, name: str) -> Write:
        """The write that gives an address to a Service."""
        uid = new_uid(self._random)
        now = format_time(self._clock.now())
        made = address_object(address, namespace, name, uid=uid, creationTimestamp=now)
        return Write(IP_ADDRESSES.key("", address), encoding.encode_stored(made), None)

    def _freeing(self, address: str, namespace: str, name: str) -> Write | None:
        """The write that takes it from the Service again, None if it does not have it.

        An IPAddress somebody holds by a finalizer is only marked, and its address stays taken until it goes.
        """
        cached = self._registry.of(IP_ADDRESSES).get("", address)
        if cached is None:
            return None
        found = cached.decode()
        if not belongs_to(found, namespace, name) or is_deleting(found):
            return None
        if not (meta := metadata(found)).get("finalizers"):
            return Write(cached.key, None, cached.revision)
        meta |= {"deletionTimestamp": format_time(self._clock.now()), "deletionGracePeriodSeconds": 0}
        data = encoding.encode_stored(found)
        return Write(cached.key, data, cached.revision, is_reserved=True, is_mark=True)

    def _free(self, service: Object, addresses: Sequence[str], reservation: Reservation) -> None:
        """Give back what the stored `service` has no longer, once that is stored."""
        holder = namespace_of(service), name_of(service)
        reservation.frees = [canonical(address) for address in addresses]
        for address in reservation.frees:
            reservation.on_commit(lambda address=address: self.addresses.pay(address, holder))  # type: ignore[misc]

    def _check_external(self, new: Object, old: Object | None) -> None:
        """Refuse external addresses that belong to other services (upstream takes them, CVE-2020-8554).

        Those a stored service has already may stay. Raises ApiError (422).
        """
        had = set(_external(old)) if old is not None else set[str]()
        errors = [
            invalid_value(f"spec.externalIPs[{index}]", address, f"may not be in the service range, {cidr}")
            for index, address in enumerate(_external(new))
            if address not in had and (cidr := self.addresses.network_of(address))
        ]
        if errors:
            raise invalid(SERVICES.kind, "", name_of(new), errors)

    def _reserve_addresses(self, new: Object, old: Object | None, reservation: Reservation) -> None:
        spec = new.setdefault("spec", {})
        before = (old.get("spec") or {}) if old is not None else None
        held = cluster_addresses(old) if old is not None else []
        if spec.get("type") == "ExternalName":
            for field in ("clusterIP", "clusterIPs"):
                spec.pop(field, None)
        elif not is_kept_preference(spec, before):
            if held and not spec.get("clusterIP"):
                spec["clusterIP"], spec["clusterIPs"] = held[0], list(held)
            if spec.get("clusterIP") and not spec.get("clusterIPs"):
                spec["clusterIPs"] = [spec["clusterIP"]]
            errors = fill_families(spec, before, self.families)
            if errors:
                raise invalid(SERVICES.kind, "", name_of(new), errors)
            if spec.get("clusterIP") != HEADLESS:
                self._take_addresses(new, held, reservation)
        kept = set(cluster_addresses(new))
        self._free(new, [address for address in held if address not in kept], reservation)

    def _take_addresses(self, new: Object, held: Sequence[str], reservation: Reservation) -> None:
        spec = new["spec"]
        ips = list(spec.get("clusterIPs") or ())
        for index, family in enumerate(spec["ipFamilies"]):
            if index >= len(ips):
                ips.append(self._take_any(family))
                taken = ips[index]
            elif ips[index] not in held:
                taken = canonical(ips[index])
                self._take(new, ips[index])
            else:
                continue
            reservation.takes.append(taken)
            reservation.on_end(lambda address=taken: self.addresses.release(address))  # type: ignore[misc]
        spec["clusterIPs"], spec["clusterIP"] = ips, ips[0]

    def _take_any(self, family: str) -> str:
        try:
            return self.addresses.take_any(family)
        except RangeFull:
            raise internal("failed to allocate a serviceIP: range is full") from None

    def _take(self, new: Object, address: str) -> None:
        try:
            self.addresses.take(address)
        except AddressInUse:
            why = "provided IP is already allocated"
        except OutOfRange:
            why = "the provided network does not match the current range"
        else:
            return
        ips = new["spec"]["clusterIPs"]
        raise refused(new, "spec.clusterIPs", ips, f"failed to allocate IP {address}: {why}")


def _external(service: Object) -> list[str]:
    return list((service.get("spec") or {}).get("externalIPs") or ())
