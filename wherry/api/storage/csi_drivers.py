"""CSIDriver: what a storage driver can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, UNSET, age_of, bool_text
from wherry.api.core.pod_spec.projected import LONGEST_TOKEN_S, SHORTEST_TOKEN_S
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import IMMUTABLE
from wherry.objects.errors import FieldError, duplicate_value, invalid_value, not_supported, required
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.storage.v1.CSIDriver"
_MODES = ("Persistent", "Ephemeral")
_FLAGS = ("attachRequired", "podInfoOnMount", "storageCapacity", "seLinuxMount")
_SPELT = {"attachRequired": "attachedRequired"}  # upstream's errors call it so
SHORTEST_UPDATE_S = 10
_GROUP_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    for name, value in (
        ("attachRequired", True),
        ("podInfoOnMount", False),
        ("storageCapacity", False),
        ("fsGroupPolicy", "ReadWriteOnceWithFSType"),
        ("requiresRepublish", False),
        ("seLinuxMount", False),
    ):
        if spec.get(name) is None:
            spec[name] = value
    if not spec.get("volumeLifecycleModes"):
        spec["volumeLifecycleModes"] = ["Persistent"]


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    spec, before = new.get("spec") or {}, ((old or {}).get("spec") or {})
    errors = [required(f"spec.{_SPELT.get(name, name)}") for name in _FLAGS if spec.get(name) is None]
    policy = spec.get("fsGroupPolicy")
    if policy is not None and policy not in _GROUP_POLICIES:
        errors.append(not_supported("spec.fsGroupPolicy", policy, _GROUP_POLICIES))
    errors += _token_errors(spec.get("tokenRequests") or ())
    errors += [
        not_supported("spec.volumeLifecycleModes", mode, _MODES)
        for mode in spec.get("volumeLifecycleModes") or ()
        if mode not in _MODES
    ]
    period_s = spec.get("nodeAllocatableUpdatePeriodSeconds")
    if period_s is not None and period_s < SHORTEST_UPDATE_S:
        why = f"must be greater than or equal to {SHORTEST_UPDATE_S} seconds"
        errors.append(invalid_value("spec.nodeAllocatableUpdatePeriodSeconds", period_s, why))
    if old is None:
        return errors
    for name in ("attachRequired", "volumeLifecycleModes"):
        if spec.get(name) != before.get(name):
            errors.append(invalid_value(f"spec.{_SPELT.get(name, name)}", spec.get(name), IMMUTABLE))
    return errors


def _token_errors(requests: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    """Each audience once, for a life within bounds."""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, request in enumerate(requests):
        path = f"spec.tokenRequests[{index}]"
        audience, life_s = request.get("audience") or "", request.get("expirationSeconds")
        if audience in seen:
            errors.append(duplicate_value(f"{path}.audience", audience))
            continue
        seen.add(audience)
        if life_s is not None and life_s < SHORTEST_TOKEN_S:
            why = "may not specify a duration less than 10 minutes"
            errors.append(invalid_value(f"{path}.expirationSeconds", life_s, why))
        if life_s is not None and life_s > LONGEST_TOKEN_S:
            why = "may not specify a duration larger than 2^32 seconds"
            errors.append(invalid_value(f"{path}.expirationSeconds", life_s, why))
    return errors


def _row(obj: Object, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    return [
        name_of(obj),
        bool_text(spec.get("attachRequired") is not False),
        bool_text(bool(spec.get("podInfoOnMount"))),
        bool_text(bool(spec.get("storageCapacity"))),
        ",".join(request.get("audience") or "" for request in spec.get("tokenRequests") or ()) or UNSET,
        bool_text(bool(spec.get("requiresRepublish"))),
        ",".join(spec.get("volumeLifecycleModes") or ()) or "<none>",
        age_of(obj, now),
    ]


CSI_DRIVERS = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="CSIDriver",
    plural="csidrivers",
    namespaced=False,
    strategy=SchemaStrategy(
        unconditional_update=False,
        schema=_SCHEMA,
        is_complete=True,
        namespaced=False,
        tracks_generation=True,
        defaults=_default,
        rules=_rules,
        row=_row,
    ),
    columns=(
        NAME,
        Column("AttachRequired", "boolean", description="Whether volumes are attached before mounting."),
        Column("PodInfoOnMount", "boolean", description="Whether the driver is told about the pod."),
        Column(
            "StorageCapacity", "boolean", description="Whether the driver tells how much storage is left."
        ),
        Column("TokenRequests", description="Audiences of the tokens the driver asks for."),
        Column("RequiresRepublish", "boolean", description="Whether mounts are refreshed from time to time."),
        Column("Modes", description="What kinds of volumes the driver serves."),
        AGE,
    ),
    schema=_SCHEMA,
)
