"""The types rules see: what a structural schema says of `self`, as the checker of expressions needs it.

Source: k8s.io/apiserver/pkg/cel/common, SchemaDeclType. `bindings.to_cel` makes values of these types.
"""

from __future__ import annotations

from wherry.objects.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    Type,
    list_of,
    map_of,
)
from wherry.objects.structural.bindings import escape
from wherry.objects.structural.node import Node

_FORMATS = {
    "byte": BYTES,
    "duration": DURATION,
    "date": TIMESTAMP,
    "date-time": TIMESTAMP,
    "datetime": TIMESTAMP,
}
_META = {"name": STRING, "generateName": STRING}
_SCALARS = {"boolean": BOOL, "integer": INT, "number": DOUBLE}


def type_of(node: Node) -> Type:
    """The type of values of this schema."""
    if node.is_int_or_string or node.type == "":
        return DYN
    if node.type == "array":
        return list_of(type_of(node.item) if node.item is not None else DYN)
    if node.type == "string":
        return _FORMATS.get(node.source.get("format") or "", STRING)
    if node.type == "object":
        return _object(node)
    return _SCALARS.get(node.type, DYN)


def _object(node: Node) -> Type:
    if node.values is not None:
        return map_of(STRING, type_of(node.values))
    if node.preserves or node.allows_any:
        return DYN
    is_whole = node.is_root or node.is_embedded
    known = {escape(name): part for name, part in node.properties.items()}

    def field(name: str) -> Type | None:
        if is_whole and name in ("apiVersion", "kind"):
            return STRING
        if is_whole and name == "metadata":
            return Type("object.metadata", field=_META.get)
        part = known.get(name)
        return type_of(part) if part is not None and name else None

    return Type("object", field=field)
