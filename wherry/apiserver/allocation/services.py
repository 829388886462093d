"""What a Service is given: cluster addresses and node ports, taken when it is written.

`reserve` fills in the object and takes what it holds; the caller commits when the object is stored
(then what the old version alone held is free again) or undoes when it is not.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from wherry.api.core.services import SERVICES
from wherry.api.resource import Resource
from wherry.apiserver.allocation.addresses import AddressInUse, AddressPool, OutOfRange, RangeFull
from wherry.apiserver.allocation.node_ports import PortInUse, PortOutOfRange, PortPool, PortsFull
from wherry.objects.errors import ApiError, FieldError, internal, invalid, invalid_value
from wherry.objects.meta import Object, name_of

HEADLESS = "None"
TYPES_WITH_NODE_PORTS = ("NodePort", "LoadBalancer")


class Reservation:
    """What one write took, to be undone or committed."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []
        self._commit: list[Callable[[], None]] = []

    def on_undo(self, action: Callable[[], None]) -> None:
        """Remember how to give back what was taken."""
        self._undo.append(action)

    def on_commit(self, action: Callable[[], None]) -> None:
        """Remember what is free once the write is done."""
        self._commit.append(action)

    def undo(self) -> None:
        """The write failed: everything is as before."""
        for action in reversed(self._undo):
            action()
        self._undo.clear()

    def commit(self) -> None:
        """The write is done."""
        for action in self._commit:
            action()
        self._commit.clear()


NOTHING = Reservation()


