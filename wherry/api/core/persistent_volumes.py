"""PersistentVolume: a piece of storage of the cluster. Its source and mode never change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, UNSET, age_of
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import validate_one_of, validate_quantity
from wherry.objects.errors import FieldError, forbidden_value, not_supported, required
from wherry.objects.meta import Object, is_deleting, name_of

_SCHEMA = "io.k8s.api.core.v1.PersistentVolume"
_NOT_SOURCES = frozenset(
    {
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    }
)
ACCESS_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}
"""Access modes with their short spelling, in the order tables show them."""
VOLUME_MODES = ("Block", "Filesystem")


def access_modes_text(modes: Sequence[str] | None) -> str:
    """Modes as tables show them: `RWO,RWX`."""
    return ",".join(short for mode, short in ACCESS_MODES.items() if mode in (modes or ()))


def volume_sources(obj: Object) -> list[str]:
    """The kinds of source the volume names; one, if it is right."""
    return [name for name in obj.get("spec") or {} if name not in _NOT_SOURCES]


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    if not spec.get("persistentVolumeReclaimPolicy"):
        spec["persistentVolumeReclaimPolicy"] = "Retain"
    if not spec.get("volumeMode"):
        spec["volumeMode"] = "Filesystem"
    if (host := spec.get("hostPath")) is not None:
        host.setdefault("type", "")


def _prepare(new: Object, old: Object | None) -> None:
    if old is None:
        new["status"] = {"phase": "Pending"}


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors: list[FieldError] = []
    modes = spec.get("accessModes") or []
    if not modes:
        errors.append(required("spec.accessModes"))
    errors += [
        not_supported("spec.accessModes", mode, sorted(ACCESS_MODES))
        for mode in modes
        if mode not in ACCESS_MODES
    ]
    capacity = spec.get("capacity") or {}
    if not capacity:
        errors.append(required("spec.capacity"))
    elif "storage" not in capacity or len(capacity) > 1:
        errors.append(not_supported("spec.capacity", ", ".join(sorted(capacity)), ["storage"]))
    for name, amount in capacity.items():
        errors += validate_quantity(f"spec.capacity[{name}]", amount)
    errors += validate_one_of(
        "spec.persistentVolumeReclaimPolicy",
        spec.get("persistentVolumeReclaimPolicy"),
        ("Delete", "Recycle", "Retain"),
    )
    errors += validate_one_of("spec.volumeMode", spec.get("volumeMode"), VOLUME_MODES)
    return errors + _source_errors(new, old)


def _source_errors(new: Object, old: Object | None) -> list[FieldError]:
    sources = volume_sources(new)
    if not sources:
        return [required("spec", "must specify a volume type")]
    errors = [
        forbidden_value(f"spec.{name}", "may not specify more than 1 volume type") for name in sources[1:]
    ]
    if "local" in sources and not (new["spec"].get("nodeAffinity") or {}).get("required"):
        errors.append(required("spec.nodeAffinity", "Local volume requires node affinity"))
    if old is None:
        return errors
    before = old.get("spec") or {}
    if any(new["spec"].get(name) != before.get(name) for name in {*sources, *volume_sources(old)}):
        errors.append(
            forbidden_value(
                "spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation"
            )
        )
    return errors


def _row(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    claim = spec.get("claimRef")
    return [
        name_of(obj),
        (spec.get("capacity") or {}).get("storage") or "0",
        access_modes_text(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy") or "",
        "Terminating" if is_deleting(obj) else status.get("phase") or "",
        f"{claim.get('namespace') or ''}/{claim.get('name') or ''}" if claim else "",
        spec.get("storageClassName") or "",
        spec.get("volumeAttributesClassName") or UNSET,
        status.get("reason") or "",
        age_of(obj, now),
        spec.get("volumeMode") or UNSET,
    ]


PERSISTENT_VOLUMES = Resource(
    group="",
    version="v1",
    kind="PersistentVolume",
    plural="persistentvolumes",
    namespaced=False,
    short_names=("pv",),
    subresources=(Subresource("status"),),
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        namespaced=False,
        has_status=True,
        immutable=("spec.volumeMode",),
        defaults=_default,
        prepares=_prepare,
        rules=_rules,
        row=_row,
    ),
    columns=(
        NAME,
        Column("Capacity", description="How much the volume holds."),
        Column("Access Modes", description="How the volume can be mounted."),
        Column("Reclaim Policy", description="What happens to the volume once its claim is gone."),
        Column("Status", description="The phase of the volume."),
        Column("Claim", description="The claim the volume is bound to."),
        Column("StorageClass", description="StorageClass of the pv"),
        Column("VolumeAttributesClass", description="VolumeAttributesClass of the pv"),
        Column("Reason", description="Why the volume is in its phase, if it failed."),
        AGE,
        Column("VolumeMode", description="Whether the volume is a file system or a device.", priority=1),
    ),
    schema=_SCHEMA,
)
