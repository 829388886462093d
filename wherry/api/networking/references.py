"""References to any kind of object: a group if it has one, the kind, the name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wherry.api.validation import check_text
from wherry.objects.errors import FieldError, required
from wherry.objects.names import dns1123_subdomain_errors, path_segment_errors


def typed_reference_errors(reference: Mapping[str, Any], path: str) -> list[FieldError]:
    """A reference by group, kind and name."""
    group = reference.get("apiGroup")
    errors = check_text(f"{path}.apiGroup", group, dns1123_subdomain_errors) if group is not None else []
    return errors + segment_errors(reference, ("kind", "name"), path)


def segment_errors(fields: Mapping[str, Any], names: Iterable[str], path: str) -> list[FieldError]:
    """The named fields must be given, and usable in a URL."""
    errors: list[FieldError] = []
    for name in names:
        value, at = fields.get(name) or "", f"{path}.{name}"
        errors += check_text(at, value, path_segment_errors) if value else [required(at)]
    return errors
