"""Objects made up from the schema tables: every field of a definition, or a random part of them.

Scalars are never zero, lists and maps never empty, so that a decoded object has to equal the one that
was encoded: what becomes of zero values is asked elsewhere.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from random import Random
from typing import Any

from wherry.api.resource import Resource
from wherry.api.schema import Definition, Field, definition
from wherry.objects.meta import Object

Path = tuple[str, ...]
"""The definitions an object lies in; none is entered a third time."""

_INTEGERS = {"int64": 2**62}
_UNIONS: dict[str, Callable[[Random], Any]] = {
    "JSONSchemaPropsOrArray": lambda random: [{"type": "string"}, {"type": "integer"}],
    "JSONSchemaPropsOrBool": lambda random: random.choice([True, False, {"type": "string"}]),
    "JSONSchemaPropsOrStringArray": lambda random: random.choice([["a", "b"], {"type": "string"}]),
    "JSON": lambda random: random.choice([1, "text", [1, {"a": "b"}], {"deep": {"er": 2}}]),
}


def build(resource: Resource, random: Random, density: float) -> Object:
    """An object of the kind; each optional field is there with the probability `density`."""
    made = struct(definition(resource.schema), random, density, ())
    return {**made, "apiVersion": resource.api_version, "kind": resource.kind}


def struct(target: Definition, random: Random, density: float, path: Path) -> Object:
    """The fields of a struct; apiVersion and kind of embedded objects do not travel and are left out."""
    made: Object = {}
    embedded = {"apiVersion", "kind"} if {"apiVersion", "kind", "metadata"} <= set(target.fields()) else set()
    if target.short_name == "DeleteOptions":
        embedded = {"apiVersion", "kind"}
    for name, field in target.fields().items():
        if name not in embedded and not _recurs(field, path) and random.random() < density:
            made[name] = value_of(field, random, density, (*path, target.name))
    return made


def _recurs(field: Field | None, path: Path) -> bool:
    """Whether the field leads into a definition that was already entered twice."""
    while field is not None:
        if field.definition is not None:
            return path.count(field.definition.name) > 1
        field = field.items() or field.field("")
    return False


def value_of(field: Field, random: Random, density: float, path: Path) -> Any:
    """A value of the field's type, never zero."""
    target = field.definition
    if target is not None and target.short_name in _UNIONS:
        return _UNIONS[target.short_name](random)
    match field.type:
        case "string":
            return _text(random, field.format)
        case "boolean":
            return True
        case "integer":
            return random.choice([1, -1, 127, 128, 300, -(2**31), 2**31 - 1, _INTEGERS.get(field.format, 7)])
        case "number":
            return random.choice([1, -3, 0.5, 1e300, 2.25])
        case "quantity":
            return random.choice(["1", "500m", "2Gi", "100k"])
        case "int-or-string":
            return random.choice([1, 8080, "http", "25%", -5])
        case "time":
            micro = target is not None and target.short_name == "MicroTime"
            return f"{random.choice([1999, 2026])}-01-02T03:04:05{'.000007' if micro else ''}Z"
        case "array":
            return _list(field, random, density, path)
        case "object":
            return _object(field, random, density, path)
        case _:
            is_free = target is None or target.short_name in ("RawExtension", "FieldsV1")
            return {"any": [1, "two", {"three": None}]} if is_free else {}  # else a struct without fields


def _text(random: Random, format_: str) -> str:
    if format_ == "byte":
        return base64.b64encode(random.randbytes(random.choice([1, 200]))).decode()
    return random.choice(["a", "some text", "größer", "x" * 127, "y" * 128, "z" * 300])


def _list(field: Field, random: Random, density: float, path: Path) -> list[Any]:
    items = field.items()
    assert items is not None
    return [value_of(items, random, density, path) for _ in range(random.choice([1, 1, 2]))]


def _object(field: Field, random: Random, density: float, path: Path) -> Object:
    if field.definition is not None:
        return struct(field.definition, random, density, path)
    values = field.field("")
    assert values is not None
    return {key: value_of(values, random, density, path) for key in random.sample(["a", "b.c/d", "ü"], 2)}
