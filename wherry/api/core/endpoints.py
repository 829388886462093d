"""Endpoints: the addresses behind a service, in the form before EndpointSlice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from wherry.api.columns import AGE, NAME, NONE, age_of
from wherry.api.core.address_warnings import ip_warnings
from wherry.api.core.addresses import validate_unicast
from wherry.api.core.pod_spec.rules import PROTOCOLS, Errors, Fields, check, check_given_choice
from wherry.api.resource import Column, Resource, Strategy
from wherry.api.validation import validate_object_meta, validate_object_meta_update
from wherry.objects.errors import FieldError, invalid_value, required
from wherry.objects.meta import Object, labels_of, name_of
from wherry.objects.names import (
    dns1123_label_errors,
    dns1123_subdomain_errors,
    ip_errors,
    port_number_errors,
    qualified_name_errors,
)

SHOWN = 3
"""How many endpoints a table cell lists before it only counts."""

_MANAGED_BY = "endpoints.kubernetes.io/managed-by"
_MANAGER = "endpoint-controller"
"""Who writes addresses in no odd form, and need not be told."""


class EndpointsStrategy(Strategy):
    """Defaults, checks and table row of endpoints."""

    def default(self, obj: Object) -> None:
        for subset in obj.get("subsets") or ():
            for port in subset.get("ports") or ():
                if not port.get("protocol"):
                    port["protocol"] = "TCP"

    def prepare(self, new: Object, old: Object | None) -> None:
        """Nothing to keep apart: endpoints have no status."""

    def validate(self, new: Object, old: Object | None) -> list[FieldError]:
        errors: Errors = (
            validate_object_meta(new, True) if old is None else validate_object_meta_update(new, old)
        )
        for index, subset in enumerate(new.get("subsets") or ()):
            _validate_subset(subset, f"subsets[{index}]", errors)
        return errors

    def warnings(self, new: Object, old: Object | None) -> list[str]:
        if labels_of(new).get(_MANAGED_BY) == _MANAGER:
            return []
        return [
            text
            for index, subset in enumerate(new.get("subsets") or ())
            for field in ("addresses", "notReadyAddresses")
            for number, address in enumerate(subset.get(field) or ())
            for text in ip_warnings(address.get("ip") or "", f"subsets[{index}].{field}[{number}].ip")
        ]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return [name_of(obj), endpoints_text(obj), age_of(obj, now)]


def _validate_subset(subset: Fields, path: str, errors: Errors) -> None:
    if not subset.get("addresses") and not subset.get("notReadyAddresses"):
        errors.append(required(path, "must specify `addresses` or `notReadyAddresses`"))
    for field in ("addresses", "notReadyAddresses"):
        for index, address in enumerate(subset.get(field) or ()):
            _validate_address(address, f"{path}.{field}[{index}]", errors)
    ports = subset.get("ports") or ()
    for index, port in enumerate(ports):
        _validate_port(port, f"{path}.ports[{index}]", len(ports) > 1, errors)


def _validate_address(address: Fields, path: str, errors: Errors) -> None:
    ip = address.get("ip") or ""
    check(ip_errors, ip, f"{path}.ip", errors)
    if name := address.get("hostname"):
        check(dns1123_label_errors, name, f"{path}.hostname", errors)
    if (node := address.get("nodeName")) is not None:
        check(dns1123_subdomain_errors, node, f"{path}.nodeName", errors)
    validate_unicast(ip, f"{path}.ip", errors)


def _validate_port(port: Fields, path: str, named: bool, errors: Errors) -> None:
    name, number = port.get("name") or "", port.get("port") or 0
    if name:
        check(dns1123_label_errors, name, f"{path}.name", errors)
    elif named:
        errors.append(required(f"{path}.name"))
    errors.extend([invalid_value(f"{path}.port", number, text) for text in port_number_errors(number)])
    check_given_choice(port.get("protocol"), PROTOCOLS, f"{path}.protocol", errors)
    if (protocol := port.get("appProtocol")) is not None:
        check(qualified_name_errors, protocol, f"{path}.appProtocol", errors)


def endpoints_text(endpoints: Mapping[str, Any]) -> str:
    """The first few ready `address:port`s, and how many more there are."""
    if not endpoints.get("subsets"):
        return NONE
    pairs = _pairs(endpoints)
    text = ",".join(islice(pairs, SHOWN))
    more = sum(1 for _ in pairs)
    return f"{text} + {more} more..." if more else text


def _pairs(endpoints: Mapping[str, Any]) -> Iterator[str]:
    for subset in endpoints["subsets"]:
        ips = [address.get("ip") or "" for address in subset.get("addresses") or ()]
        ports = subset.get("ports")
        if not ports:
            yield from ips
        for port in ports or ():
            for ip in ips:
                yield f"[{ip}]:{port.get('port')}" if ":" in ip else f"{ip}:{port.get('port')}"


ENDPOINTS = Resource(
    group="",
    version="v1",
    kind="Endpoints",
    plural="endpoints",
    namespaced=True,
    short_names=("ep",),
    strategy=EndpointsStrategy(),
    columns=(NAME, Column("Endpoints", description="The ready addresses, with ports."), AGE),
    schema="io.k8s.api.core.v1.Endpoints",
    storage_key="services/endpoints",
    deprecation="v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
)
