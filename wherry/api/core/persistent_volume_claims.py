"""PersistentVolumeClaim: a request for storage.

Once made, a claim's spec stays: it may only be bound, grow, and change its attributes class.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, UNSET, age_of
from wherry.api.core.persistent_volumes import ACCESS_MODES, VOLUME_MODES, access_modes_text
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import validate_label_selector, validate_one_of, validate_quantity
from wherry.objects.errors import FieldError, forbidden_value, not_supported, required
from wherry.objects.meta import Object, is_deleting, name_of
from wherry.objects.quantity import parse_quantity

_SCHEMA = "io.k8s.api.core.v1.PersistentVolumeClaim"
_IMMUTABLE = (
    "spec is immutable after creation except resources.requests "
    "and volumeAttributesClassName for bound claims"
)


def default_claim(obj: Object) -> None:
    """Default a claim, or a template of one, in place."""
    spec = obj.setdefault("spec", {})
    if not spec.get("volumeMode"):
        spec["volumeMode"] = "Filesystem"


def _prepare(new: Object, old: Object | None) -> None:
    if old is None:
        new["status"] = {"phase": "Pending"}
    source = (new.get("spec") or {}).get("dataSource")
    if source and not new["spec"].get("dataSourceRef"):
        new["spec"]["dataSourceRef"] = dict(source)


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = claim_spec_errors(spec, "spec")
    if old is not None:
        errors += _change_errors(spec, old)
    return errors


def claim_spec_errors(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    """What is wrong with a claim's spec at `path`."""
    errors: list[FieldError] = []
    modes = spec.get("accessModes") or []
    if not modes:
        errors.append(required(f"{path}.accessModes", "at least 1 access mode is required"))
    errors += [
        not_supported(f"{path}.accessModes", mode, sorted(ACCESS_MODES))
        for mode in modes
        if mode not in ACCESS_MODES
    ]
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        why = "may not use ReadWriteOncePod with other access modes"
        errors.append(forbidden_value(f"{path}.accessModes", why))
    errors += validate_label_selector(spec.get("selector"), f"{path}.selector")
    request = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if request is None:
        errors.append(required(f"{path}.resources[storage]"))
    else:
        errors += validate_quantity(f"{path}.resources[storage]", request)
    return errors + validate_one_of(f"{path}.volumeMode", spec.get("volumeMode"), VOLUME_MODES)


def _change_errors(spec: Mapping[str, Any], old: Object) -> list[FieldError]:
    before = old.get("spec") or {}
    now_request, was_request = _request(spec), _request(before)
    is_bound = (old.get("status") or {}).get("phase") == "Bound"
    free = {"resources", "volumeAttributesClassName"} if is_bound else set()
    if not before.get("volumeName"):
        free.add("volumeName")
    if not before.get("storageClassName"):
        free.add("storageClassName")
    names = (set(spec) | set(before)) - free
    if any((spec.get(name) or None) != (before.get(name) or None) for name in names):
        return [forbidden_value("spec", _IMMUTABLE)]
    if now_request is not None and was_request is not None and now_request < was_request:
        capacity = ((old.get("status") or {}).get("capacity") or {}).get("storage")
        if capacity is None or now_request <= parse_quantity(capacity):
            return [
                forbidden_value(
                    "spec.resources.requests.storage", "field can not be less than status.capacity"
                )
            ]
    return []


def _request(spec: Mapping[str, Any]) -> Any:
    text = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    return None if text is None else parse_quantity(text)


def _row(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    phase = "Terminating" if is_deleting(obj) else status.get("phase") or ""
    volume = spec.get("volumeName") or ""
    capacity = (status.get("capacity") or {}).get("storage") or "0" if volume else ""
    return [
        name_of(obj),
        phase,
        volume,
        capacity,
        access_modes_text(status.get("accessModes")) if volume else "",
        storage_class_of(obj),
        spec.get("volumeAttributesClassName") or UNSET,
        age_of(obj, now),
        spec.get("volumeMode") or UNSET,
    ]


def storage_class_of(obj: Object) -> str:
    """The class a claim or volume asks for, by annotation as in old times or by its spec; "" for none."""
    annotations = (obj.get("metadata") or {}).get("annotations") or {}
    old_way: str = annotations.get("volume.beta.kubernetes.io/storage-class") or ""
    return old_way or (obj.get("spec") or {}).get("storageClassName") or ""


PERSISTENT_VOLUME_CLAIMS = Resource(
    group="",
    version="v1",
    kind="PersistentVolumeClaim",
    plural="persistentvolumeclaims",
    namespaced=True,
    short_names=("pvc",),
    subresources=(Subresource("status"),),
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        namespaced=True,
        has_status=True,
        defaults=default_claim,
        prepares=_prepare,
        rules=_rules,
        row=_row,
    ),
    columns=(
        NAME,
        Column("Status", description="The phase of the claim."),
        Column("Volume", description="The volume the claim is bound to."),
        Column("Capacity", description="How much the volume holds."),
        Column("Access Modes", description="How the volume can be mounted."),
        Column("StorageClass", description="StorageClass of the pvc"),
        Column("VolumeAttributesClass", description="VolumeAttributesClass of the pvc"),
        AGE,
        Column("VolumeMode", description="Whether the volume is a file system or a device.", priority=1),
    ),
    schema=_SCHEMA,
)
