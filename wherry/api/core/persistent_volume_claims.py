"""PersistentVolumeClaim: a request for storage.

Once made, a claim's spec stays: it may only be bound, and then grow and change its attributes class.
Rules: pkg/apis/core/validation, ValidatePersistentVolumeClaimUpdate.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, UNSET, age_of
from wherry.api.core.claim_spec import SOURCE_FIELDS, claim_spec_errors
from wherry.api.core.pod_spec.resources import is_native
from wherry.api.core.volume_terms import (
    STORAGE_CLASS_ANNOTATION,
    access_modes_text,
    annotation_warnings,
    storage_class_of,
)
from wherry.api.core.volume_warnings import fraction_warning
from wherry.api.differences import show_differences
from wherry.api.equality import is_same
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import IMMUTABLE, check_text
from wherry.objects.errors import FieldError, forbidden_value, invalid_value, not_supported
from wherry.objects.meta import Object, annotations_of, is_deleting, name_of
from wherry.objects.names import qualified_name_errors
from wherry.objects.quantity import Quantity, parse_quantity

_SCHEMA = "io.k8s.api.core.v1.PersistentVolumeClaim"
_RESIZES = (
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizePending",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
)
_IMMUTABLE = (
    "spec is immutable after creation except resources.requests "
    "and volumeAttributesClassName for bound claims"
)


def default_claim(obj: Object) -> None:
    """Default a claim, or a template of one, in place."""
    spec = obj.setdefault("spec", {})
    if spec.get("volumeMode") is None:
        spec["volumeMode"] = "Filesystem"


def _prepare(new: Object, old: Object | None) -> None:
    spec = new.setdefault("spec", {})
    if old is None:
        new["status"] = {"phase": "Pending"}
        if spec.get("dataSourceRef") is None and not _may_copy(spec.get("dataSource") or {}):
            spec.pop("dataSource", None)
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if reference is not None and not reference.get("namespace") and source is None:
        spec["dataSource"] = {name: reference[name] for name in SOURCE_FIELDS if name in reference}
    elif source is not None and reference is None:
        spec["dataSourceRef"] = dict(source)


def _may_copy(source: Mapping[str, Any]) -> bool:
    """Whether the old field may name such a source: a claim or a snapshot."""
    group, kind = source.get("apiGroup") or "", source.get("kind")
    return (group, kind) in (("", "PersistentVolumeClaim"), ("snapshot.storage.k8s.io", "VolumeSnapshot"))


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = claim_spec_errors(spec, "spec")
    return errors + claim_change_errors(new, old) if old is not None else errors


def claim_change_errors(new: Object, old: Object) -> list[FieldError]:
    """What may not have changed of a stored claim."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    kept = _with_free_fields(spec, before, old)
    errors: list[FieldError] = []
    annotation = annotations_of(new).get(STORAGE_CLASS_ANNOTATION) or ""
    if not _moves_class(new, old) and annotation != (annotations_of(old).get(STORAGE_CLASS_ANNOTATION) or ""):
        at = f"metadata.annotations[{STORAGE_CLASS_ANNOTATION}]"
        errors.append(invalid_value(at, annotation, IMMUTABLE))
    if not is_same(kept, before):
        errors.append(forbidden_value("spec", f"{_IMMUTABLE}\n{show_differences(before, kept)}"))
    asked, was = _request(spec), _request(before)
    if asked is not None and was is not None and asked < was:
        capacity = ((old.get("status") or {}).get("capacity") or {}).get("storage")
        if asked <= parse_quantity(capacity or "0"):
            why = "field can not be less than status.capacity"
            errors.append(forbidden_value("spec.resources.requests.storage", why))
    if spec.get("volumeMode") != before.get("volumeMode"):
        errors.append(invalid_value("volumeMode", spec.get("volumeMode"), IMMUTABLE))
    return errors + _attributes_errors(spec, before)


