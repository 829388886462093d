"""NetworkPolicy: which traffic pods take and send.

Rules: pkg/apis/networking/v1, SetDefaults_NetworkPolicy; pkg/apis/networking/validation,
ValidateNetworkPolicySpec.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of, format_selector
from wherry.api.core.address_warnings import cidr_warnings
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import check_text, validate_label_selector
from wherry.objects.errors import FieldError, forbidden_value, invalid_value, not_supported, required
from wherry.objects.meta import Object, name_of
from wherry.objects.names import cidr_errors, port_name_errors, port_number_errors

_SCHEMA = "io.k8s.api.networking.v1.NetworkPolicy"
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_TYPES = ("Ingress", "Egress")


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("podSelector", {})
    for direction in ("ingress", "egress"):
        for rule in spec.get(direction) or ():
            for port in rule.get("ports") or ():
                if port.get("protocol") is None:
                    port["protocol"] = "TCP"
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    stored = {text for _, text in _networks(old or {})}
    errors = validate_label_selector(spec.get("podSelector"), "spec.podSelector")
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            at = f"spec.{direction}[{index}]"
            for number, port in enumerate(rule.get("ports") or ()):
                errors += _port_errors(port, f"{at}.ports[{number}]")
            for number, peer in enumerate(rule.get(peers) or ()):
                errors += _peer_errors(peer, f"{at}.{peers}[{number}]", stored)
    types = spec.get("policyTypes") or []
    if len(types) > len(_TYPES):
        why = "may not specify more than two policyTypes"
        return [*errors, invalid_value("spec.policyTypes", types, why)]
    errors += [
        not_supported(f"spec.policyTypes[{index}]", word, _TYPES)
        for index, word in enumerate(types)
        if word not in _TYPES
    ]
    return errors


def _port_errors(port: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    protocol, number, end = port.get("protocol"), port.get("port"), port.get("endPort")
    if protocol is not None and protocol not in _PROTOCOLS:
        errors.append(not_supported(f"{path}.protocol", protocol, _PROTOCOLS))
    if isinstance(number, int):
        errors += [invalid_value(f"{path}.port", number, text) for text in port_number_errors(number)]
        if end is not None and end < number:
            why = "must be greater than or equal to `port`"
            errors.append(invalid_value(f"{path}.endPort", number, why))
        if end is not None:
            errors += [invalid_value(f"{path}.endPort", end, text) for text in port_number_errors(end)]
    elif isinstance(number, str):
        errors += check_text(f"{path}.port", number, port_name_errors)
        if end is not None:
            errors.append(
                invalid_value(f"{path}.endPort", end, "may not be specified when `port` is non-numeric")
            )
    elif end is not None:
        errors.append(
            invalid_value(f"{path}.endPort", end, "may not be specified when `port` is not specified")
        )
    return errors


def _peer_errors(peer: Mapping[str, Any], path: str, stored: set[str]) -> list[FieldError]:
    if not peer:
        return [required(path, "must specify a peer")]
    errors: list[FieldError] = []
    for name in ("podSelector", "namespaceSelector"):
        errors += validate_label_selector(peer.get(name), f"{path}.{name}")
    block = peer.get("ipBlock")
    if block is None:
        return errors
    if len(peer) > 1:
        errors.append(forbidden_value(path, "may not specify both ipBlock and another peer"))
    return errors + _block_errors(block, f"{path}.ipBlock", stored)


def _block_errors(block: Mapping[str, Any], path: str, stored: set[str]) -> list[FieldError]:
    """`stored` are networks from before the update, which stay allowed as they are written."""
    text = block.get("cidr") or ""
    if not text:
        return [required(f"{path}.cidr")]
    errors = check_text(f"{path}.cidr", text, cidr_errors) if text not in stored else []
    if errors:
        return errors
    whole = ipaddress.ip_interface(text).network
    for index, part in enumerate(block.get("except") or ()):
        at = f"{path}.except[{index}]"
        wrong = check_text(at, part, cidr_errors) if part not in stored else []
        errors += wrong
        if wrong:
            continue
        inner = ipaddress.ip_interface(part).network
        inside = whole.version == inner.version and inner.prefixlen > whole.prefixlen
        if not inside or inner.network_address not in whole:
            errors.append(invalid_value(at, part, "must be a strict subset of `cidr`"))
    return errors


def _warnings(new: Object, _old: Object | None) -> list[str]:
    return [said for path, text in _networks(new) for said in cidr_warnings(text, path)]


def _networks(policy: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each network the policy names, with its path."""
    spec = policy.get("spec") or {}
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            for number, peer in enumerate(rule.get(peers) or ()):
                block, at = peer.get("ipBlock") or {}, f"spec.{direction}[{index}].{peers}[{number}].ipBlock"
                yield f"{at}.cidr", block.get("cidr") or ""
                for place, part in enumerate(block.get("except") or ()):
                    yield f"{at}.except[{place}]", part


def _row(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), format_selector((obj.get("spec") or {}).get("podSelector")), age_of(obj, now)]


NETWORK_POLICIES = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="NetworkPolicy",
    plural="networkpolicies",
    namespaced=True,
    short_names=("netpol",),
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        is_complete=True,
        namespaced=True,
        tracks_generation=True,
        defaults=_default,
        rules=_rules,
        row=_row,
        warns=_warnings,
    ),
    columns=(NAME, Column("Pod-Selector", description="The pods the policy is about."), AGE),
    schema=_SCHEMA,
)
