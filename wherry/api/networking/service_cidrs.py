"""ServiceCIDR: a range services get their addresses from, one of each IP family at most."""

from __future__ import annotations

import ipaddress
from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import check_text
from wherry.objects.errors import FieldError, invalid_value, required
from wherry.objects.meta import Object, name_of
from wherry.objects.names import is_cidr

_SCHEMA = "io.k8s.api.networking.v1.ServiceCIDR"


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    ranges = (new.get("spec") or {}).get("cidrs") or []
    if not ranges:
        return [required("spec.cidrs", "at least one CIDR required")]
    if len(ranges) > 2:
        return [invalid_value("spec", ranges, "may only hold up to 2 values")]
    errors = [
        e for index, text in enumerate(ranges) for e in check_text(f"spec.cidrs[{index}]", text, is_cidr)
    ]
    if (
        not errors
        and len(ranges) == 2
        and len({ipaddress.ip_interface(text).version for text in ranges}) == 1
    ):
        errors.append(
            invalid_value("spec.cidrs", ranges, "may specify no more than one IP for each IP family")
        )
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
    strategy=SchemaStrategy(schema=_SCHEMA, namespaced=False, has_status=True, rules=_rules, row=_row),
    columns=(NAME, Column("CIDRs", description="The ranges addresses are taken from."), AGE),
    schema=_SCHEMA,
)
