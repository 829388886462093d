"""Every field a kind's schema has, each spoilt in turn: `spoilt_fields`.

A field counts as looked at when a value nobody could mean (a text that is no name, a negative number, nothing
where something is required) is refused where a plain one is not, or the refusal names the field. What is
around it is made as plain as the schema allows.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from wherry.api.resource import Resource
from wherry.api.schema import Definition, Field, check, definition
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object

NO_NAME = "-../ A\n_"
"""A text that is neither a name of any kind, nor a path, an address or one of a few words."""

A_WAY_UP = "a way up"
"""What is said of a path that leaves where it starts."""

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
    "CustomResourceColumnDefinition.type": "string",
    "CustomResourceColumnDefinition.jsonPath": ".spec.a",
}
"""Values of fields others are judged by."""

_INDEX = re.compile(r"\[\d+\]")
_Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Spoilt:
    """One field of a kind with a value that is to be refused; `type_field` is `PodSpec.hostname`."""

    resource: Resource
    path: _Path
    type_field: str
    what: str
    plain: tuple[Object, ...]
    objects: tuple[Object, ...]
    value: Any

    def is_refused(self) -> bool:
        """Whether the kind's strategy notices, in one of the surroundings."""
        return any(self._is_seen(plain, obj) for plain, obj in zip(self.plain, self.objects, strict=True))

    def _is_seen(self, plain: Object, obj: Object) -> bool:
        found = _errors(self.resource, obj)
        here = ".".join(step for step in self.path if isinstance(step, str))
        before = {(error.field, error.type) for error in _errors(self.resource, plain)}
        for error in found:
            told = _INDEX.sub("", error.field)
            if told == here or told.startswith((f"{here}.", f"{here}[")):
                return True
            if (error.field, error.type) not in before or self._is_about_the_value(error):
                return True
            if error.type == "FieldValueForbidden" and here.startswith(f"{told}."):
                return True  # nothing may be there at all
        return False

    def _is_about_the_value(self, error: FieldError) -> bool:
        """Whether the error is told of what is above, but tells the very value."""
        if self.value is None:
            return False
        told = error.message.partition(": ")[2]
        if told.startswith(json.dumps(self.value)):
            return True
        return error.type == "FieldValueNotSupported" and json.dumps(self.value) in told


def shown(path: _Path) -> str:
    """A path as errors write it."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def spoilt_fields(resource: Resource, base: Object, closed: frozenset[str]) -> Iterator[Spoilt]:
    """Every field of the kind spoilt, in the kind's legal object `base`; `closed` types are not entered."""
    root = definition(resource.schema)
    for path, type_, field in _fields(root, (), (), closed):
        name = f"{type_.short_name}.{path[-1] if isinstance(path[-1], str) else path[-2]}"
        around = _surroundings(base, path, root)
        plain = tuple(_put(parent, path, _plain(field, name)) for parent in around)
        for what, value in _bad_values(field, str(path[-1])):
            spoilt = tuple(_put(obj, path, value) for obj in plain)
            yield Spoilt(resource, path, name, what, plain, spoilt, value)
        if isinstance(path[-1], str) and path[-1] in type_.required:
            spoilt = tuple(_drop(obj, path) for obj in plain)
            yield Spoilt(resource, path, name, "nothing", plain, spoilt, None)


def _fields(
    type_: Definition, path: _Path, above: tuple[str, ...], closed: frozenset[str]
) -> Iterator[tuple[_Path, Definition, Field]]:
    if type_.name in above or type_.name in closed:
        return
    for name, field in type_.fields().items():
        if not path and name in _NOT_THE_USERS:
            continue
        here: _Path = (*path, name)
        yield here, type_, field
        while (items := field.items()) is not None:
            here, field = (*here, 0), items
            if field.definition is None or field.definition.kind == "scalar":
                yield here, type_, field
        target = field.definition
        if target is not None and target.kind == "struct":
            yield from _fields(target, here, (*above, type_.name), closed)


def _bad_values(field: Field, name: str) -> Iterator[tuple[str, Any]]:
    if field.enum:
        yield "another word", "Nonsense"
        return
    match field.type:
        case "string" if field.format != "byte":
            yield "no name", NO_NAME
            if name.lower().endswith(("path", "pathexpr")):
                yield A_WAY_UP, "a/../../b"
        case "integer" | "number":
            yield "negative", -1
        case "quantity":
            yield "negative", "-1"
        case "object" if field.field("") is not None and field.kind == "map":
            value = _plain(field.field(""))
            yield "a key that is no name", {NO_NAME: value}


def _plain(field: Field | None, name: str = "") -> Any:
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
        return [_plain(field.items())]
    if field.kind == "map":
        return {"a": _plain(field.field(""))}
    return _PLAIN.get(field.type, {})


def _plain_struct(type_: Definition) -> dict[str, Any]:
    names = type_.required | ({"name"} & type_.fields().keys())
    names |= {name for name in type_.fields() if f"{type_.short_name}.{name}" in _LEGAL}
    return {name: _plain(type_.fields()[name], f"{type_.short_name}.{name}") for name in sorted(names)}


def _surroundings(base: Object, path: _Path, root: Definition) -> Iterator[Object]:
    """Objects in which everything above `path` is there.

    Of some fields only one may be set (the sources of a volume), so some lack what stands beside those on the
    way; and an item of a list is the one there is, or a plain one.
    """
    for is_alone in (False, True):
        for is_fresh in (False, True):
            yield _with_parents(base, path, root, is_alone, is_fresh)


def _with_parents(base: Object, path: _Path, root: Definition, is_alone: bool, is_fresh: bool) -> Object:
    made = copy.deepcopy(base)
    here: Any = made
    type_: Definition | None = root
    field: Field | None = None
    for step, following in pairwise((*path, None)):
        if isinstance(step, int):
            field = field.items() if field is not None else None
            if not here or (is_fresh and isinstance(following, str) and following not in here[0]):
                here.insert(0, _plain(field))
        else:
            assert type_ is not None
            field = type_.fields()[str(step)]
            if is_alone and here is not made and step not in here:
                for rival in [name for name in here if name not in type_.required and name != "name"]:
                    del here[rival]
            if here.get(step) is None:
                here[step] = [] if field.kind == "list" else _plain(field, f"{type_.short_name}.{step}")
        if following is None:
            return made
        here = here[step]
        type_ = field.definition if field is not None else None
    return made


def _holder(obj: Object, path: _Path) -> Any:
    here: Any = obj
    for step in path[:-1]:
        here = here[step]
    return here


def _put(obj: Object, path: _Path, value: Any) -> Object:
    made = copy.deepcopy(obj)
    holder, last = _holder(made, path), path[-1]
    if isinstance(last, int):
        holder[:] = [value]
    else:
        holder[last] = value
    return made


def _drop(obj: Object, path: _Path) -> Object:
    made = copy.deepcopy(obj)
    _holder(made, path).pop(path[-1], None)
    return made


def _errors(resource: Resource, obj: Object) -> list[FieldError]:
    made = copy.deepcopy(obj)
    findings = check(made, definition(resource.schema))
    if findings.errors:
        return [FieldError("FieldValueInvalid", "decoding", text) for text in findings.errors]
    resource.strategy.default(made)
    resource.strategy.prepare(made, None)
    return resource.strategy.validate(made, None)
