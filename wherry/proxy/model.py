"""From Services and EndpointSlices to what a backend must know: one `ServicePort` per port. Pure.

Which endpoints get traffic follows upstream (KEP-1669, KEP-2086): ready ones; if there are none,
those that still serve while terminating. A `Local` traffic policy leaves only this node's; without one,
hints may keep traffic near (`topology`). Addresses, ports and protocols are taken apart here, so that no
backend writes words of an object into a program for the kernel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Any, Literal

from wherry.objects.meta import Object, labels_of, name_of, namespace_of
from wherry.proxy.topology import Place, near

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name"
NO_ADDRESSES = (None, "", "None")


PROTOCOLS = ("TCP", "UDP", "SCTP")

Refusal = Literal["", "reject", "drop"]
"""What becomes of traffic that no endpoint gets: "" where one does."""


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """Where traffic may go. One that `may_be_local` is on this node, or nobody says where it is."""

    ip: str
    port: int
    is_local: bool = False
    may_be_local: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePort:
    """One port of one Service, with everything resolved.

    `name` is `namespace/service:port-name`, unique with the protocol. `affinity_s` is how long a
    client sticks to an endpoint, 0 for not at all. `internal` are the endpoints for traffic to the
    ClusterIP, `external` for traffic from outside; with `external_local` these are this node's only.
    """

    name: str
    protocol: str
    port: int
    cluster_ip: str
    node_port: int = 0
    external_ips: tuple[str, ...] = ()
    load_balancer_ips: tuple[str, ...] = ()
    source_ranges: tuple[str, ...] = ()
    affinity_s: int = 0
    internal: tuple[Endpoint, ...] = ()
    external: tuple[Endpoint, ...] = ()
    cluster: tuple[Endpoint, ...] = ()
    external_local: bool = False

    @property
    def refusal_inside(self) -> Refusal:
        """What becomes of traffic to the ClusterIP (pkg/proxy/nftables/proxier.go, syncProxyRules)."""
        return "" if self.internal else "drop" if self.cluster else "reject"

    @property
    def refusal_outside(self) -> Refusal:
        """What becomes of traffic from outside: dropped while other nodes have endpoints."""
        return "" if self.external else "drop" if self.cluster else "reject"

    @property
    def is_external(self) -> bool:
        """Whether anything but the ClusterIP leads here."""
        return bool(self.node_port or self.external_ips or self.load_balancer_ips)


Ports = tuple[ServicePort, ...]
"""What one Service has."""
Model = Mapping[str, Ports]
"""The ports of every Service that has some, by its `namespace/name`."""


def service_key(service: Object) -> str:
    """What a Service is called in a model."""
    return f"{namespace_of(service)}/{name_of(service)}"


def owner_key(endpoint_slice: Object) -> str:
    """The `namespace/name` of the Service a slice is of, "" for none and for a family not routed here."""
    owner = labels_of(endpoint_slice).get(SERVICE_NAME_LABEL)
    if not owner or endpoint_slice.get("addressType") != "IPv4":
        return ""
    return f"{namespace_of(endpoint_slice)}/{owner}"


def service_ports(service: Object, slices: Iterable[Object], place: Place) -> Ports:
    """What the node at `place` must handle of a Service with these slices, in order of name and protocol.

    Raises what comes of a Service that cannot be understood: LookupError, ValueError, TypeError and so on.
    """
    if not is_handled(service):
        return ()
    found = _service_ports(service_key(service), service["spec"], service, [*slices], place)
    return tuple(sorted(found, key=lambda port: (port.name, port.protocol)))


def is_handled(service: Object) -> bool:
    """Whether the service has an address that a proxy must serve (not headless, not ExternalName)."""
    spec = service.get("spec") or {}
    return (
        spec.get("type") != "ExternalName"
        and spec.get("clusterIP") not in NO_ADDRESSES
        and ":" not in spec["clusterIP"]
        and PROXY_NAME_LABEL not in labels_of(service)
    )


def _service_ports(
    key: str, spec: Mapping[str, Any], service: Object, slices: list[Object], place: Place
) -> Iterable[ServicePort]:
    ingress = (service.get("status") or {}).get("loadBalancer", {}).get("ingress") or ()
    external_local = spec.get("externalTrafficPolicy") == "Local"
    for port in spec.get("ports") or ():
        name = port.get("name") or ""
        protocol = port.get("protocol", "TCP")
        if protocol not in PROTOCOLS:
            raise ValueError(f"protocol {protocol!r}")
        cluster, local = _endpoints(slices, name, protocol, place)
        yield ServicePort(
            name=f"{key}:{name}" if name else key,
            protocol=protocol,
            port=int(port["port"]),
            cluster_ip=str(IPv4Address(spec["clusterIP"])),
            node_port=int(port.get("nodePort") or 0),
            external_ips=_addresses(spec.get("externalIPs") or ()),
            load_balancer_ips=_addresses(
                item["ip"] for item in ingress if item.get("ip") and item.get("ipMode", "VIP") == "VIP"
            ),
            source_ranges=_ranges(spec.get("loadBalancerSourceRanges") or ()),
            affinity_s=_affinity_s(spec),
            internal=local if spec.get("internalTrafficPolicy") == "Local" else cluster,
            external=local if external_local else cluster,
            cluster=cluster,
            external_local=external_local,
        )


def _addresses(given: Iterable[str]) -> tuple[str, ...]:
    """Those of the family that is routed here, each once."""
    return tuple(sorted({str(IPv4Address(text)) for text in given if ":" not in text}))


def _ranges(given: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({str(IPv4Network(text.strip(), strict=False)) for text in given if ":" not in text}))


def _affinity_s(spec: Mapping[str, Any]) -> int:
    if spec.get("sessionAffinity") != "ClientIP":
        return 0
    config = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
    return int(config.get("timeoutSeconds") or 10800)


def _endpoints(
    slices: list[Object], port_name: str, protocol: str, place: Place
) -> tuple[tuple[Endpoint, ...], tuple[Endpoint, ...]]:
    """(all that get traffic from here, this node's that get traffic) for one port."""
    ready: list[tuple[Mapping[str, Any], int]] = []
    draining: set[Endpoint] = set()
    for endpoint_slice in slices:
        number = _port_number(endpoint_slice, port_name, protocol)
        if number is None:
            continue
        for item in endpoint_slice.get("endpoints") or ():
            conditions = item.get("conditions") or {}
            if conditions.get("ready") is not False:
                ready.append((item, number))
            elif conditions.get("serving") and conditions.get("terminating"):
                draining |= _at(item, number, place)
    everywhere = {found for item, number in ready for found in _at(item, number, place)}
    kept = {id(item) for item in near([item for item, _ in ready], place)}
    chosen = {found for item, number in ready if id(item) in kept for found in _at(item, number, place)}
    local = {e for e in everywhere if e.is_local} or {e for e in draining if e.is_local}
    return tuple(sorted(chosen or draining)), tuple(sorted(local))


def _at(item: Mapping[str, Any], number: int, place: Place) -> set[Endpoint]:
    """The endpoint's first address: the others are no further endpoints (the EndpointSlice's description)."""
    node = item.get("nodeName")
    try:
        address = str(IPv4Address((item.get("addresses") or ("",))[0]))
    except AddressValueError:
        return set()
    return {Endpoint(address, number, node == place.node, node is None or node == place.node)}


def _port_number(endpoint_slice: Object, name: str, protocol: str) -> int | None:
    for port in endpoint_slice.get("ports") or ():
        if (port.get("name") or "") == name and port.get("protocol", "TCP") == protocol:
            number = port.get("port")
            return None if number is None else int(number)
    return None
