"""Strict decoding of configuration: unknown fields and values of another type are errors, in Go's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

_GO_TYPES: Mapping[Any, str] = {str: "string", int: "int32", bool: "bool", float: "float32"}
_MOST = (1 << 31) - 1


class ConfigurationError(ValueError):
    """A configuration cannot be used; the message names the field."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field's type: str, int, bool, float, object (anything), a shape, or a list of one of a shape or
    type.
    """

    type: Any


Shape: TypeAlias = Mapping[str, Field]


def check(value: Any, shape: Any, path: str) -> None:
    """Compare a value with a type (see `Field`). Raises ConfigurationError; null is absent."""
    if value is None or shape is object:
        return
    if isinstance(shape, list):
        if not isinstance(value, list):
            raise _mismatch(value, "array", path)
        for number, item in enumerate(value):
            check(item, shape[0], f"{path}[{number}]")
    elif isinstance(shape, Mapping):
        if not isinstance(value, dict):
            raise _mismatch(value, "object", path)
        unknown = [_at(path, name) for name in value if name not in shape]
        if unknown:
            fields = ", ".join(f'unknown field "{name}"' for name in unknown)
            raise ConfigurationError(f"strict decoding error: {fields}")
        for name, item in value.items():
            check(item, shape[name].type, _at(path, name))
    else:
        _check_scalar(value, shape, path)


def _check_scalar(value: Any, wanted: type, path: str) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if wanted is float:
        fits = is_number
    elif wanted is int:
        fits = isinstance(value, int) and is_number and -_MOST - 1 <= value <= _MOST
    else:
        fits = isinstance(value, wanted)
    if not fits:
        raise _mismatch(value, _GO_TYPES[wanted], path)


def _mismatch(value: Any, wanted: str, path: str) -> ConfigurationError:
    if isinstance(value, bool):
        kind = "bool"
    elif isinstance(value, int | float):
        kind = f"number {value}"
    elif isinstance(value, str):
        kind = "string"
    else:
        kind = "array" if isinstance(value, list) else "object"
    return ConfigurationError(f"json: cannot unmarshal {kind} into field {path or '(root)'} of type {wanted}")


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
