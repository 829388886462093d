"""What a PersistentVolumeClaimSpec may ask for, of a claim itself or of a template for one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.api.core.volume_terms import (
    access_mode_errors,
    class_name_errors,
    size_errors,
    volume_mode_errors,
)
from wherry.api.validation import check_text, validate_label_selector
from wherry.objects.errors import FieldError, invalid_value, required
from wherry.objects.names import dns1123_label_errors, dns1123_subdomain_errors

SOURCE_FIELDS = ("apiGroup", "kind", "name")
"""What names the source of a claim's contents, in the old field as in the new one."""


def claim_spec_errors(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    """What is wrong with a claim's spec at `path`."""
    errors = access_mode_errors(
        spec.get("accessModes"), f"{path}.accessModes", "at least 1 access mode is required"
    )
    errors += validate_label_selector(spec.get("selector"), f"{path}.selector")
    request = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    at = f"{path}.resources[storage]"
    errors += [required(at)] if request is None else size_errors(request, at)
    errors += class_name_errors(spec.get("storageClassName"), f"{path}.storageClassName")
    errors += volume_mode_errors(spec.get("volumeMode"), f"{path}.volumeMode")
    for name in ("dataSource", "dataSourceRef"):
        if (source := spec.get(name)) is not None:
            errors += _source_errors(source, f"{path}.{name}")
    errors += _agreement_errors(spec.get("dataSource"), spec.get("dataSourceRef"), path)
    attributes = spec.get("volumeAttributesClassName")
    return errors + class_name_errors(attributes, f"{path}.volumeAttributesClassName")


def _source_errors(source: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = [required(f"{path}.{name}") for name in ("name", "kind") if not source.get(name)]
    group, kind = source.get("apiGroup") or "", source.get("kind") or ""
    if not group and kind != "PersistentVolumeClaim":
        why = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        errors.append(invalid_value(path, kind, why))
    if group:
        errors += check_text(f"{path}.apiGroup", group, dns1123_subdomain_errors)
    if namespace := source.get("namespace"):
        errors += check_text(f"{path}.namespace", namespace, dns1123_label_errors)
    return errors


def _agreement_errors(
    source: Mapping[str, Any] | None, reference: Mapping[str, Any] | None, path: str
) -> list[FieldError]:
    """The two fields that name a source name the same one."""
    if source is None or reference is None:
        return []
    if reference.get("namespace"):
        why = "may not be specified when dataSourceRef.namespace is specified"
    elif any(source.get(name) != reference.get(name) for name in SOURCE_FIELDS):
        why = "must match dataSourceRef"
    else:
        return []
    return [invalid_value(path, f"{path}.dataSource", why)]
