"""The node ports a Service is given."""

from __future__ import annotations

import random

from wherry.apiserver.allocation.node_ports import PortInUse, PortOutOfRange, PortPool, PortsFull
from wherry.apiserver.allocation.refusals import refused
from wherry.apiserver.allocation.reservations import Reservation
from wherry.objects.errors import internal
from wherry.objects.meta import Object

TYPES_WITH_NODE_PORTS = ("NodePort", "LoadBalancer")


class ServicePorts:
    """Takes node ports for Services. They live in memory and are found again from the stored Services."""

    def __init__(self, ports: tuple[int, int], rng: random.Random) -> None:
        self.pool = PortPool(*ports, rng)

    def load(self, service: Object) -> None:
        """Take what a stored Service holds; what two of them hold is simply held."""
        for port in node_ports(service):
            try:
                self.pool.take(port)
            except (PortInUse, PortOutOfRange):
                continue

    def release(self, service: Object) -> None:
        """Give back what a deleted Service held."""
        for port in node_ports(service):
            self.pool.release(port)

    def reserve(self, new: Object, old: Object | None, reservation: Reservation) -> None:
        """Take what `new` needs beyond `old`, and write it into `new`. Raises ApiError (422, 500)."""
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
            reservation.on_commit(lambda n=number: self.pool.release(n))  # type: ignore[misc]

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
                reservation.on_undo(lambda n=number: self.pool.release(n))  # type: ignore[misc]
            else:
                number = self._take_any_port()
                reservation.on_undo(lambda n=number: self.pool.release(n))  # type: ignore[misc]
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
        reservation.on_undo(lambda: self.pool.release(number))
        new["spec"]["healthCheckNodePort"] = number

    def _take_port(self, new: Object, field: str, number: int) -> None:
        try:
            self.pool.take(number)
        except PortInUse:
            raise refused(new, field, number, "provided port is already allocated") from None
        except PortOutOfRange:
            why = f"provided port is not in the valid range. The range of valid ports is {self.pool}"
            raise refused(new, field, number, why) from None

    def _take_any_port(self) -> int:
        try:
            return self.pool.take_any()
        except PortsFull:
            raise internal("failed to allocate a nodePort: range is full") from None


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
