"""IPAddress: an address of a service that is taken; the object's name is the address."""

from __future__ import annotations

import ipaddress
from datetime import datetime
from typing import Any

from wherry.api.columns import NAME
from wherry.api.networking.references import segment_errors
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import NameRule, check_text
from wherry.objects.errors import FieldError, required
from wherry.objects.meta import Object, name_of
from wherry.objects.names import dns1123_subdomain_errors, ip_errors, path_segment_errors

_SCHEMA = "io.k8s.api.networking.v1.IPAddress"


def _canonical_ip_errors(value: str) -> list[str]:
    if texts := ip_errors(value):
        return texts
    canonical = str(ipaddress.ip_address(value))
    return [] if canonical == value else [f'must be in canonical form ("{canonical}")']


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    parent = (new.get("spec") or {}).get("parentRef")
    if parent is None:
        return [required("spec.parentRef")]
    path, group, namespace = "spec.parentRef", parent.get("group"), parent.get("namespace")
    errors = check_text(f"{path}.group", group, dns1123_subdomain_errors) if group else []
    errors += segment_errors(parent, ("resource", "name"), path)
    return errors + check_text(f"{path}.namespace", namespace, path_segment_errors) if namespace else errors


def _row(obj: Object, _now: datetime) -> list[Any]:
    parent = (obj.get("spec") or {}).get("parentRef") or {}
    kind = ".".join(part for part in (parent.get("resource"), parent.get("group")) if part)
    place = "/".join(part for part in (kind, parent.get("namespace"), parent.get("name")) if part)
    return [name_of(obj), place]


IP_ADDRESSES = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="IPAddress",
    plural="ipaddresses",
    namespaced=False,
    short_names=("ip",),
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        is_complete=True,
        namespaced=False,
        name_rule=NameRule(_canonical_ip_errors, _canonical_ip_errors),
        immutable=("spec.parentRef",),
        rules=_rules,
        row=_row,
    ),
    columns=(NAME, Column("ParentRef", description="What the address is used for.")),
    schema=_SCHEMA,
)
