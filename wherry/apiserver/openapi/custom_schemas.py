"""Schemas of custom kinds as they are published: their own, with what every object has.

Old kubectl validates with the document of version 2, and takes a struct with properties to have no others: so
nothing is said there of what keeps unknown fields, or may be null. Rules: apiextensions-apiserver,
pkg/controller/openapi/builder (buildKubeNative) and v2 (ToStructuralOpenAPIV2).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.api.resource import Resource
from wherry.objects.meta import Object

PRESERVE = "x-kubernetes-preserve-unknown-fields"
EMBEDDED = "x-kubernetes-embedded-resource"
INT_OR_STRING = "x-kubernetes-int-or-string"
SELECTABLE = "x-kubernetes-selectable-fields"
GVK = "x-kubernetes-group-version-kind"
META = "io.k8s.apimachinery.pkg.apis.meta.v1"
OBJECT_META, LIST_META = f"{META}.ObjectMeta", f"{META}.ListMeta"

_JUNCTIONS = ("allOf", "anyOf", "oneOf", "not")
_EITHER: list[Object] = [{"type": "integer"}, {"type": "string"}]
_CONVENTIONS = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
_EMBEDDED_TYPE: Mapping[str, Object] = {
    "apiVersion": {
        "type": "string",
        "description": "apiVersion defines the versioned schema of this representation of an object. "
        f"More info: {_CONVENTIONS}#resources",
    },
    "kind": {
        "type": "string",
        "description": "kind is a string value representing the type of this object. In CamelCase. "
        f"More info: {_CONVENTIONS}#types-kinds",
    },
}


def custom_object(
    resource: Resource, given: Mapping[str, Any] | None, version: int, common: Object
) -> Object:
    """The schema of a custom kind, for OpenAPI `version` 2 or 3.

    `given` is its `openAPIV3Schema`, None for a kind without one; `common` are the properties of every object
    (apiVersion, kind and metadata), with their descriptions.
    """
    if given is None or (version == 2 and given.get(PRESERVE)):
        made: Object = {"type": "object"}
    else:
        made = _published(given, version)
        made["properties"] = {**(made.get("properties") or {}), **common}
    return made | _marks(resource, resource.kind)


def custom_list(resource: Resource, item: str, common: Object) -> Object:
    """The schema of a list of a custom kind whose schema is called `item`; `common` is as above."""
    items = {"$ref": item}
    return {
        "type": "object",
        "description": f"{resource.list_kind} is a list of {resource.kind}",
        "required": ["items"],
        "properties": {
            **common,
            "items": {
                "type": "array",
                "items": items,
                "description": f"List of {resource.plural}. More info: {_CONVENTIONS}",
            },
        },
    } | _marks(resource, resource.list_kind)


def _marks(resource: Resource, kind: str) -> Object:
    marks: Object = {GVK: [{"group": resource.group, "version": resource.version, "kind": kind}]}
    if resource.selectable:
        marks[SELECTABLE] = [{"fieldPath": path} for path in resource.selectable]
    return marks


def _published(node: Mapping[str, Any], version: int) -> Object:
    """One schema with all below it; in version 2 what keeps unknown fields or may be null is left open."""
    made = {key: value for key, value in node.items() if key not in ("items", "properties", "default")}
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), Mapping):
            made[key] = _published(node[key], version)
    if (properties := node.get("properties")) is not None:
        made["properties"] = {name: _published(part, version) for name, part in properties.items()}
    if version == 2:
        _open_up(made, node)
    else:
        if "default" in node:
            made["default"] = node["default"]
        if node.get(INT_OR_STRING):
            _unfold(made)
    if node.get(EMBEDDED) and not (version == 2 and node.get(PRESERVE)):
        _embed(made)
    return made


def _open_up(made: Object, node: Mapping[str, Any]) -> None:
    for key in (*_JUNCTIONS, "nullable"):
        made.pop(key, None)
    is_nullable, preserves = bool(node.get("nullable")), bool(node.get(PRESERVE))
    if is_nullable or preserves:
        made.pop("items", None)
        made.pop("properties", None)
    kind = made.get("type")
    if is_nullable or (kind == "array" and "items" not in made) or (kind == "object" and preserves):
        made.pop("type", None)
    values = node.get("additionalProperties")
    if isinstance(values, Mapping) and values.get("nullable"):
        made.pop("required", None)
    elif not (is_nullable or preserves) and made.get("required"):
        parts: Mapping[str, Any] = node.get("properties") or {}
        kept = [name for name in made["required"] if not (parts.get(name) or {}).get("nullable")]
        if kept:
            made["required"] = kept
        else:
            del made["required"]


def _unfold(made: Object) -> None:
    """Say of what may be a number or a text that it is either."""
    if made.get("anyOf") == _EITHER:
        return
    if any(part.get("anyOf") == _EITHER for part in (made.get("allOf") or ())[:1]):
        return
    if made.get("anyOf"):
        made["allOf"] = [{"anyOf": _EITHER}, *(made.get("allOf") or ())]
    else:
        made["anyOf"] = _EITHER


def _embed(made: Object) -> None:
    properties = {**(made.get("properties") or {}), **_EMBEDDED_TYPE, "metadata": {"$ref": OBJECT_META}}
    made["properties"] = properties
    given = list(made.get("required") or ())
    made["required"] = [*given, *(name for name in ("kind", "apiVersion") if name not in given)]
