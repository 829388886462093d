"""ResourceClaim: a request for devices. What is asked for never changes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.dynamicresources.allocations import kept_devices, status_errors
from wherry.api.dynamicresources.claims import claim_errors, default_claim, names_of
from wherry.api.resource import COMPILES, Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.resource.v1.ResourceClaim"


def _default(obj: Object) -> None:
    default_claim((obj.get("spec") or {}).get("devices") or {})


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    """The spec is judged once: it cannot change."""
    return (
        [] if old is not None else claim_errors((new.get("spec") or {}).get("devices") or {}, "spec.devices")
    )


def _prepare_status(new: Object, old: Object) -> None:
    """What was told of a device goes when the device is given back."""
    status: Object = new.get("status") or {}
    if devices := status.get("devices"):
        kept = kept_devices(devices, status, old.get("status") or {})
        if len(kept) < len(devices):
            new["status"] = {**status, "devices": kept} if kept else _without(status, "devices")


def _without(status: Object, field: str) -> Object:
    return {name: value for name, value in status.items() if name != field}


def _status_rules(new: Object, old: Object) -> list[FieldError]:
    return status_errors(
        new.get("status") or {},
        old.get("status") or {},
        names_of((new.get("spec") or {}).get("devices") or {}),
        is_deleted=bool((new.get("metadata") or {}).get("deletionTimestamp")),
    )


def _state(obj: Object) -> str:
    status = obj.get("status") or {}
    words: list[str] = []
    if (obj.get("metadata") or {}).get("deletionTimestamp"):
        words.append("deleted")
    if status.get("allocation") is not None:
        words.append("allocated")
        words += ["reserved"] if status.get("reservedFor") else []
    return ",".join(words) or "pending"


def _row(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), _state(obj), age_of(obj, now)]


RESOURCE_CLAIMS = Resource(
    group="resource.k8s.io",
    version="v1",
    kind="ResourceClaim",
    plural="resourceclaims",
    namespaced=True,
    subresources=(Subresource("status"),),
    strategy=SchemaStrategy(
        weight_factor=COMPILES,
        schema=_SCHEMA,
        namespaced=True,
        has_status=True,
        status_resets=("spec", "metadata"),
        immutable=("spec",),
        defaults=_default,
        rules=_rules,
        prepares_status=_prepare_status,
        status_rules=_status_rules,
        row=_row,
    ),
    columns=(NAME, Column("State", description="How far the claim has come."), AGE),
    schema=_SCHEMA,
)
