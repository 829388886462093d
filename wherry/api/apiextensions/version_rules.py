"""What one version of a definition may say: its schema, columns, subresources, selectable fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.objects.errors import (
    FieldError,
    duplicate_value,
    invalid_value,
    required,
    too_many,
)
from wherry.objects.jsonpath import JsonPathError, parse_json_path, simple_fields
from wherry.objects.structural.wellformed import schema_errors

_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_SELECTABLE_MAX = 8


def version_errors(version: Mapping[str, Any], path: str) -> list[FieldError]:
    """What is wrong with a version that has a schema."""
    schema = version["schema"]["openAPIV3Schema"]
    errors = schema_errors(schema, f"{path}.schema.openAPIV3Schema")
    errors += _column_errors(version, path)
    errors += _subresource_errors(version.get("subresources") or {}, f"{path}.subresources")
    errors += _selectable_errors(version, schema, path)
    if version.get("deprecationWarning") and not version.get("deprecated"):
        why = "can only be set for deprecated versions"
        errors.append(invalid_value(f"{path}.deprecationWarning", version["deprecationWarning"], why))
    return errors


def _column_errors(version: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        at = f"{path}.additionalPrinterColumns[{index}]"
        if not column.get("name"):
            errors.append(required(f"{at}.name"))
        kind, form, text = column.get("type"), column.get("format"), column.get("jsonPath")
        if not kind:
            errors.append(required(f"{at}.type", f"must be one of {','.join(_COLUMN_TYPES)}"))
        elif kind not in _COLUMN_TYPES:
            why = f"must be one of {','.join(_COLUMN_TYPES)}"
            errors.append(invalid_value(f"{at}.type", kind, why))
        if form and form not in _COLUMN_FORMATS:
            errors.append(invalid_value(f"{at}.format", form, f"must be one of {','.join(_COLUMN_FORMATS)}"))
        if not text:
            errors.append(required(f"{at}.jsonPath"))
            continue
        try:
            parse_json_path(text)
        except JsonPathError as error:
            errors.append(invalid_value(f"{at}.jsonPath", text, f"is an invalid jsonpath: {error}"))
    return errors


def _subresource_errors(declared: Mapping[str, Any], path: str) -> list[FieldError]:
    scale = declared.get("scale")
    if scale is None:
        return []
    errors: list[FieldError] = []
    for name, root, is_needed in (
        ("specReplicasPath", ".spec.", True),
        ("statusReplicasPath", ".status.", True),
        ("labelSelectorPath", "", False),
    ):
        text = scale.get(name)
        if not text:
            if is_needed:
                errors.append(required(f"{path}.scale.{name}"))
            continue
        try:
            simple_fields(text)
        except JsonPathError as error:
            errors.append(invalid_value(f"{path}.scale.{name}", text, str(error)))
            continue
        roots = (root,) if root else (".spec.", ".status.")
        if not text.startswith(roots):
            why = f"should be a json path under {' or '.join(part[:-1] for part in roots)}"
            errors.append(invalid_value(f"{path}.scale.{name}", text, why))
    return errors


def _selectable_errors(version: Mapping[str, Any], schema: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    declared = version.get("selectableFields") or ()
    if len(declared) > _SELECTABLE_MAX:
        errors.append(too_many(f"{path}.selectableFields", len(declared), _SELECTABLE_MAX))
    seen: set[str] = set()
    for index, selectable in enumerate(declared):
        at, text = f"{path}.selectableFields[{index}].jsonPath", selectable.get("jsonPath") or ""
        if not text:
            errors.append(required(at))
            continue
        if text in seen:
            errors.append(duplicate_value(at, text))
        seen.add(text)
        if text == ".metadata" or text.startswith(".metadata."):
            errors.append(invalid_value(at, text, "must not point to fields in metadata"))
            continue
        errors += _selectable_type_errors(text, schema, at)
    return errors


def _selectable_type_errors(text: str, schema: Mapping[str, Any], at: str) -> list[FieldError]:
    try:
        names = simple_fields(text)
    except JsonPathError as error:
        return [invalid_value(at, text, f"is an invalid path: {error}")]
    here: Mapping[str, Any] | None = schema
    for name in names:
        here = (here.get("properties") or {}).get(name) if here is not None else None
    if here is None:
        return [invalid_value(at, text, "is an invalid path: does not refer to a valid field")]
    if here.get("type") not in ("string", "boolean", "integer"):
        return [invalid_value(at, text, "must point to a field of type string, boolean or integer")]
    return []
