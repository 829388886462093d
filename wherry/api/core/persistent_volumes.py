"""PersistentVolume: a piece of storage of the cluster. Its source and mode never change."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, UNSET, age_of
from wherry.api.core.deprecated_labels import node_selector_warnings
from wherry.api.core.pod_spec.volume_defaults import default_source
from wherry.api.core.volume_sources import sources_of
from wherry.api.core.volume_spec import volume_change_errors, volume_spec_errors
from wherry.api.core.volume_terms import access_modes_text, annotation_warnings
from wherry.api.core.volume_warnings import source_warnings
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object, annotations_of, is_deleting, name_of

_SCHEMA = "io.k8s.api.core.v1.PersistentVolume"
_TRANSITION = "lastPhaseTransitionTime"
_MOUNT_OPTIONS = "volume.beta.kubernetes.io/mount-options"


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    if not spec.get("persistentVolumeReclaimPolicy"):
        spec["persistentVolumeReclaimPolicy"] = "Retain"
    if spec.get("volumeMode") is None:
        spec["volumeMode"] = "Filesystem"
    for name in sources_of(spec):
        default_source(name, spec[name])


def _prepare(new: Object, old: Object | None) -> None:
    if old is None:
        new["status"] = {"phase": "Pending"}


def _stamp(new: Object, old: Object | None, now: str) -> None:
    """When the phase last changed, unless the writer says so itself."""
    status, before = new.setdefault("status", {}), (old or {}).get("status") or {}
    given, stored = status.get(_TRANSITION), before.get(_TRANSITION)
    if status.get("phase") == before.get("phase"):
        if not given and stored:
            status[_TRANSITION] = stored
    elif given in (None, stored):
        status[_TRANSITION] = now


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = volume_spec_errors(spec, "spec", name_of(new))
    return errors + volume_change_errors(spec, old.get("spec") or {}) if old is not None else errors


def _warns(new: Object, _old: Object | None) -> list[str]:
    spec = new.get("spec") or {}
    texts = annotation_warnings(new)
    if _MOUNT_OPTIONS in annotations_of(new):
        texts.append(
            f"metadata.annotations[{_MOUNT_OPTIONS}]: deprecated since v1.31; "
            'use "mountOptions" attribute instead'
        )
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        texts.append(
            "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. "
            "Instead, the recommended approach is to use dynamic provisioning."
        )
    wanted = (spec.get("nodeAffinity") or {}).get("required")
    texts += node_selector_warnings(wanted, "spec.nodeAffinity.required")
    return texts + source_warnings(spec, "spec")


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
        is_complete=True,
        namespaced=False,
        has_status=True,
        defaults=_default,
        prepares=_prepare,
        stamps=_stamp,
        rules=_rules,
        warns=_warns,
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
