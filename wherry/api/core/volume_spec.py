"""A PersistentVolumeSpec: of a volume, or inline in an attachment of one that has no object."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from wherry.api.core.deprecated_labels import STABLE_LABELS
from wherry.api.core.pod_spec.affinity import validate_node_selector
from wherry.api.core.volume_sources import sources_of, validate_volume_source
from wherry.api.core.volume_terms import (
    access_mode_errors,
    class_name_errors,
    size_errors,
    volume_mode_errors,
)
from wherry.api.differences import show_differences
from wherry.api.equality import is_same
from wherry.api.validation import IMMUTABLE
from wherry.objects.errors import FieldError, forbidden_value, invalid_value, not_supported, required

POLICIES = ("Delete", "Recycle", "Retain")
_NOT_INLINE = "may not be specified in the context of inline volumes"
Fields = Mapping[str, Any]


def volume_spec_errors(spec: Fields, path: str, volume: str) -> list[FieldError]:
    """What is wrong with the spec at `path` of the volume called `volume`."""
    errors = access_mode_errors(spec.get("accessModes"), f"{path}.accessModes")
    errors += _capacity_errors(spec.get("capacity") or {}, f"{path}.capacity")
    policy, at = spec.get("persistentVolumeReclaimPolicy"), f"{path}.persistentVolumeReclaimPolicy"
    if policy and policy not in POLICIES:
        errors.append(not_supported(at, policy, POLICIES))
    affinity = spec.get("nodeAffinity")
    if affinity is not None:
        errors += _affinity_errors(affinity, f"{path}.nodeAffinity")
    validate_volume_source(spec, path, volume, errors)
    if sources_of(spec)[:1] == ["local"] and not (affinity or {}).get("required"):
        errors.append(required(f"{path}.nodeAffinity", "Local volume requires node affinity"))
    place = (spec.get("hostPath") or {}).get("path") or ""
    if place and posixpath.normpath(place) in ("/", "//") and policy == "Recycle":
        errors.append(forbidden_value(at, "may not be 'recycle' for a hostPath mount of '/'"))
    errors += class_name_errors(spec.get("storageClassName"), f"{path}.storageClassName")
    errors += volume_mode_errors(spec.get("volumeMode"), f"{path}.volumeMode")
    return errors + _attributes_errors(spec, path)


def _capacity_errors(capacity: Fields, path: str) -> list[FieldError]:
    errors = [] if capacity else [required(path)]
    if "storage" not in capacity or len(capacity) > 1:
        errors.append(not_supported(path, dict(capacity) or None, ["storage"]))
    for name, amount in capacity.items():
        errors += size_errors(amount, f"{path}[{name}]")
    return errors


def _affinity_errors(affinity: Fields, path: str) -> list[FieldError]:
    wanted = affinity.get("required")
    if wanted is None:
        return [required(f"{path}.required", "must specify required node constraints")]
    errors: list[FieldError] = []
    validate_node_selector(wanted, f"{path}.required", errors)
    return errors


def _attributes_errors(spec: Fields, path: str) -> list[FieldError]:
    name = spec.get("volumeAttributesClassName")
    if name is None:
        return []
    at = f"{path}.volumeAttributesClassName"
    errors = class_name_errors(name, at) if name else [required(at, "an empty string is disallowed")]
    if spec.get("csi") is None:
        why = "has to be specified when using volumeAttributesClassName"
        errors.append(required(f"{path}.csi", why))
    return errors


def inline_volume_errors(spec: Fields, path: str) -> list[FieldError]:
    """What is wrong with a spec that stands inside an attachment: only a CSI source, and little else."""
    errors = [
        forbidden_value(f"{path}.{name}", _NOT_INLINE)
        for name in ("claimRef", "nodeAffinity")
        if spec.get(name) is not None
    ]
    errors += [
        forbidden_value(f"{path}.{name}", _NOT_INLINE)
        for name in ("capacity", "storageClassName")
        if spec.get(name)
    ]
    if spec.get("csi") is None:
        errors.append(required(f"{path}.csi", "has to be specified in the context of inline volumes"))
    errors += access_mode_errors(spec.get("accessModes"), f"{path}.accessModes")
    for name, only, words in (
        ("persistentVolumeReclaimPolicy", "Retain", "may only be Retain"),
        ("volumeMode", "Filesystem", "may not specify volumeMode other than Filesystem"),
    ):
        absent = (None, "") if name == "persistentVolumeReclaimPolicy" else (None,)
        if spec.get(name) not in (*absent, only):
            errors.append(forbidden_value(f"{path}.{name}", f"{words} in the context of inline volumes"))
    validate_volume_source(spec, path, "", errors)
    return errors + _attributes_errors(spec, path)


def volume_change_errors(spec: Fields, before: Fields) -> list[FieldError]:
    """What may not have changed between two specs of a volume."""
    errors: list[FieldError] = []
    new, old = _source_part(spec), _source_part(before)
    csi, was = new.get("csi"), old.get("csi")
    if csi and was and was.get("controllerExpandSecretRef") is None:  # may be set once
        new["csi"] = {name: value for name, value in csi.items() if name != "controllerExpandSecretRef"}
    if not is_same(new, old):
        text = f"spec.persistentvolumesource is immutable after creation\n{show_differences(old, new)}"
        errors.append(forbidden_value("spec.persistentvolumesource", text))
    mode = spec.get("volumeMode")
    if mode != before.get("volumeMode"):
        errors.append(invalid_value("volumeMode", mode, IMMUTABLE))
    affinity, had = spec.get("nodeAffinity"), before.get("nodeAffinity")
    if had is not None and not is_same(_with_stable(affinity), _with_stable(had)):
        errors.append(invalid_value("nodeAffinity", affinity, IMMUTABLE))
    if before.get("volumeAttributesClassName") is not None and spec.get("volumeAttributesClassName") is None:
        why = "update from non-nil value to nil is forbidden"
        errors.append(forbidden_value("spec.volumeAttributesClassName", why))
    return errors


def _source_part(spec: Fields) -> dict[str, Any]:
    return {name: spec[name] for name in sources_of(spec)}


def _with_stable(affinity: Any) -> Any:
    """The affinity with the labels' present names: writing those for the old ones is no change."""
    if isinstance(affinity, Mapping):
        return {
            name: STABLE_LABELS.get(value, value) if name == "key" else _with_stable(value)
            for name, value in affinity.items()
        }
    return [_with_stable(item) for item in affinity] if isinstance(affinity, list) else affinity
