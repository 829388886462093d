"""What volumes and the claims on them say in the same words: modes, classes, amounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.api.validation import check_text
from wherry.objects.errors import (
    FieldError,
    forbidden_value,
    invalid_value,
    not_supported,
    required,
    too_long,
)
from wherry.objects.names import dns1123_subdomain_errors
from wherry.objects.quantity import Quantity, parse_quantity

ACCESS_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}
"""Access modes with their short spelling, in the order tables show them."""
VOLUME_MODES = ("Block", "Filesystem")
STORAGE_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
DRIVER_NAME_LIMIT_B = 63
_ONE_POD = "ReadWriteOncePod"


def access_modes_text(modes: Sequence[str] | None) -> str:
    """Modes as tables show them: `RWO,RWX`."""
    return ",".join(short for mode, short in ACCESS_MODES.items() if mode in (modes or ()))


def access_mode_errors(modes: Sequence[str] | None, path: str, detail: str = "") -> list[FieldError]:
    """At least one mode (`detail` says so), each known, one pod's alone."""
    errors = [] if modes else [required(path, detail)]
    unknown = [mode for mode in modes or () if mode not in ACCESS_MODES]
    errors += [not_supported(path, mode, sorted(ACCESS_MODES)) for mode in unknown]
    known = {mode for mode in modes or () if mode in ACCESS_MODES}
    if _ONE_POD in known and len(known) > 1:
        errors.append(forbidden_value(path, "may not use ReadWriteOncePod with other access modes"))
    return errors


def volume_mode_errors(mode: str | None, path: str) -> list[FieldError]:
    """A file system or a device."""
    return [] if mode is None or mode in VOLUME_MODES else [not_supported(path, mode, VOLUME_MODES)]


def class_name_errors(name: str | None, path: str) -> list[FieldError]:
    """The name of a class; none is fine."""
    return check_text(path, name, dns1123_subdomain_errors) if name else []


def driver_name_errors(name: str | None, path: str) -> list[FieldError]:
    """The name a CSI driver goes by, which must be given."""
    text = name or ""
    errors = [] if text else [required(path)]
    if len(text) > DRIVER_NAME_LIMIT_B:
        errors.append(too_long(path, DRIVER_NAME_LIMIT_B))
    return errors + [invalid_value(path, text, wrong) for wrong in dns1123_subdomain_errors(text.lower())]


def size_errors(amount: Quantity, path: str) -> list[FieldError]:
    """How much a volume holds or a claim asks for: more than nothing."""
    try:
        value = parse_quantity(amount)
    except ValueError as error:
        return [invalid_value(path, amount, str(error))]
    return [] if value > 0 else [invalid_value(path, amount, "must be greater than zero")]


def storage_class_of(obj: Mapping[str, Any]) -> str:
    """The class a claim or volume asks for, by annotation as in old times or by its spec; "" for none."""
    annotations = (obj.get("metadata") or {}).get("annotations") or {}
    old_way: str = annotations.get(STORAGE_CLASS_ANNOTATION) or ""
    return old_way or (obj.get("spec") or {}).get("storageClassName") or ""


def annotation_warnings(obj: Mapping[str, Any]) -> list[str]:
    """The class should be told by the field."""
    if STORAGE_CLASS_ANNOTATION not in ((obj.get("metadata") or {}).get("annotations") or {}):
        return []
    path = f"metadata.annotations[{STORAGE_CLASS_ANNOTATION}]"
    return [f'{path}: deprecated since v1.8; use "storageClassName" attribute instead']
