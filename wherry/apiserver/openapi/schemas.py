"""Schemas of what is served, in the dialects of OpenAPI v2 and v3.

The facts come from the schema tables and, for custom resources, from their own definitions; field
descriptions from the package `kubernetes-validate` where it is installed, for `kubectl explain`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from wherry.api import schema
from wherry.api.resource import Resource
from wherry.apiserver.openapi.custom_schemas import (
    GVK,
    LIST_META,
    META,
    OBJECT_META,
    custom_list,
    custom_object,
)
from wherry.kit.remembered import remembered
from wherry.objects.meta import Object

APIMACHINERY = "io.k8s.apimachinery.pkg"
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_EVERY_OBJECT, _EVERY_LIST = "io.k8s.api.core.v1.ConfigMap", "io.k8s.api.core.v1.ConfigMapList"
DESCRIBED_IN = "kubernetes-json-schema/v1.37.0-local/_definitions.json"

PRESENT = tuple(
    f"io.k8s.api.{group}.v1" for group in ("apps", "networking", "autoscaling", "batch", "policy", "rbac")
)
"""Where the kinds of old versions, whatever group they were in, are now."""

CustomSchema = Callable[[Resource], Object | None]
"""Gives a custom resource's `openAPIV3Schema`, None for a kind without one."""

_V2_SCALARS: Mapping[str, Object] = {
    QUANTITY: {"type": "string"},
    INT_OR_STRING: {"type": "string", "format": "int-or-string"},
}
_V3_SCALARS: Mapping[str, Object] = {
    QUANTITY: {"oneOf": [{"type": "string"}, {"type": "number"}]},
    INT_OR_STRING: {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
}


@lru_cache(1)
def descriptions() -> Mapping[str, Any]:
    """The described definitions by name; empty when the package that has them is not installed."""
    spec = importlib.util.find_spec("kubernetes_validate")
    if spec is None or not spec.submodule_search_locations:
        return {}
    path = Path(next(iter(spec.submodule_search_locations))) / DESCRIBED_IN
    if not path.exists():
        return {}
    found: Mapping[str, Any] = orjson.loads(path.read_bytes())["$defs"]
    return found


def description_of(name: str) -> Mapping[str, Any]:
    """The described definition of that name; for one of an old version that of a present namesake."""
    described = descriptions()
    if name in described:
        return described[name]  # type: ignore[no-any-return]
    kind = name.rpartition(".")[2]
    return next((described[one] for place in PRESENT if (one := f"{place}.{kind}") in described), {})


@lru_cache(None)
def _known_names() -> frozenset[str]:
    return frozenset(schema.definition_names())


@remembered(1024)
def _name_of_kind(group: str, version: str, kind: str) -> str:
    wanted = {"group": group, "version": version, "kind": kind}
    for name in schema.definition_names():
        if name.endswith(f".{kind}") and wanted in (schema.source(name).get(GVK) or ()):
            return name
    return ""


def _told(properties: Mapping[str, Object], name: str) -> Object:
    """The properties with the descriptions they have in the definition `name`, as far as these are known."""
    parts = description_of(name).get("properties") or {}
    texts = {key: (parts.get(key) or {}).get("description") for key in properties}
    return {
        key: {**node, "description": texts[key]} if texts[key] else node for key, node in properties.items()
    }


class Schemas:
    """The named schemas of some resources, in one dialect.

    `version` is 2 or 3; `custom` gives the schemas of custom resources.
    """

    def __init__(
        self, version: int, resources: Iterable[Resource], custom: CustomSchema | None = None
    ) -> None:
        self._version = version
        self._prefix = "#/definitions/" if version == 2 else "#/components/schemas/"
        self._own: dict[str, Object] = {}
        self._names: dict[tuple[str, str, str], str] = {}
        self._used: dict[str, None] = {}
        for resource in resources:
            self._name(resource, custom)

    def _name(self, resource: Resource, custom: CustomSchema | None) -> None:
        key = (resource.group, resource.version, resource.kind)
        listed = (resource.group, resource.version, resource.list_kind)
        if resource.schema:
            self._names[key] = resource.schema
            if f"{resource.schema}List" in _known_names():
                self._names[listed] = f"{resource.schema}List"
            return
        domain = ".".join(reversed(resource.group.split(".")))
        name = f"{domain}.{resource.version}.{resource.kind}"
        given = custom(resource) if custom is not None else None
        common = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
        one, many = {**common, "metadata": {"$ref": OBJECT_META}}, {**common, "metadata": {"$ref": LIST_META}}
        self._own[name] = custom_object(resource, given, self._version, _told(one, _EVERY_OBJECT))
        self._own[f"{name}List"] = custom_list(resource, name, _told(many, _EVERY_LIST))
        self._names[key], self._names[listed] = name, f"{name}List"

    def reference(self, key: tuple[str, str, str]) -> Object:
        """A schema for a (group, version, kind): a `$ref`, or plain text for what has no schema."""
        group, version, kind = key
        if group == "meta":
            return self._ref(f"{META}.{kind}")
        if group == "version":
            return self._ref(f"{APIMACHINERY}.version.{kind}")
        name = self._names.get(key) or _name_of_kind(group, version, kind)
        return self._ref(name) if name else {"type": "string"}

    def _ref(self, name: str) -> Object:
        self._used[name] = None
        return {"$ref": self._prefix + name}

    def rendered(self) -> dict[str, Object]:
        """Every schema referred to, directly or not, by name."""
        done: dict[str, Object] = {}
        for name in self._names.values():
            self._used[name] = None
        while waiting := [name for name in self._used if name not in done]:
            for name in waiting:
                done[name] = self._definition(name)
        return {name: done[name] for name in sorted(done)}

    def _definition(self, name: str) -> Object:
        special = (_V2_SCALARS if self._version == 2 else _V3_SCALARS).get(name)
        if special is not None:
            return dict(special)
        if name in self._own:
            return self._convert(self._own[name], {})
        return self._convert(schema.source(name), description_of(name))

    def _convert(self, node: Mapping[str, Any], described: Mapping[str, Any]) -> Object:
        """One schema in this dialect, with descriptions filled in."""
        result: Object = {}
        text = node.get("description") or described.get("description")
        if text:
            result["description"] = text
        for key, value in node.items():
            if key == "$ref":
                continue
            if key == "properties":
                parts = described.get("properties") or {}
                result[key] = {
                    name: self._convert(part, parts.get(name) or {}) for name, part in value.items()
                }
            elif key in ("items", "additionalProperties", "not") and isinstance(value, dict):
                result[key] = self._convert(value, described.get(key) or {})
            elif key in ("allOf", "anyOf", "oneOf"):
                if self._version == 3:
                    result[key] = [self._convert(part, {}) for part in value]
            elif key != "description" and (key != "default" or self._version == 3):
                result[key] = value
        if "$ref" in node:
            self._refer(node["$ref"], result)
        return result

    def _refer(self, name: str, result: Object) -> None:
        """Make `result` refer to a named schema; v3 takes nothing beside a `$ref`."""
        reference = self._ref(name)
        if self._version == 2 or not result:
            result.update(reference)
        else:
            result["allOf"] = [reference]
