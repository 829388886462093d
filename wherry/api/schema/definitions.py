"""Types and their fields, read from the generated table.

A `Definition` is a named type; a `Field` is the use of one in a place, with what that place adds (list
type, merge key). Both are `Shape`s for the patch algorithms.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from wherry.objects.shape import Shape

TABLES = (
    Path(__file__).with_name("definitions.txt"),
    Path(__file__).with_name("legacy.txt"),  # versions upstream has removed since
    Path(__file__).with_name("own.txt"),  # kinds upstream does not have, written by hand
)

_SPECIAL = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "int-or-string",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "time",
}
_SCALARS = frozenset({"string", "integer", "number", "boolean", "quantity", "int-or-string", "time"})


@lru_cache(1)
def _lines() -> dict[str, bytes]:
    """Each definition's JSON, undecoded, by name."""
    found: dict[str, bytes] = {}
    for table in TABLES:
        for line in table.read_bytes().splitlines():
            name, _, text = line.partition(b" ")
            found[name.decode()] = text
    return found


def definition_names() -> tuple[str, ...]:
    """The names of all definitions, sorted."""
    return tuple(sorted(_lines()))


_OMITS, _HAS = "x-omits", "x-has"


def source(name: str) -> dict[str, Any]:
    """The definition as JSON Schema with bare names as `$ref`; a fresh copy. KeyError for an unknown name."""
    body = _read(name)
    for ours in (_OMITS, _HAS):
        body.pop(ours, None)
    return body


def _read(name: str) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(_lines()[name])
    return body


@lru_cache(None)
def definition(name: str) -> Definition:
    """The type of that published name, always the same instance. KeyError for an unknown name."""
    return Definition(name, _read(name))


def _type_of(node: Mapping[str, Any]) -> str:
    declared: str = node.get("type") or ""
    if not declared or (
        declared == "object" and not node.get("properties") and "additionalProperties" not in node
    ):
        return "any"
    return declared


def _kind_of(declared: str, node: Mapping[str, Any]) -> str:
    if declared in _SCALARS:
        return "scalar"
    if declared == "array":
        return "list"
    if declared == "object":
        return "struct" if "properties" in node else "map"
    return "any"


class Field:
    """The use of a type in one place: a struct's field, a list's item, a map's value.

    `type` is string, integer, number, boolean, object, array, quantity, int-or-string, time or any;
    `format` int32, int64, double, byte, date-time or ""; `enum` the allowed texts, sorted, empty for
    free ones; `ref` the name of the definition it refers to, "" for a type written in place; `default`
    the schema's default, None without one.
    """

    allows_unknown = False

    __slots__ = (
        "_atomic",
        "_node",
        "_parts",
        "_target",
        "default",
        "enum",
        "list_map_keys",
        "list_type",
        "patch_merge_key",
        "patch_strategies",
        "ref",
    )

    def __init__(self, node: Mapping[str, Any]) -> None:
        strategies: str = node.get("x-kubernetes-patch-strategy") or ""
        self._node = node
        self._target: Definition | None = None
        self._parts: dict[str, Field] = {}
        self._atomic = node.get("x-kubernetes-map-type") == "atomic"
        self.ref: str = node.get("$ref") or ""
        self.enum: tuple[str, ...] = tuple(node.get("enum") or ())
        self.default: object = node.get("default")
        self.list_type: str = node.get("x-kubernetes-list-type") or ""
        self.list_map_keys: tuple[str, ...] = tuple(node.get("x-kubernetes-list-map-keys") or ())
        self.patch_strategies: tuple[str, ...] = tuple(strategies.split(",")) if strategies else ()
        self.patch_merge_key: str = node.get("x-kubernetes-patch-merge-key") or ""

    @property
    def definition(self) -> Definition | None:
        """The definition the field refers to; None for a type written in place."""
        if self._target is None and self.ref:
            self._target = definition(self.ref)
        return self._target

    @property
    def type(self) -> str:
        """The type's word."""
        target = self.definition
        return target.type if target is not None else _type_of(self._node)

    @property
    def format(self) -> str:
        """The type's format."""
        target = self.definition
        if target is not None:
            return target.format
        return self._node.get("format") or ""

    @property
    def kind(self) -> str:
        """What the patch algorithms call it: scalar, struct, map, list, any."""
        target = self.definition
        return target.kind if target is not None else _kind_of(_type_of(self._node), self._node)

    @property
    def is_atomic_map(self) -> bool:
        """Whether it is replaced as a whole, said here or by its type."""
        target = self.definition
        return self._atomic or (target is not None and target.is_atomic_map)

    def field(self, name: str) -> Field | None:
        """A struct's field of that name, or the shape of a map's values."""
        target = self.definition
        return target.field(name) if target is not None else self._part("additionalProperties")

    def items(self) -> Field | None:
        """The shape of a list's items."""
        return self._part("items")

    def _part(self, which: str) -> Field | None:
        found = self._parts.get(which)
        if found is None and (node := self._node.get(which)) is not None:
            found = self._parts[which] = Field(node)
        return found

    def holds(self, name: str) -> bool:
        """Whether a struct always has the field, if only as a zero nobody wrote."""
        target = self.definition
        return target is not None and name in target.has

    def default_of(self, name: str) -> object:
        """The schema's default of a struct's field."""
        target = self.definition
        return target.default_of(name) if target is not None else None


class Definition:
    """A named type. `type` and `format` are as in `Field`; `required` the fields that must be given.

    `omits` are the fields of a struct whose zero, empty list or empty struct Go's types cannot tell from
    nothing: those left out of JSON (omitempty, no pointer), and structs held as such but for the parts of a
    whole object. `has` are the fields Go always writes, if only as zero.
    """

    allows_unknown = False
    list_type = ""
    list_map_keys: tuple[str, ...] = ()
    patch_strategies: tuple[str, ...] = ()
    patch_merge_key = ""

    def __init__(self, name: str, node: Mapping[str, Any]) -> None:
        self.name = name
        self.short_name = name.rpartition(".")[2]
        self.type: str = _SPECIAL.get(name) or _type_of(node)
        self.format: str = node.get("format") or ""
        self.required: frozenset[str] = frozenset(node.get("required") or ())
        self.omits: frozenset[str] = frozenset(node.get(_OMITS) or ())
        self.has: frozenset[str] = frozenset(node.get(_HAS) or ())
        self.kind: str = _kind_of(self.type, node)
        self.is_atomic_map: bool = node.get("x-kubernetes-map-type") == "atomic"
        self._fields = {field: Field(part) for field, part in (node.get("properties") or {}).items()}

    def fields(self) -> Mapping[str, Field]:
        """The fields of a struct by name, sorted; empty for other types."""
        return self._fields

    def field(self, name: str) -> Field | None:
        """The field of that name, None if the type has none."""
        return self._fields.get(name)

    def items(self) -> Shape | None:
        """None: no named type is a list."""
        return None

    def holds(self, name: str) -> bool:
        """Whether a struct always has the field, if only as a zero nobody wrote."""
        return name in self.has

    def default_of(self, name: str) -> object:
        """The schema's default of a field, None without one."""
        found = self._fields.get(name)
        return found.default if found is not None else None

    def __repr__(self) -> str:
        return f"<Definition {self.name}>"
