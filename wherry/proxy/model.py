"""From Services and EndpointSlices to what a backend must know: one `ServicePort` per port. Pure.

Which endpoints get traffic follows upstream (KEP-1669, KEP-2086): ready ones; if there are none,
those that still serve while terminating. A `Local` traffic policy leaves only this node's; without one,
hints may keep traffic near (`topology`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from wherry.objects.meta import Object, labels_of, name_of, namespace_of
from wherry.proxy.topology import Place, near

log = logging.getLogger(__name__)

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name"
NO_ADDRESSES = (None, "", "None")


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """Where traffic may go."""

    ip: str
    port: int
    is_local: bool = False


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
    def is_external(self) -> bool:
        """Whether anything but the ClusterIP leads here."""
        return bool(self.node_port or self.external_ips or self.load_balancer_ips)


def build_model(
    services: Iterable[Object], slices: Iterable[Object], place: Place
) -> tuple[ServicePort, ...]:
    """Every service port the node at `place` must handle, in order of name and protocol.

    A service that cannot be understood is logged and left out, so that it costs the others nothing.
    """
    by_service: dict[str, list[Object]] = {}
    for endpoint_slice in slices:
        owner = labels_of(endpoint_slice).get(SERVICE_NAME_LABEL)
        if owner and endpoint_slice.get("addressType") == "IPv4":
            by_service.setdefault(f"{namespace_of(endpoint_slice)}/{owner}", []).append(endpoint_slice)
    ports: list[ServicePort] = []
    for service in services:
        key = f"{namespace_of(service)}/{name_of(service)}"
        try:
            if is_handled(service):
                found = by_service.get(key, [])
                ports.extend([*_service_ports(key, service["spec"], service, found, place)])
        except Exception:
            log.exception("service %s cannot be routed", key)
    return tuple(sorted(ports, key=lambda port: (port.name, port.protocol)))


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
        cluster, local = _endpoints(slices, name, port.get("protocol", "TCP"), place)
        yield ServicePort(
            name=f"{key}:{name}" if name else key,
            protocol=port.get("protocol", "TCP"),
            port=port["port"],
            cluster_ip=spec["clusterIP"],
            node_port=port.get("nodePort") or 0,
            external_ips=tuple(sorted(ip for ip in spec.get("externalIPs") or () if ":" not in ip)),
            load_balancer_ips=tuple(
                sorted(
                    item["ip"]
                    for item in ingress
                    if item.get("ip") and ":" not in item["ip"] and item.get("ipMode", "VIP") == "VIP"
                )
            ),
            source_ranges=tuple(sorted(spec.get("loadBalancerSourceRanges") or ())),
            affinity_s=_affinity_s(spec),
            internal=local if spec.get("internalTrafficPolicy") == "Local" else cluster,
            external=local if external_local else cluster,
            cluster=cluster,
            external_local=external_local,
        )


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
    is_local = item.get("nodeName") == place.node
    return {Endpoint(address, number, is_local) for address in item.get("addresses") or ()}


def _port_number(endpoint_slice: Object, name: str, protocol: str) -> int | None:
    for port in endpoint_slice.get("ports") or ():
        if (port.get("name") or "") == name and port.get("protocol", "TCP") == protocol:
            number: int | None = port.get("port")
            return number
    return None