def _with_free_fields(spec: Mapping[str, Any], before: Mapping[str, Any], old: Object) -> dict[str, Any]:
    """The new spec with all that may have changed as it was before."""
    kept = dict(spec)
    is_bound = (old.get("status") or {}).get("phase") == "Bound"
    if is_bound:
        kept["volumeAttributesClassName"] = before.get("volumeAttributesClassName")
    if not before.get("volumeName"):
        kept["volumeName"] = before.get("volumeName")
    had = annotations_of(old).get(STORAGE_CLASS_ANNOTATION)
    name = spec.get("storageClassName")
    if before.get("storageClassName") is None and name is not None and had in (None, name):
        kept["storageClassName"] = None
    requests = (spec.get("resources") or {}).get("requests")
    if is_bound and requests:
        asked = ((before.get("resources") or {}).get("requests") or {}).get("storage")
        kept["resources"] = {**spec["resources"], "requests": {**requests, "storage": asked}}
    return kept


def _moves_class(new: Object, old: Object) -> bool:
    """Whether the class goes from the annotation, where it was once told, into the field."""
    had = annotations_of(old).get(STORAGE_CLASS_ANNOTATION)
    return (
        had is not None
        and (old.get("spec") or {}).get("storageClassName") is None
        and (new.get("spec") or {}).get("storageClassName") == had
        and annotations_of(new).get(STORAGE_CLASS_ANNOTATION) in (None, had)
    )


def _attributes_errors(spec: Mapping[str, Any], before: Mapping[str, Any]) -> list[FieldError]:
    name = spec.get("volumeAttributesClassName")
    if before.get("volumeAttributesClassName") is None or name:
        return []
    to = "nil" if name is None else "an empty string"
    why = f"update from non-nil value to {to} is forbidden"
    return [forbidden_value("spec.volumeAttributesClassName", why)]


def _request(spec: Mapping[str, Any]) -> Any:
    text = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    try:
        return None if text is None else parse_quantity(text)
    except ValueError:
        return None  # named by the spec's own rules


def _status_rules(new: Object, _old: Object) -> list[FieldError]:
    status = new.get("status") or {}
    errors: list[FieldError] = []
    for name, amount in (status.get("capacity") or {}).items():
        errors += _amount_errors(amount, f"status.capacity[{name}]")
    at = "status.allocatedResourceStatus"
    for name, word in (status.get("allocatedResourceStatuses") or {}).items():
        errors += _resource_errors(name, at)
        if word not in _RESIZES:
            errors.append(not_supported(at, name, _RESIZES))
    for name, amount in (status.get("allocatedResources") or {}).items():
        wrong = _resource_errors(name, "status.allocatedResources")
        errors += wrong or _amount_errors(amount, f"status.allocatedResources[{name}]")
    return errors


def _resource_errors(name: str, path: str) -> list[FieldError]:
    if wrong := check_text(path, name, qualified_name_errors):
        return wrong
    return [not_supported(path, name, ("storage",))] if is_native(name) and name != "storage" else []


def _amount_errors(amount: Quantity, path: str) -> list[FieldError]:
    value = parse_quantity(amount)
    return [invalid_value(path, int(value), "must be a valid resource quantity")] if value < 0 else []


def _warns(new: Object, _old: Object | None) -> list[str]:
    return annotation_warnings(new) + claim_spec_warnings(new.get("spec") or {}, "spec")


def claim_spec_warnings(spec: Mapping[str, Any], path: str) -> list[str]:
    """What is said of the spec of a claim at `path`."""
    resources = spec.get("resources") or {}
    return [
        text
        for kind in ("requests", "limits")
        for text in fraction_warning(
            (resources.get(kind) or {}).get("storage"), f"{path}.resources.{kind}[storage]"
        )
    ]


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
        is_complete=True,
        namespaced=True,
        has_status=True,
        defaults=default_claim,
        prepares=_prepare,
        rules=_rules,
        status_rules=_status_rules,
        warns=_warns,
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