class ServiceAllocator:
    """Gives out addresses and ports to Services, and leaves every other kind alone."""

    def __init__(self, cidr: str, node_ports: tuple[int, int], rng: random.Random) -> None:
        self.addresses = AddressPool(cidr, rng)
        self.ports = PortPool(*node_ports, rng)

    def load(self, services: Iterable[Object]) -> None:
        """Take what stored services hold; what two of them hold is simply held."""
        for service in services:
            for address in cluster_addresses(service):
                try:
                    self.addresses.take(address)
                except (AddressInUse, OutOfRange):
                    continue
            for port in node_ports(service):
                try:
                    self.ports.take(port)
                except (PortInUse, PortOutOfRange):
                    continue

    def concerns(self, resource: Resource) -> bool:
        """Whether objects of the kind are given anything."""
        return resource is SERVICES

    def reserve(
        self, resource: Resource, new: Object, old: Object | None, *, dry_run: bool = False
    ) -> Reservation:
        """Take what `new` needs beyond `old`, and write it into `new`. Raises ApiError (422, 500)."""
        if resource is not SERVICES:
            return NOTHING
        reservation = Reservation()
        self._check_external(new, old)
        try:
            self._reserve_addresses(new, old, reservation)
            self._reserve_ports(new, old, reservation)
        except BaseException:
            reservation.undo()
            raise
        if dry_run:
            reservation.undo()
        return reservation

    def release(self, resource: Resource, obj: Object) -> None:
        """Give back what a deleted service held."""
        if resource is SERVICES:
            for address in cluster_addresses(obj):
                self.addresses.release(address)
            for port in node_ports(obj):
                self.ports.release(port)

    def _check_external(self, new: Object, old: Object | None) -> None:
        """Refuse external addresses that belong to other services (upstream takes them, CVE-2020-8554).

        Those a stored service has already may stay. Raises ApiError (422).
        """
        had = set(_external(old)) if old is not None else set[str]()
        why = f"may not be in the service range, {self.addresses.network}"
        errors = [
            invalid_value(f"spec.externalIPs[{index}]", address, why)
            for index, address in enumerate(_external(new))
            if address not in had and self.addresses.contains(address)
        ]
        if errors:
            raise invalid(SERVICES.kind, "", name_of(new), errors)

    def _reserve_addresses(self, new: Object, old: Object | None, reservation: Reservation) -> None:
        spec = new.setdefault("spec", {})
        held = cluster_addresses(old) if old is not None else []
        if spec.get("type") == "ExternalName":
            for field in ("clusterIP", "clusterIPs"):
                spec.pop(field, None)
        elif old is not None and held and not spec.get("clusterIP"):
            spec["clusterIP"], spec["clusterIPs"] = held[0], list(held)
        wanted = spec.get("clusterIP") or ""
        if spec.get("type") != "ExternalName":
            self._fill_families(spec)
            if wanted == HEADLESS:
                spec["clusterIPs"] = [HEADLESS]
            elif not wanted:
                wanted = self._take_any(new)
                reservation.on_undo(lambda: self.addresses.release(wanted))
                spec["clusterIP"], spec["clusterIPs"] = wanted, [wanted]
            elif wanted not in held:
                self._take(new, wanted)
                reservation.on_undo(lambda: self.addresses.release(wanted))
                spec.setdefault("clusterIPs", [wanted])
            else:
                spec.setdefault("clusterIPs", [wanted])
        now_held = cluster_addresses(new)
        for address in held:
            if address not in now_held:
                reservation.on_commit(lambda a=address: self.addresses.release(a))  # type: ignore[misc]

    def _fill_families(self, spec: Object) -> None:
        spec.setdefault("ipFamilies", [self.addresses.family])
        spec.setdefault("ipFamilyPolicy", "SingleStack")

    def _take_any(self, new: Object) -> str:
        try:
            return self.addresses.take_any()
        except RangeFull:
            raise internal("failed to allocate a serviceIP: range is full") from None

    def _take(self, new: Object, address: str) -> None:
        try:
            self.addresses.take(address)
        except AddressInUse:
            why = f"failed to allocate IP {address}: provided IP is already allocated"
            raise _refused(new, "spec.clusterIPs", [address], why) from None
        except OutOfRange:
            why = (
                f"failed to allocate IP {address}: the provided network does not match the current range"
                if ":" in address
                else f"failed to allocate IP {address}: provided IP is not in the valid range. "
                f"The range of valid IPs is {self.addresses.network}"
            )
            raise _refused(new, "spec.clusterIPs", [address], why) from None

    def _reserve_ports(self, new: Object, old: Object | None, reservation: Reservation) -> None:
        held = set(node_ports(old)) if old is not None else set()
        spec = new["spec"]
        if not _wants_node_ports(spec):
            if spec.get("type") not in TYPES_WITH_NODE_PORTS:
                for port in spec.get("ports") or ():
                    port.pop("nodePort", None)
                spec.pop("healthCheckNodePort", None)
        else:
            self._take_ports(new, old, held, reservation)
        for number in held - set(node_ports(new)):
            reservation.on_commit(lambda n=number: self.ports.release(n))  # type: ignore[misc]

    def _take_ports(self, new: Object, old: Object | None, held: set[int], reservation: Reservation) -> None:
        spec = new["spec"]
        ports = spec.get("ports") or []
        taken: dict[tuple[int, str], None] = {}
        kept = _numbers_by_port(old)
        wanted = [port.get("nodePort") for port in ports if port.get("nodePort")]
        for index, port in enumerate(ports):
            number = port.get("nodePort") or 0
            if not number:
                number = kept.get((port.get("port", 0), port.get("protocol", "TCP")), 0)
                if number in wanted:
                    number = 0
            protocol = port.get("protocol", "TCP")
            shares = number and any(n == number and p != protocol for n, p in taken)
            if number and (number in held or shares):
                pass
            elif number:
                self._take_port(new, f"spec.ports[{index}].nodePort", number)
                reservation.on_undo(lambda n=number: self.ports.release(n))  # type: ignore[misc]
            else:
                number = self._take_any_port()
                reservation.on_undo(lambda n=number: self.ports.release(n))  # type: ignore[misc]
            port["nodePort"] = number
            taken[number, protocol] = None
        if spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local":
            self._take_health_port(new, held, reservation)

    def _take_health_port(self, new: Object, held: set[int], reservation: Reservation) -> None:
        number = new["spec"].get("healthCheckNodePort") or 0
        if number in held:
            return
        if number:
            self._take_port(new, "spec.healthCheckNodePort", number)
        else:
            number = self._take_any_port()
        reservation.on_undo(lambda: self.ports.release(number))
        new["spec"]["healthCheckNodePort"] = number

    def _take_port(self, new: Object, field: str, number: int) -> None:
        try:
            self.ports.take(number)
        except PortInUse:
            raise _refused(new, field, number, "provided port is already allocated") from None
        except PortOutOfRange:
            why = f"provided port is not in the valid range. The range of valid ports is {self.ports}"
            raise _refused(new, field, number, why) from None

    def _take_any_port(self) -> int:
        try:
            return self.ports.take_any()
        except PortsFull:
            raise internal("failed to allocate a nodePort: range is full") from None


def cluster_addresses(service: Object) -> list[str]:
    """The addresses a service holds."""
    spec = service.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return []
    found = spec.get("clusterIPs") or [spec.get("clusterIP")]
    return [address for address in found if address and address != HEADLESS]


def node_ports(service: Object) -> list[int]:
    """The node ports a service holds."""
    spec = service.get("spec") or {}
    found = [port.get("nodePort") for port in spec.get("ports") or ()]
    return [number for number in (*found, spec.get("healthCheckNodePort")) if number]


def _wants_node_ports(spec: Object) -> bool:
    kind = spec.get("type")
    if kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False:
        return any(port.get("nodePort") for port in spec.get("ports") or ())
    return kind in TYPES_WITH_NODE_PORTS


def _numbers_by_port(old: Object | None) -> dict[tuple[int, str], int]:
    if old is None:
        return {}
    ports = (old.get("spec") or {}).get("ports") or ()
    return {(p.get("port", 0), p.get("protocol", "TCP")): p.get("nodePort") or 0 for p in ports}


def _external(service: Object) -> list[str]:
    return list((service.get("spec") or {}).get("externalIPs") or ())


def _refused(service: Object, field: str, value: object, why: str) -> ApiError:
    problem: FieldError = invalid_value(field, value, why)
    return invalid("Service", "", service["metadata"].get("name", ""), [problem])
