"""What upstream fills in for volumes: modes, types, and an emptyDir where no source is given."""

from __future__ import annotations

from typing import Any

from wherry.api.core.pod_spec.images import default_pull_policy
from wherry.objects.quantity import canonical_quantity

Fields = dict[str, Any]

READABLE = 0o644
TOKEN_LIFE_S = 3600

# Where several absent fields of a source get fixed values.
_FIXED: dict[str, dict[str, Any]] = {
    "iscsi": {"iscsiInterface": "default"},
    "rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "azureDisk": {"cachingMode": "ReadWrite", "fsType": "ext4", "readOnly": False, "kind": "Shared"},
    "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
}


def default_volume(volume: Fields) -> None:
    """Default one pod volume in place."""
    kinds = [name for name, source in volume.items() if name != "name" and source is not None]
    if not kinds:
        volume["emptyDir"] = {}
        return
    for kind in kinds:
        default_source(kind, volume[kind])


def default_source(kind: str, source: Fields) -> None:
    """Default one source in place; `kind` is the field that holds it."""
    match kind:
        case "secret" | "configMap":
            _default(source, "defaultMode", READABLE)
        case "downwardAPI":
            _default(source, "defaultMode", READABLE)
            _default_files(source)
        case "projected":
            _default(source, "defaultMode", READABLE)
            for part in source.get("sources") or ():
                if (token := part.get("serviceAccountToken")) is not None:
                    _default(token, "expirationSeconds", TOKEN_LIFE_S)
                if (files := part.get("downwardAPI")) is not None:
                    _default_files(files)
                if (certificate := part.get("podCertificate")) is not None:
                    _default(certificate, "maxExpirationSeconds", 86400)
        case "hostPath":
            _default(source, "type", "")
        case "emptyDir":
            if limit := source.get("sizeLimit"):
                try:
                    source["sizeLimit"] = canonical_quantity(limit)
                except ValueError:
                    return  # validation names it
        case "image":
            if not source.get("pullPolicy"):
                source["pullPolicy"] = default_pull_policy(source.get("reference") or "")
        case "ephemeral":
            template = source.get("volumeClaimTemplate") or {}
            if (spec := template.get("spec")) is not None:
                _default(spec, "volumeMode", "Filesystem")
        case _:
            for name, value in _FIXED.get(kind, {}).items():
                _default(source, name, value)


def _default_files(source: Fields) -> None:
    for item in source.get("items") or ():
        default_field_ref(item)


def default_field_ref(source: Fields) -> None:
    """Default the downward API references of an env source or a file, in place."""
    if (field := source.get("fieldRef")) is not None and not field.get("apiVersion"):
        field["apiVersion"] = "v1"
    if (amount := source.get("resourceFieldRef")) is not None:
        _default(amount, "divisor", "0")


def _default(fields: Fields, name: str, value: Any) -> None:
    if fields.get(name) is None:
        fields[name] = value
