"""EndpointSlice: some of the addresses behind a service."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, UNSET, age_of
from wherry.api.core.address_warnings import ip_warnings
from wherry.api.core.addresses import validate_unicast
from wherry.api.core.pod_spec.rules import PROTOCOLS, Errors, Fields, check, check_given_choice
from wherry.api.generation import count_generation
from wherry.api.resource import Column, Resource, Strategy
from wherry.api.validation import (
    validate_immutable,
    validate_labels,
    validate_object_meta,
    validate_object_meta_update,
)
from wherry.objects.errors import FieldError, duplicate_value, invalid_value, required, too_many
from wherry.objects.meta import Object, labels_of, name_of
from wherry.objects.names import (
    Check,
    dns1123_label_errors,
    dns1123_subdomain_errors,
    fully_qualified_name_errors,
    label_value_errors,
    qualified_name_errors,
)
from wherry.objects.repeats import repeated

ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
MAX_ADDRESSES = 100
MAX_PORTS = 20000
MAX_ENDPOINTS = 1000
MAX_TOPOLOGY = 16
MAX_HINTS = 8
SHOWN = 3
"""How many ports or addresses a table cell lists before it only counts."""

_MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
_MANAGERS = ("endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io")
"""Who writes addresses in no odd form, and need not be told."""


class EndpointSliceStrategy(Strategy):
    """Defaults, checks and table row of endpoint slices."""

    def default(self, obj: Object) -> None:
        for port in obj.get("ports") or ():
            if port.get("name") is None:
                port["name"] = ""
            if port.get("protocol") is None:
                port["protocol"] = "TCP"

    def prepare(self, new: Object, old: Object | None) -> None:
        """Count changes; a slice has no status."""
        count_generation(new, old, ("addressType", "endpoints", "ports", "metadata.labels"))

    def validate(self, new: Object, old: Object | None) -> list[FieldError]:
        errors: Errors = (
            validate_object_meta(new, True) if old is None else validate_object_meta_update(new, old)
        )
        kind = new.get("addressType") or ""
        check_given_choice(kind, ADDRESS_TYPES, "addressType", errors)
        _validate_endpoints(new.get("endpoints") or (), kind, errors)
        _validate_ports(new.get("ports") or (), errors)
        if old is not None:
            errors.extend(validate_immutable("addressType", kind, old.get("addressType")))
        return errors

    def warnings(self, new: Object, old: Object | None) -> list[str]:
        deprecated = new.get("addressType") == "FQDN"
        texts = ["spec.addressType: FQDN endpoints are deprecated"] if deprecated else []
        if labels_of(new).get(_MANAGED_BY) in _MANAGERS:
            return texts
        return texts + [
            text
            for index, endpoint in enumerate(new.get("endpoints") or ())
            for number, address in enumerate(endpoint.get("addresses") or ())
            for text in ip_warnings(address, f"endpoints[{index}].addresses[{number}]")
        ]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        ports = [_port_text(port) for port in obj.get("ports") or ()]
        addresses = [ip for endpoint in obj.get("endpoints") or () for ip in endpoint.get("addresses") or ()]
        return [
            name_of(obj),
            obj.get("addressType") or "",
            _list_some(ports),
            _list_some(addresses),
            age_of(obj, now),
        ]


def _port_text(port: Fields) -> str:
    number = port.get("port")
    if number is not None:
        return str(number)
    name = port.get("name")
    return "*" if name is None else str(name)


def _list_some(texts: Sequence[str]) -> str:
    shown = ",".join(texts[:SHOWN])
    if len(texts) > SHOWN:
        return f"{shown} + {len(texts) - SHOWN} more..."
    return shown or UNSET


def _validate_endpoints(endpoints: Sequence[Fields], kind: str, errors: Errors) -> None:
    if len(endpoints) > MAX_ENDPOINTS:
        errors.append(too_many("endpoints", len(endpoints), MAX_ENDPOINTS))
        return
    for index, endpoint in enumerate(endpoints):
        path = f"endpoints[{index}]"
        addresses = endpoint.get("addresses") or ()
        if not addresses:
            errors.append(required(f"{path}.addresses", "must contain at least 1 address"))
        elif len(addresses) > MAX_ADDRESSES:
            errors.append(too_many(f"{path}.addresses", len(addresses), MAX_ADDRESSES))
        for inner, address in enumerate(addresses):
            _validate_address(address, kind, f"{path}.addresses[{inner}]", errors)
        if (node := endpoint.get("nodeName")) is not None:
            check(dns1123_subdomain_errors, node, f"{path}.nodeName", errors)
        topology = endpoint.get("deprecatedTopology") or {}
        if topology:
            at = f"{path}.deprecatedTopology"
            if len(topology) > MAX_TOPOLOGY:
                errors.append(too_many(at, len(topology), MAX_TOPOLOGY))
            errors.extend(validate_labels(topology, at))
        if (name := endpoint.get("hostname")) is not None:
            check(dns1123_label_errors, name, f"{path}.hostname", errors)
        if hints := endpoint.get("hints"):
            _validate_hints(hints, "forZones", label_value_errors, f"{path}.hints", errors)
            _validate_hints(hints, "forNodes", dns1123_subdomain_errors, f"{path}.hints", errors)


def _validate_hints(hints: Fields, field: str, rule: Check, path: str, errors: Errors) -> None:
    """Names of zones or nodes the endpoint is best for: few, each once."""
    entries, at = hints.get(field) or (), f"{path}.{field}"
    if len(entries) > MAX_HINTS:
        errors.append(too_many(at, len(entries), MAX_HINTS))
        return
    names = [entry.get("name") or "" for entry in entries]
    twice = dict(repeated(names))
    for index, name in enumerate(names):
        if index in twice:
            errors.append(duplicate_value(f"{at}[{index}].name", name))
        check(rule, name, f"{at}[{index}].name", errors)


def _validate_address(address: str, kind: str, path: str, errors: Errors) -> None:
    if kind == "FQDN":
        check(fully_qualified_name_errors, address, path, errors)
    elif kind in ("IPv4", "IPv6"):
        if not _is_of_family(address, kind):
            errors.append(invalid_value(path, address, f"must be a valid {kind} address"))
        validate_unicast(address, path, errors)


def _is_of_family(address: str, kind: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and (found.ipv4_mapped is not None or found.scope_id):
        return False  # one family written as the other, or an address on one machine's link
    return f"IPv{found.version}" == kind


def _validate_ports(ports: Sequence[Fields], errors: Errors) -> None:
    if len(ports) > MAX_PORTS:
        errors.append(too_many("ports", len(ports), MAX_PORTS))
        return
    names: set[str] = set()
    for index, port in enumerate(ports):
        path, name = f"ports[{index}]", port.get("name") or ""
        if name:
            check(dns1123_label_errors, name, f"{path}.name", errors)
        if name in names:
            errors.append(duplicate_value(f"{path}.name", name))
        names.add(name)
        check_given_choice(port.get("protocol"), PROTOCOLS, f"{path}.protocol", errors)
        if (protocol := port.get("appProtocol")) is not None:
            check(qualified_name_errors, protocol, f"{path}.appProtocol", errors)


ENDPOINT_SLICES = Resource(
    group="discovery.k8s.io",
    version="v1",
    kind="EndpointSlice",
    plural="endpointslices",
    namespaced=True,
    strategy=EndpointSliceStrategy(),
    columns=(
        NAME,
        Column("AddressType", description="What kind of addresses these are."),
        Column("Ports", description="The ports of every endpoint."),
        Column("Endpoints", description="The addresses of the endpoints."),
        AGE,
    ),
    schema="io.k8s.api.discovery.v1.EndpointSlice",
)
