"""What one version of a definition may say: its schema, columns, subresources, selectable fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
_SELECTABLE_WRONG = (
    "must point to a field of type string, boolean or integer. "
    "Enum string fields and strings with formats are allowed."
)
_WARNING_MAX_B = 256
_AT_ROOT = {
    "description": "Description",
    "type": "Type",
    "format": "Format",
    "title": "Title",
    "maximum": "Maximum",
    "exclusiveMaximum": "ExclusiveMaximum",
    "minimum": "Minimum",
    "exclusiveMinimum": "ExclusiveMinimum",
    "maxLength": "MaxLength",
    "minLength": "MinLength",
    "pattern": "Pattern",
    "maxItems": "MaxItems",
    "minItems": "MinItems",
    "uniqueItems": "UniqueItems",
    "multipleOf": "MultipleOf",
    "required": "Required",
    "items": "Items",
    "properties": "Properties",
    "externalDocs": "ExternalDocs",
    "example": "Example",
    "x-kubernetes-preserve-unknown-fields": "XPreserveUnknownFields",
    "x-kubernetes-validations": "XValidations",
}
"""What may stand at the root of a schema from which that of the status is taken."""


def versions_errors(versions: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    """What is wrong with the versions, each of which has a schema.

    What all versions have in common is judged once, and told of as if it stood beside the versions: that
    is how upstream sees it.
    """
    errors: list[FieldError] = []
    common = [part for part in _PARTS if _is_common(versions, part)]
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        errors += _deprecation_errors(version, f"{path}.deprecationWarning")
        for part, judge in _PARTS.items():
            if part not in common:
                errors += judge(version, _place(part, path))
    for part in common:
        errors += _PARTS[part](versions[0], _place(part, ""))
    return errors


def _is_common(versions: Sequence[Mapping[str, Any]], part: str) -> bool:
    return all((version.get(part) or None) == (versions[0].get(part) or None) for version in versions)


def _place(part: str, path: str) -> str:
    """Where a part of a version stands, or (`path` "") of all of them."""
    return f"{path}.{part}" if path else {"schema": "spec.validation"}.get(part, f"spec.{part}")


def _deprecation_errors(version: Mapping[str, Any], path: str) -> list[FieldError]:
    text = version.get("deprecationWarning")
    if text is None:
        return []
    if not version.get("deprecated"):
        return [invalid_value(path, text, "can only be set for deprecated versions")]
    wrongs: list[str] = []
    if len(text.encode()) > _WARNING_MAX_B:
        wrongs.append(f"must be <= {_WARNING_MAX_B} characters long")
    if not text:
        wrongs.append("must not be an empty string")
    odd = next((sign for sign in text if not sign.isprintable()), "")
    if odd:
        at = len(text[: text.index(odd)].encode())
        wrongs.append(
            f"must only contain printable UTF-8 characters; non-printable character found at index {at}"
        )
    return [invalid_value(path, text, wrong) for wrong in wrongs]


def _schema_errors(version: Mapping[str, Any], path: str) -> list[FieldError]:
    schema, at = version["schema"]["openAPIV3Schema"], f"{path}.openAPIV3Schema"
    errors: list[FieldError] = []
    has_status = (version.get("subresources") or {}).get("status") is not None
    if has_status and any(value for name, value in schema.items() if name not in _AT_ROOT):
        why = (
            f"only [{' '.join(_AT_ROOT.values())}] fields are allowed at the root of the schema "
            "if the status subresource is enabled"
        )
        errors.append(invalid_value(at, schema, why))
    return errors + schema_errors(schema, at)


def _column_errors(version: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        at = f"{path}[{index}]"
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
            errors.append(required(f"{at}.JSONPath"))
            continue
        try:
            parse_json_path(text)
        except JsonPathError as error:
            errors.append(invalid_value(f"{at}.JSONPath", text, f"is an invalid jsonpath: {error}"))
    return errors


def _subresource_errors(version: Mapping[str, Any], path: str) -> list[FieldError]:
    scale = (version.get("subresources") or {}).get("scale")
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


def _selectable_errors(version: Mapping[str, Any], path: str) -> list[FieldError]:
    schema = version["schema"]["openAPIV3Schema"]
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, selectable in enumerate(version.get("selectableFields") or ()):
        at, text = f"{path}[{index}].jsonPath", selectable.get("jsonPath") or ""
        if not text:
            errors.append(required(at))
            continue
        if text == ".metadata" or text.startswith(".metadata."):
            errors.append(invalid_value(at, text, "must not point to fields in metadata"))
        else:
            errors += _selectable_type_errors(text, schema, at)
        if text in seen:
            errors.append(duplicate_value(at, text))
        seen.add(text)
    if len(seen) > _SELECTABLE_MAX:
        errors.append(too_many(path, len(seen), _SELECTABLE_MAX))
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
        return [invalid_value(at, text, _SELECTABLE_WRONG)]
    return []


_PARTS = {
    "schema": _schema_errors,
    "subresources": _subresource_errors,
    "additionalPrinterColumns": _column_errors,
    "selectableFields": _selectable_errors,
}
"""The parts of a version, and who judges them."""
