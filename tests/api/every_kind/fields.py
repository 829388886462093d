"""Every field a kind has by its schema, objects in which it stands, and plain values for it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from wherry.api.schema import Definition, Field
from wherry.objects.meta import Object

Path = tuple[str | int, ...]
"""Steps to a field: names, and 0 into lists."""

_NOT_THE_USERS = frozenset({"apiVersion", "kind", "metadata", "status"})
_PLAIN = {"string": "a", "integer": 1, "number": 1.0, "boolean": True, "quantity": "1", "int-or-string": 1}
_TIME, _MICRO_TIME = "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000Z"

_LEGAL: dict[str, Any] = {
    "IPBlock.cidr": "10.0.0.0/8",
    "IPBlock.except": ["10.1.0.0/16"],
    "ObjectFieldSelector.apiVersion": "v1",
    "ObjectFieldSelector.fieldPath": "metadata.name",
    "ResourceFieldSelector.containerName": "c",
    "ResourceFieldSelector.resource": "limits.cpu",
    "ResourceQuotaSpec.hard": {"pods": "1"},
    "KeyToPath.path": "a",
    "CustomResourceDefinitionVersion.schema": {"openAPIV3Schema": {"type": "object"}},
    "ValidationRule.rule": "true",
    "ValidationRule.messageExpression": "'a'",
    "CustomResourceColumnDefinition.type": "string",
    "CustomResourceColumnDefinition.jsonPath": ".spec.a",
}
"""Values of fields others are judged by."""


def shown(path: Path) -> str:
    """A path as errors write it."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def fields_of(
    type_: Definition, path: Path, above: tuple[str, ...], closed: frozenset[str]
) -> Iterator[tuple[Path, Definition, Field]]:
    """(path, struct, field) of every field below a type; `closed` types and itself are not entered."""
    if type_.name in above or type_.name in closed:
        return
    for name, field in type_.fields().items():
        if not path and name in _NOT_THE_USERS:
            continue
        here: Path = (*path, name)
        yield here, type_, field
        while (items := field.items()) is not None:
            here, field = (*here, 0), items
            if field.definition is None or field.definition.kind == "scalar":
                yield here, type_, field
        target = field.definition
        if target is not None and target.kind == "struct":
            yield from fields_of(target, here, (*above, type_.name), closed)


def plain_value(field: Field | None, name: str = "") -> Any:
    """A value of the field (`name` says which) that has whatever is required."""
    if field is None:
        return {}
    if name in _LEGAL:
        return _LEGAL[name]
    if field.enum:
        return field.enum[0]
    target = field.definition
    if target is not None and target.kind == "struct":
        return _plain_struct(target)
    if field.format == "byte":
        return "YQ=="
    if field.type == "time":
        return _MICRO_TIME if target is not None and target.short_name == "MicroTime" else _TIME
    if field.kind == "list":
        return [plain_value(field.items())]
    if field.kind == "map":
        return {"a": plain_value(field.field(""))}
    return _PLAIN.get(field.type, {})


def _plain_struct(type_: Definition) -> dict[str, Any]:
    names = type_.required | ({"name"} & type_.fields().keys())
    names |= {name for name in type_.fields() if f"{type_.short_name}.{name}" in _LEGAL}
    return {name: plain_value(type_.fields()[name], f"{type_.short_name}.{name}") for name in sorted(names)}


def surroundings(base: Object, path: Path, root: Definition) -> Iterator[Object]:
    """Objects in which everything above `path` is there.

    Of some fields only one may be set (the sources of a volume), so some lack what stands beside those on the
    way; and an item of a list is the one there is, or a plain one.
    """
    for is_alone in (False, True):
        for is_fresh in (False, True):
            yield _with_parents(base, path, root, is_alone, is_fresh)


def _with_parents(base: Object, path: Path, root: Definition, is_alone: bool, is_fresh: bool) -> Object:
    made = copy.deepcopy(base)
    here: Any = made
    type_: Definition | None = root
    field: Field | None = None
    for step, following in pairwise((*path, None)):
        if isinstance(step, int):
            field = field.items() if field is not None else None
            if not here or (is_fresh and isinstance(following, str) and following not in here[0]):
                here.insert(0, plain_value(field))
        else:
            assert type_ is not None
            field = type_.fields()[str(step)]
            if is_alone and here is not made and step not in here:
                for rival in [name for name in here if name not in type_.required and name != "name"]:
                    del here[rival]
            if here.get(step) is None:
                here[step] = [] if field.kind == "list" else plain_value(field, f"{type_.short_name}.{step}")
        if following is None:
            return made
        here = here[step]
        type_ = field.definition if field is not None else None
    return made


def _holder(obj: Object, path: Path) -> Any:
    here: Any = obj
    for step in path[:-1]:
        here = here[step]
    return here


def with_at(obj: Object, path: Path, value: Any) -> Object:
    """A copy of the object with the value there, as the only one of a list."""
    made = copy.deepcopy(obj)
    holder, last = _holder(made, path), path[-1]
    if isinstance(last, int):
        holder[:] = [value]
    else:
        holder[last] = value
    return made


def without_at(obj: Object, path: Path) -> Object:
    """A copy of the object without the field."""
    made = copy.deepcopy(obj)
    _holder(made, path).pop(path[-1], None)
    return made


def value_at(obj: Any, path: Path) -> Any:
    """What stands there, None when anything on the way is absent."""
    for step in path:
        if isinstance(step, int):
            obj = obj[step] if isinstance(obj, list) and step < len(obj) else None
        else:
            obj = obj.get(step) if isinstance(obj, dict) else None
    return obj
