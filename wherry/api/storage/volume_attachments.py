"""VolumeAttachment: a volume attached, or to be attached, to a node. Its spec never changes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of, bool_text
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.objects.errors import FieldError, required
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.storage.v1.VolumeAttachment"


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    source = (new.get("spec") or {}).get("source") or {}
    if source.get("persistentVolumeName") or source.get("inlineVolumeSpec"):
        return []
    return [required("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName")]


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
        schema=_SCHEMA, namespaced=False, has_status=True, immutable=("spec",), rules=_rules, row=_row
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
