"""Values as expressions see them: `to_cel`. Names CEL cannot say are escaped, formats become types."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from wherry.objects.cel.times import long_duration_ns, timestamp_parts
from wherry.objects.cel.values import Duration, Timestamp
from wherry.objects.structural.node import Node

_KEYWORDS = frozenset(
    {"true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function"}
    | {"if", "import", "let", "loop", "package", "namespace", "return"}
)
_ESCAPES = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_SPECIAL = re.compile(r"__|[./-]")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESOURCE_FIELDS = ("apiVersion", "kind")
_META_FIELDS = ("name", "generateName")


def escape(name: str) -> str:
    """A field's name in expressions, "" when it cannot be said."""
    if name in _KEYWORDS:
        return f"__{name}__"
    escaped = _SPECIAL.sub(lambda found: _ESCAPES[found[0]], name)
    return escaped if _IDENTIFIER.fullmatch(escaped) else ""


def to_cel(value: Any, node: Node | None) -> Any:
    """`value` as an expression is to see it; only specified fields are visible."""
    if node is None or value is None:
        return value
    match value:
        case dict():
            return _object(value, node)
        case list():
            return [to_cel(item, node.item) for item in value]
        case str():
            return _text(value, node.source.get("format") or "")
        case int() if node.type == "number" and not isinstance(value, bool):
            return float(value)
    return value


def _object(value: dict[str, Any], node: Node) -> dict[str, Any]:
    if node.values is not None:
        return {name: to_cel(item, node.values) for name, item in value.items()}
    if not node.properties and (node.preserves or node.allows_any) and not node.is_embedded:
        return value
    shown = {
        escape(name): to_cel(value[name], below)
        for name, below in node.properties.items()
        if name in value and name != "metadata" and (value[name] is not None or below.nullable)
    }
    if node.is_root or node.is_embedded:
        shown |= {name: value[name] for name in _RESOURCE_FIELDS if name in value}
        meta = value.get("metadata") or {}
        shown["metadata"] = {name: meta[name] for name in _META_FIELDS if name in meta}
    elif "metadata" in node.properties and "metadata" in value:
        shown["metadata"] = to_cel(value["metadata"], node.properties["metadata"])
    shown.pop("", None)
    return shown


def _text(value: str, form: str) -> Any:
    try:
        match form:
            case "date-time" | "datetime":
                return Timestamp(*timestamp_parts(value))
            case "date":
                return Timestamp(timestamp_parts(f"{value}T00:00:00Z")[0])
            case "duration":
                return Duration(long_duration_ns(value))
            case "byte":
                return base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error):
        return value  # the format's own complaint says so
    return value
