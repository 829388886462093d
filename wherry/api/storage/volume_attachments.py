"""VolumeAttachment: a volume attached, or to be attached, to a node. Its spec never changes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of, bool_text
from wherry.api.core.pod_spec.rules import MAX_INT32
from wherry.api.core.volume_spec import inline_volume_errors
from wherry.api.core.volume_terms import driver_name_errors
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import check_text
from wherry.objects.errors import FieldError, forbidden_value, invalid_value, required, too_long
from wherry.objects.meta import Object, name_of
from wherry.objects.names import dns1123_subdomain_errors, range_text

_SCHEMA = "io.k8s.api.storage.v1.VolumeAttachment"
METADATA_LIMIT_B = 256 * 1024
MESSAGE_LIMIT_B = 1024
_EXACTLY_ONE = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = driver_name_errors(spec.get("attacher"), "spec.attacher")
    errors += _source_errors(spec.get("source") or {}, "spec.source")
    return errors + check_text("spec.nodeName", spec.get("nodeName") or "", dns1123_subdomain_errors)


def _source_errors(source: Mapping[str, Any], path: str) -> list[FieldError]:
    name, inline = source.get("persistentVolumeName"), source.get("inlineVolumeSpec")
    if name is None and inline is None:
        return [required(path, _EXACTLY_ONE)]
    if name is not None and inline is not None:
        return [forbidden_value(path, _EXACTLY_ONE)]
    if inline is not None:
        return inline_volume_errors(inline, f"{path}.inlineVolumeSpec")
    at = f"{path}.persistentVolumeName"
    if not name:
        return [required(at, "must specify non empty persistentVolumeName")]
    return check_text(at, name, dns1123_subdomain_errors)


def _status_rules(new: Object, _old: Object) -> list[FieldError]:
    status = new.get("status") or {}
    metadata, errors = status.get("attachmentMetadata") or {}, list[FieldError]()
    if sum(len(key.encode()) + len(value.encode()) for key, value in metadata.items()) > METADATA_LIMIT_B:
        errors.append(too_long("status.attachmentMetadata", METADATA_LIMIT_B))
    for name in ("attachError", "detachError"):
        fault = status.get(name) or {}
        if len((fault.get("message") or "").encode()) > MESSAGE_LIMIT_B:
            errors.append(too_long(f"status.{name}.message", METADATA_LIMIT_B))
        code = fault.get("errorCode")
        if code is not None and code < 0:
            errors.append(invalid_value(f"status.{name}.errorCode", code, range_text(0, MAX_INT32)))
    return errors


def _row(obj: Object, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    return [
        name_of(obj),
        spec.get("attacher") or "",
        (spec.get("source") or {}).get("persistentVolumeName") or "",
        spec.get("nodeName") or "",
        bool_text(bool((obj.get("status") or {}).get("attached"))),
        age_of(obj, now),
    ]


VOLUME_ATTACHMENTS = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="VolumeAttachment",
    plural="volumeattachments",
    namespaced=False,
    subresources=(Subresource("status"),),
    strategy=SchemaStrategy(
        unconditional_update=False,
        schema=_SCHEMA,
        is_complete=True,
        namespaced=False,
        has_status=True,
        status_resets=("spec", "metadata"),
        immutable=("spec",),
        rules=_rules,
        status_rules=_status_rules,
        row=_row,
    ),
    columns=(
        NAME,
        Column("Attacher", description="The driver that attaches the volume."),
        Column("PV", description="The volume."),
        Column("Node", description="The node the volume is attached to."),
        Column("Attached", "boolean", description="Whether the volume is attached."),
        AGE,
    ),
    schema=_SCHEMA,
)
