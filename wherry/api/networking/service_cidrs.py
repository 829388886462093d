"""ServiceCIDR: a range services get their addresses from, one of each IP family at most."""

from __future__ import annotations

import ipaddress
from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import IMMUTABLE, check_text
from wherry.objects.errors import FieldError, invalid_value, required
from wherry.objects.meta import Object, name_of
from wherry.objects.names import cidr_errors

_SCHEMA = "io.k8s.api.networking.v1.ServiceCIDR"
_PATH = "spec.cidrs"


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    ranges = (new.get("spec") or {}).get("cidrs") or []
    if old is None:
        return _range_errors(ranges)
    before = (old.get("spec") or {}).get("cidrs") or []
    grows = len(before) == 1 and len(ranges) == 2
    if len(before) != len(ranges) and not grows:
        return [invalid_value(_PATH, ranges, IMMUTABLE)]
    errors = [
        invalid_value(f"{_PATH}[{index}]", ranges[index], IMMUTABLE)
        for index, text in enumerate(before)
        if ranges[index] != text
    ]
    return errors + _range_errors(ranges) if grows else errors


def _range_errors(ranges: list[str]) -> list[FieldError]:
    if not ranges:
        return [required(_PATH, "at least one CIDR required")]
    if len(ranges) > 2:
        return [invalid_value(_PATH, {"CIDRs": ranges}, "may only hold up to 2 values")]
    errors = [
        e for index, text in enumerate(ranges) for e in check_text(f"{_PATH}[{index}]", text, cidr_errors)
    ]
    if not errors:
        errors += [
            invalid_value(f"{_PATH}[{index}]", text, f'must be in canonical form ("{canonical}")')
            for index, text in enumerate(ranges)
            if text != (canonical := str(ipaddress.ip_interface(text).network))
        ]
    if not errors and len({ipaddress.ip_interface(text).version for text in ranges}) < len(ranges):
        why = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        errors.append(invalid_value(_PATH, ranges, why))
    return errors


def _row(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), ",".join((obj.get("spec") or {}).get("cidrs") or ()), age_of(obj, now)]


SERVICE_CIDRS = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="ServiceCIDR",
    plural="servicecidrs",
    namespaced=False,
    subresources=(Subresource("status"),),
    strategy=SchemaStrategy(
        schema=_SCHEMA, is_complete=True, namespaced=False, has_status=True, rules=_rules, row=_row
    ),
    columns=(NAME, Column("CIDRs", description="The ranges addresses are taken from."), AGE),
    schema=_SCHEMA,
)
