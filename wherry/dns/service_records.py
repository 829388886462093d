"""What a Service has in DNS: `service_facts`. Pure.

Source: kubernetes/dns, docs/specification.md 1.1.0 (2.2 to 2.6); CoreDNS, plugin/kubernetes, for names of
endpoints without a hostname, and for headless Services without endpoints, whose name exists.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from typing import Any

from wherry.dns.wire import Type, name_of_text
from wherry.dns.zone import Fact
from wherry.objects.meta import Object, name_of, namespace_of

PRIORITY = 0
HEAVIEST = 100
"""Weights of several SRV records of one name come to about this."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address of a headless Service, and what it is called there."""

    label: str
    address: str


def service_facts(service: Object, slices: Iterable[Object], domain: str) -> Iterator[Fact]:
    """The records of a Service with these EndpointSlices, in the cluster's `domain` (without a dot at its
    end).
    """
    spec = service.get("spec") or {}
    base = f"{name_of(service)}.{namespace_of(service)}.svc.{domain}"
    if spec.get("type") == "ExternalName":
        target = str(spec.get("externalName") or "").rstrip(".")
        if target:
            yield Fact(name_of_text(base), Type.CNAME, name_of_text(target))
        return
    addresses = [ip for ip in spec.get("clusterIPs") or [spec.get("clusterIP")] if ip and ip != "None"]
    if addresses:
        yield from _with_address(base, addresses, spec.get("ports") or ())
    else:
        yield from _headless(base, list(slices))


def reverse_name(address: str) -> bytes:
    """The name a PTR record of the address is at."""
    return name_of_text(ip_address(address).reverse_pointer)


def _with_address(base: str, addresses: Iterable[str], ports: Iterable[Mapping[str, Any]]) -> Iterator[Fact]:
    name = name_of_text(base)
    for address in addresses:
        yield _address(name, address)
        yield Fact(reverse_name(address), Type.PTR, name)
    for port in ports:
        # Its weight is that of the only one.
        yield from _srv(base, port, name, HEAVIEST)


def _headless(base: str, slices: list[Object]) -> Iterator[Fact]:
    yield Fact(name_of_text(base))
    named: list[tuple[Endpoint, Object]] = []
    for endpoint_slice in slices:
        if endpoint_slice.get("addressType") not in ("IPv4", "IPv6"):
            continue
        for entry in endpoint_slice.get("endpoints") or ():
            if (entry.get("conditions") or {}).get("ready") is False:
                continue
            if entry.get("addresses"):
                address = entry["addresses"][0]
                named.append((Endpoint(entry.get("hostname") or _dashed(address), address), endpoint_slice))
    weight = max(1, HEAVIEST // max(1, len({endpoint for endpoint, _ in named})))
    for endpoint, endpoint_slice in named:
        own = f"{endpoint.label}.{base}"
        yield _address(name_of_text(base), endpoint.address)
        yield _address(name_of_text(own), endpoint.address)
        yield Fact(reverse_name(endpoint.address), Type.PTR, name_of_text(own))
        for port in endpoint_slice.get("ports") or ():
            yield from _srv(base, port, name_of_text(own), weight)


def _srv(base: str, port: Mapping[str, Any], target: bytes, weight: int) -> Iterator[Fact]:
    """The SRV record of a named port: those without a name have none (2.3.2)."""
    label, number = port.get("name"), port.get("port")
    if not label or number is None:
        return
    protocol = str(port.get("protocol") or "TCP").lower()
    data = struct.pack("!HHH", PRIORITY, weight, int(number)) + target
    yield Fact(name_of_text(f"_{label}._{protocol}.{base}"), Type.SRV, data)


def _address(name: bytes, address: str) -> Fact:
    found = ip_address(address)
    return Fact(name, Type.A if isinstance(found, IPv4Address) else Type.AAAA, found.packed)


def _dashed(address: str) -> str:
    return address.replace(".", "-").replace(":", "-")
