"""Judge a schema itself: is it structural, and does it make sense? `schema_errors`.

Structural means that the types of all fields are told by the schema's skeleton (properties, items,
additionalProperties), and that allOf, anyOf, oneOf and not only add conditions on values. Texts and
paths (`...properties[spec].type`) are upstream's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from wherry.objects.errors import FieldError, forbidden_value, invalid_value, not_supported, required
from wherry.objects.regex import PatternError, compile_pattern
from wherry.objects.repeats import repeated
from wherry.objects.structural.node import (
    EMBEDDED,
    INT_OR_STRING,
    LIST_MAP_KEYS,
    LIST_TYPE,
    MAP_TYPE,
    PRESERVE,
    RULES,
    Node,
)
from wherry.objects.structural.prune import prune
from wherry.objects.structural.values import value_errors

Schema = Mapping[str, Any]
TYPES = ("array", "boolean", "integer", "number", "object", "string")
NOT_SUPPORTED = ("$ref", "id", "patternProperties", "definitions", "dependencies", "additionalItems")
COMBINERS = ("allOf", "anyOf", "oneOf")
STRUCTURAL_ONLY = (PRESERVE, EMBEDDED, INT_OR_STRING, LIST_TYPE, LIST_MAP_KEYS, MAP_TYPE)
SCALARS = frozenset({"string", "integer", "number", "boolean"})


def schema_errors(schema: Schema, path: str) -> list[FieldError]:
    """What is wrong with the `openAPIV3Schema` at `path`, none when it can be used."""
    errors = list(_forbidden(schema, path))
    errors += _skeleton(schema, path, _Level.ROOT)
    if not errors:
        errors += _defaults(schema, path)
    if not errors and Node(schema, is_root=True).has_rules:
        from wherry.objects.structural.rule_checks import rule_declaration_errors

        errors += rule_declaration_errors(schema, path)
    return errors


class _Level:
    """Where a schema stands, as error texts tell it."""

    ROOT = "root"
    FIELD = "object fields"
    ITEM = "array items"


def _children(schema: Schema, path: str) -> Iterator[tuple[Schema, str]]:
    """The schemas directly below, in the skeleton."""
    for name, part in (schema.get("properties") or {}).items():
        yield part, f"{path}.properties[{name}]"
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            yield schema[word], f"{path}.{word}"


def _conditions(schema: Schema, path: str) -> Iterator[tuple[Schema, str]]:
    """The schemas directly below that only add conditions."""
    for word in COMBINERS:
        for index, part in enumerate(schema.get(word) or ()):
            yield part, f"{path}.{word}[{index}]"
    if isinstance(schema.get("not"), dict):
        yield schema["not"], f"{path}.not"


def _forbidden(schema: Schema, path: str) -> Iterator[FieldError]:
    """What upstream does not take anywhere, and values that make no sense."""
    for word in NOT_SUPPORTED:
        if schema.get(word):
            yield forbidden_value(f"{path}.{word}", f"{word} is not supported")
    if schema.get("uniqueItems"):
        why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield forbidden_value(f"{path}.uniqueItems", why)
    if schema.get("additionalProperties") is False:
        yield forbidden_value(f"{path}.additionalProperties", "additionalProperties cannot be set to false")
    if schema.get("additionalProperties") and schema.get("properties"):
        why = "additionalProperties and properties are mutual exclusive"
        yield forbidden_value(f"{path}.additionalProperties", why)
    if isinstance(schema.get("items"), list):
        yield forbidden_value(f"{path}.items", "items must be a schema object and not an array")
    kind = schema.get("type")
    if kind and kind not in TYPES:
        yield not_supported(f"{path}.type", kind, TYPES)
    if text := schema.get("pattern"):
        try:
            compile_pattern(text)
        except PatternError as error:
            why = f"must be a valid regular expression, but isn't: {error}"
            yield invalid_value(f"{path}.pattern", text, why)
    if schema.get(PRESERVE) is False:
        yield invalid_value(f"{path}.{PRESERVE}", False, "must be true or undefined")
    if schema.get(LIST_TYPE) and kind != "array":
        yield invalid_value(f"{path}.type", kind or "", f"must be array if {LIST_TYPE} is set")
    for part, below in (*_children(schema, path), *_conditions(schema, path)):
        yield from _forbidden(part, below)


def _skeleton(schema: Schema, path: str, level: str) -> Iterator[FieldError]:
    kind = schema.get("type") or ""
    if not kind and not schema.get(INT_OR_STRING):
        is_open = schema.get(PRESERVE) and level != _Level.ROOT
        if level == _Level.ROOT:
            yield required(f"{path}.type", "must not be empty at the root")
        elif not is_open:
            yield required(f"{path}.type", f"must not be empty for specified {level}")
    if level == _Level.ROOT and kind and kind != "object":
        yield invalid_value(f"{path}.type", kind, "must be object at the root")
    if level == _Level.ROOT and schema.get("nullable"):
        yield forbidden_value(f"{path}.nullable", "must be false at the root")
    if level == _Level.ROOT and schema.get("default") is not None:
        yield forbidden_value(f"{path}.default", "must not be set at the root")
    if kind == "array" and not isinstance(schema.get("items"), dict):
        yield required(f"{path}.items", "must be specified")
    yield from _metadata(schema, path, is_resource=level == _Level.ROOT or bool(schema.get(EMBEDDED)))
    yield from _extensions(schema, path, kind)
    yield from _list_type(schema, path)
    for part, below in _children(schema, path):
        yield from _skeleton(part, below, _Level.ITEM if below.endswith(".items") else _Level.FIELD)
    for part, below in _conditions(schema, path):
        yield from _condition(part, schema, below, path)


def _metadata(schema: Schema, path: str, *, is_resource: bool) -> Iterator[FieldError]:
    meta = (schema.get("properties") or {}).get("metadata")
    if not is_resource or not isinstance(meta, dict):
        return
    if meta.get("type") not in (None, "object"):
        yield invalid_value(f"{path}.properties[metadata].type", meta.get("type"), "must be object")
    extra = [name for name in meta.get("properties") or () if name not in ("name", "generateName")]
    if extra or any(meta.get(word) for word in (*COMBINERS, "not", "items", "additionalProperties")):
        why = (
            "must not specify anything other than name and generateName, but metadata is implicitly specified"
        )
        yield forbidden_value(f"{path}.properties[metadata]", why)


def _extensions(schema: Schema, path: str, kind: str) -> Iterator[FieldError]:
    if schema.get(INT_OR_STRING) and kind:
        yield invalid_value(f"{path}.type", kind, f"must be empty if {INT_OR_STRING} is true")
    if schema.get(EMBEDDED):
        if kind != "object":
            yield invalid_value(f"{path}.type", kind, f"must be object if {EMBEDDED} is true")
        if not schema.get(PRESERVE) and not schema.get("properties"):
            why = f"must not be empty if {EMBEDDED} is true without {PRESERVE}"
            yield required(f"{path}.properties", why)
    map_type = schema.get(MAP_TYPE)
    if map_type is not None and map_type not in ("atomic", "granular"):
        yield not_supported(f"{path}.{MAP_TYPE}", map_type, ("atomic", "granular"))
    if map_type is not None and kind != "object":
        yield invalid_value(f"{path}.type", kind, f"must be object if {MAP_TYPE} is specified")


def _list_type(schema: Schema, path: str) -> Iterator[FieldError]:
    list_type, keys = schema.get(LIST_TYPE), schema.get(LIST_MAP_KEYS) or ()
    if list_type is not None and list_type not in ("atomic", "set", "map"):
        yield not_supported(f"{path}.{LIST_TYPE}", list_type, ("atomic", "map", "set"))
    if keys and list_type != "map":
        why = f"must be map if {LIST_MAP_KEYS} is non-empty"
        if list_type is None:
            yield required(f"{path}.{LIST_TYPE}", why)
        else:
            yield invalid_value(f"{path}.{LIST_TYPE}", list_type, why)
    items = schema.get("items")
    if not isinstance(items, dict):
        return
    if list_type == "set":
        if items.get("nullable"):
            yield forbidden_value(f"{path}.items.nullable", f"cannot be nullable when {LIST_TYPE} is set")
        if items.get("type") == "object" and items.get(MAP_TYPE) != "atomic":
            why = f"must be atomic as item of a list with {LIST_TYPE}=set"
            yield invalid_value(f"{path}.items.{MAP_TYPE}", items.get(MAP_TYPE), why)
        if items.get("type") == "array" and items.get(LIST_TYPE) not in (None, "atomic"):
            why = f"must be atomic as item of a list with {LIST_TYPE}=set"
            yield invalid_value(f"{path}.items.{LIST_TYPE}", items.get(LIST_TYPE), why)
    if list_type == "map":
        yield from _map_list(items, list(keys), path)


def _map_list(items: Schema, keys: list[str], path: str) -> Iterator[FieldError]:
    if not keys:
        yield required(f"{path}.{LIST_MAP_KEYS}", f"must not be empty if {LIST_TYPE} is map")
    if items.get("type") != "object":
        why = f"must be object if parent array's {LIST_TYPE} is map"
        yield invalid_value(f"{path}.items.type", items.get("type") or "", why)
        return
    if items.get("nullable"):
        yield forbidden_value(f"{path}.items.nullable", f"cannot be nullable when {LIST_TYPE} is map")
    properties, needed = items.get("properties") or {}, set(items.get("required") or ())
    twice = dict(repeated(keys))
    for index, key in enumerate(keys):
        if index in twice:
            yield invalid_value(f"{path}.{LIST_MAP_KEYS}[{index}]", key, "key must be unique")
        found = properties.get(key)
        if found is None:
            yield invalid_value(
                f"{path}.{LIST_MAP_KEYS}[{index}]", key, "entries must all be names of item properties"
            )
            continue
        below = f"{path}.items.properties[{key}]"
        if found.get("type") not in SCALARS:
            why = f"must be a scalar type if parent array's {LIST_TYPE} is map"
            yield invalid_value(f"{below}.type", found.get("type") or "", why)
        if key not in needed and found.get("default") is None:
            why = f"this property is in {LIST_MAP_KEYS}, so it must have a default or be a required property"
            yield required(f"{below}.default", why)


def _condition(part: Schema, skeleton: Schema | None, path: str, at: str) -> Iterator[FieldError]:
    """A schema below allOf and the like: conditions only, and only on what the skeleton specifies."""
    for word in ("description", "default", "additionalProperties", "type", "title", "nullable"):
        is_told_type = word == "type" and skeleton is not None and skeleton.get(INT_OR_STRING)
        if part.get(word) and not is_told_type:
            yield forbidden_value(f"{path}.{word}", "must be empty to be structural")
    for word in STRUCTURAL_ONLY:
        if part.get(word):
            yield forbidden_value(f"{path}.{word}", "must be false to be structural")
    if part.get(RULES):
        yield forbidden_value(f"{path}.{RULES}", "must be empty to be structural")
    known = (skeleton or {}).get("properties") or {}
    values = (skeleton or {}).get("additionalProperties")
    for name, below in (part.get("properties") or {}).items():
        found = known.get(name) or (values if isinstance(values, dict) else None)
        if found is None and not (skeleton or {}).get(PRESERVE):
            yield required(f"{at}.properties[{name}]", f"because it is defined in {path}.properties[{name}]")
        yield from _condition(below, found, f"{path}.properties[{name}]", f"{at}.properties[{name}]")
    items = part.get("items")
    if isinstance(items, dict):
        found = (skeleton or {}).get("items")
        if not isinstance(found, dict):
            yield required(f"{at}.items", f"because it is defined in {path}.items")
            found = None
        yield from _condition(items, found, f"{path}.items", f"{at}.items")
    for below_part, below in _conditions(part, path):
        yield from _condition(below_part, skeleton, below, at)


def _defaults(schema: Schema, path: str) -> Iterator[FieldError]:
    """Defaults must be what their own schema takes."""
    if schema.get("default") is not None:
        default = orjson.loads(orjson.dumps(schema["default"]))
        node = Node(schema)
        if prune(default, node):
            yield invalid_value(f"{path}.default", schema["default"], "must not have unknown fields")
        else:
            yield from value_errors(default, node, f"{path}.default")
    for part, below in _children(schema, path):
        yield from _defaults(part, below)
