"""The plain errors a schema can tell: a required text missing, a value outside its enum.

For kinds without rules of their own. It holds to what upstream's server would refuse: absent numbers,
lists and maps are zero values there, so only a missing text (or a struct that would lack one) counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.api.schema.definitions import Definition, Field
from wherry.objects.errors import FieldError, not_supported, required

_NOT_THE_USERS = frozenset({"apiVersion", "kind", "metadata", "status"})


def required_and_enum_errors(
    obj: Mapping[str, Any], definition: Definition, base_path: str = ""
) -> list[FieldError]:
    """What the schema finds missing or unsupported in `obj`, an instance of `definition` at `base_path`.

    At the root (`base_path` "") metadata and status are left alone.
    """
    errors: list[FieldError] = []
    for name, field in definition.fields().items():
        if not base_path and name in _NOT_THE_USERS:
            continue
        path = f"{base_path}.{name}" if base_path else name
        value = obj.get(name)
        if value is None or value == "":
            if name in definition.required and _is_missed(field):
                errors.append(required(path))
        else:
            errors += _value_errors(value, field, path)
    return errors


def _is_missed(field: Field) -> bool:
    """Whether the zero value will not do."""
    target = field.definition
    if target is not None and target.kind == "struct":
        return bool(required_and_enum_errors({}, target, "x"))
    return field.type == "string" and field.default is None


def _value_errors(value: Any, field: Field, path: str) -> list[FieldError]:
    if field.enum:
        return [] if value in field.enum else [not_supported(path, value, field.enum)]
    target = field.definition
    if target is not None:
        is_struct = target.kind == "struct" and isinstance(value, dict)
        return required_and_enum_errors(value, target, path) if is_struct else []
    if (items := field.items()) is not None and isinstance(value, list):
        return [e for at, item in enumerate(value) for e in _value_errors(item, items, f"{path}[{at}]")]
    if (values := field.field("")) is not None and isinstance(value, dict):
        return [e for key, item in value.items() for e in _value_errors(item, values, f"{path}[{key}]")]
    return []
