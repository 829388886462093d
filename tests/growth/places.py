"""Every text, list and map a kind may have, by its schema, and objects that have one of them grown."""

from __future__ import annotations

import copy
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.growth.meter import Counted
from wherry.api.resource import Resource
from wherry.api.schema import Definition, Field, definition
from wherry.objects.meta import Object

_Step = str | int
_IPV4 = re.compile(r"\d+\.\d+\.\d+\.\d+(/\d+)?")
_LEAVES = ("string", "quantity", "time", "int-or-string")
_NOT_SENT = frozenset({"apiVersion", "kind"})
_HELD = {"string": "a", "integer": 1, "number": 1.0, "boolean": True, "quantity": "1", "int-or-string": 1}
_TIME, _MICRO_TIME = "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000Z"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a kind's object something can be grown; `struct` is the type that has the field."""

    path: tuple[_Step, ...]
    field: Field
    struct: str

    def __str__(self) -> str:
        return ".".join(map(str, self.path))

    @property
    def key(self) -> tuple[str, str]:
        """The type and its field, the same wherever the type is used."""
        return self.struct, next(step for step in reversed(self.path) if isinstance(step, str))

    @property
    def is_text(self) -> bool:
        """Whether a long text fits there."""
        return self.field.type in _LEAVES

    def with_text(self, obj: Object, text: str) -> Object:
        """A copy of the object with the text there."""
        return self.with_value(obj, text)

    def with_value(self, obj: Object, value: Any) -> Object:
        """A copy of the object with the value there."""
        return _put(obj, self.path, value)

    def with_many(self, obj: Object, size: int) -> Object:
        """A copy of the object with `size` different items there."""
        return self.with_value(obj, many(self.field, _at(obj, self.path), size))


def many(field: Field, held: Any, size: int) -> Any:
    """A list or map of `size` different items, made like those it has."""
    items = field.items()
    if items is not None:
        first = held[0] if isinstance(held, list) and held else _least(items)
        return [_another(first, items, index) for index in range(size)]
    values = field.field("")
    assert values is not None
    first = next(iter(held.values())) if isinstance(held, dict) and held else _least(values)
    return {f"key{index}": _another(first, values, index) for index in range(size)}


def places(schema: str, obj: Object, skipped: frozenset[str] = frozenset()) -> Iterator[Place]:
    """Every place of a kind, each field of each type once; what `skipped` types have is left out."""
    seen = set(skipped)
    left: list[tuple[tuple[_Step, ...], Definition, Any]] = [((), definition(schema), obj)]
    while left:
        path, type_, held = left.pop(0)
        if type_.name in seen:
            continue
        seen.add(type_.name)
        for name, field in type_.fields().items():
            if not path and name in _NOT_SENT:
                continue
            here = (*path, name)
            below = held.get(name) if isinstance(held, dict) else None
            if field.type in _LEAVES or field.kind in ("list", "map"):
                yield Place(here, field, type_.name)
            while (items := field.items()) is not None:
                here, field = (*here, 0), items
                below = below[0] if isinstance(below, list) and below else None
                if field.type in _LEAVES and field.definition is None:
                    yield Place(here, field, type_.name)
            target = field.definition
            if target is not None and target.kind == "struct":
                left.append((here, target, below))


def first_of_each(
    kinds: Iterable[Resource], object_of: Callable[[Resource], Object]
) -> dict[Resource, list[Place]]:
    """The places of each kind whose field of that type no kind before has.

    `object_of` gives the legal object of a kind.
    """
    found: dict[Resource, list[Place]] = {}
    seen: set[tuple[str, str]] = set()
    for resource in kinds:
        for place in places(resource.schema, object_of(resource)):
            if place.key not in seen:
                found.setdefault(resource, []).append(place)
        seen |= {place.key for place in found.get(resource, ())}
    return found


def everything(type_: Definition, held: Any, size: int, depth: int = 0) -> Any:
    """The struct with all its lists and maps grown at once, those within lists in the first item only."""
    made = dict(held) if isinstance(held, dict) else {}
    for name, field in type_.fields().items():
        if depth == 0 and name in _NOT_SENT:
            continue
        if field.kind in ("list", "map"):
            made[name] = many(field, made.get(name), size)
        target = field.definition or (items.definition if (items := field.items()) is not None else None)
        if target is None or target.kind != "struct" or depth > 6 or name not in made:
            continue
        if isinstance(made[name], list):
            made[name][0] = everything(target, made[name][0], size, depth + 1)
        elif isinstance(made[name], dict):
            made[name] = everything(target, made[name], size, depth + 1)
    return made


def _least(field: Field) -> Any:
    """The smallest value of the field that has whatever is required."""
    if field.enum:
        return field.enum[0]
    target = field.definition
    if target is not None and target.kind == "struct":
        names = target.required | ({"name"} & target.fields().keys())
        return {name: _least(target.fields()[name]) for name in sorted(names)}
    if field.format == "byte":
        return "YQ=="
    if field.type == "time":
        return _MICRO_TIME if target is not None and target.short_name == "MicroTime" else _TIME
    if field.kind == "list":
        return [_least(items)] if (items := field.items()) is not None else []
    return {} if field.kind == "map" else _HELD.get(field.type)


def _another(value: Any, field: Field | None, index: int) -> Any:
    """A value like `value`, different for each index."""
    if field is None or field.enum or field.type == "time" or field.format == "byte":
        return value
    if field.type == "quantity":
        return str(index + 1)
    target = field.definition
    match value:
        case dict():
            below: Callable[[str], Field | None] = target.field if target is not None else field.field
            return {key: _another(item, below(key), index) for key, item in value.items()}
        case list():
            return [_another(item, field.items(), index) for item in value]
        case bool() | float() | None:
            return value
        case int():
            return value + index
        case str() if found := _IPV4.fullmatch(value):
            address = str(ipaddress.IPv4Address(0x0A000000 + (index << 8 if found[1] else index)))
            return Counted(f"{address}/24" if found[1] else address)
    return Counted(f"{value}{index}")


def _at(obj: Any, path: tuple[_Step, ...]) -> Any:
    for step in path:
        if isinstance(step, int):
            obj = obj[step] if isinstance(obj, list) and obj else None
        else:
            obj = obj.get(step) if isinstance(obj, dict) else None
    return obj


def _put(obj: Object, path: tuple[_Step, ...], value: Any) -> Object:
    """A copy of the object with the value at the path; what is missing on the way is made."""
    made: Any = dict(obj)
    here = made
    for step, following in pairwise(path):
        held = here[step] if isinstance(step, int) else here.get(step)
        if isinstance(following, int):
            below: Any = list(held) if isinstance(held, list) and held else [None]
        else:
            below = dict(held) if isinstance(held, dict) else {"name": "a"}
        here[step] = below
        here = below
    here[path[-1]] = value
    return copy.copy(made)
