"""Schemas of custom kinds in both documents, held against what apiextensions publishes."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.api.resource import Resource
from wherry.apiserver.openapi.documents import version_document, whole_document
from wherry.apiserver.openapi.schemas import description_of
from wherry.objects.meta import Object

TABS = Resource(
    group="stable.example.com",
    version="v1",
    kind="Tab",
    plural="tabs",
    namespaced=False,
    selectable={"spec.color": str},
)
TAB = "com.example.stable.v1.Tab"
PRESERVE = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = {"x-kubernetes-int-or-string": True}
MARKS = {
    "x-kubernetes-group-version-kind": [{"group": "stable.example.com", "version": "v1", "kind": "Tab"}],
    "x-kubernetes-selectable-fields": [{"fieldPath": "spec.color"}],
}


def published(given: Object | None, version: int) -> Object:
    """The definition of the kind in the document of that version."""
    if version == 2:
        found: Object = whole_document([TABS], lambda _: given)["definitions"][TAB]
    else:
        document = version_document("stable.example.com", "v1", [TABS], lambda _: given)
        found = document["components"]["schemas"][TAB]
    return found


def field(node: Object, version: int) -> Object:
    """What becomes of a field's schema."""
    made = published({"type": "object", "properties": {"f": node}}, version)
    found: Object = made["properties"]["f"]
    return found


@pytest.mark.parametrize("version", [2, 3])
def test_a_kind_without_a_schema_says_nothing(version: int) -> None:
    assert published(None, version) == {"type": "object", **MARKS}


def test_a_kind_that_keeps_all_fields_names_none_to_old_kubectl() -> None:
    given = {"type": "object", PRESERVE: True, "properties": {"spec": {"type": "object"}}}
    assert published(given, 2) == {"type": "object", **MARKS}
    assert set(published(given, 3)["properties"]) == {"apiVersion", "kind", "metadata", "spec"}


@pytest.mark.parametrize("version", [2, 3])
def test_what_every_object_has_is_described(version: int) -> None:
    told = description_of("io.k8s.api.core.v1.ConfigMap")["properties"]
    given = {"type": "object", "properties": {"metadata": {"type": "object"}, "kind": {"type": "string"}}}
    properties = published(given, version)["properties"]
    for name in ("apiVersion", "kind", "metadata"):
        assert properties[name]["description"] == told[name]["description"]
    assert published(given, version)["x-kubernetes-group-version-kind"] == [
        {"group": "stable.example.com", "version": "v1", "kind": "Tab"}
    ]


V2: dict[str, tuple[Object, Object]] = {
    "an open struct": ({"type": "object", PRESERVE: True, "properties": {"a": {}}}, {PRESERVE: True}),
    "an open list": (
        {"type": "array", PRESERVE: True, "items": {"type": "string"}},
        {PRESERVE: True},
    ),
    "what may be null": (
        {"type": "object", "nullable": True, "properties": {"a": {"type": "string"}}, "description": "d"},
        {"description": "d"},
    ),
    "a field that may be null is not required": (
        {
            "type": "object",
            "required": ["a", "b"],
            "properties": {"a": {"type": "string", "nullable": True}, "b": {"type": "string"}},
        },
        {"type": "object", "required": ["b"], "properties": {"a": {}, "b": {"type": "string"}}},
    ),
    "junctions and defaults": (
        {
            "type": "string",
            "anyOf": [{"enum": ["a"]}],
            "oneOf": [{"enum": ["a"]}],
            "allOf": [{"enum": ["a"]}],
            "not": {"enum": ["b"]},
            "default": "a",
            "pattern": "a",
        },
        {"type": "string", "pattern": "a"},
    ),
    "a number or a text": (INT_OR_STRING, INT_OR_STRING),
    "a map": (
        {"type": "object", "additionalProperties": {"type": "object", PRESERVE: True}},
        {"type": "object", "additionalProperties": {PRESERVE: True}},
    ),
    "kinds of lists": (
        {
            "type": "array",
            "items": {"type": "string"},
            "x-kubernetes-list-type": "set",
            "x-kubernetes-validations": [{"rule": "true"}],
        },
        {
            "type": "array",
            "items": {"type": "string"},
            "x-kubernetes-list-type": "set",
            "x-kubernetes-validations": [{"rule": "true"}],
        },
    ),
}


@pytest.mark.parametrize(("node", "expected"), V2.values(), ids=V2.keys())
def test_v2_says_nothing_old_kubectl_would_take_for_more(node: Object, expected: Object) -> None:
    assert field(node, 2) == expected


@pytest.mark.parametrize(
    ("node", "added"),
    [
        (INT_OR_STRING, {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        ({**INT_OR_STRING, "anyOf": [{"type": "integer"}, {"type": "string"}]}, {}),
        (
            {**INT_OR_STRING, "anyOf": [{"minimum": 1}]},
            {"allOf": [{"anyOf": [{"type": "integer"}, {"type": "string"}]}]},
        ),
    ],
)
def test_v3_says_what_a_number_or_a_text_is(node: Object, added: Object) -> None:
    assert field(node, 3) == {**node, **added}


def test_v3_keeps_defaults_and_nulls() -> None:
    node = {"type": "string", "nullable": True, "default": "a"}
    assert field(node, 3) == node


@pytest.mark.parametrize("version", [2, 3])
def test_embedded_objects_have_a_type(version: int) -> None:
    node = {
        "type": "object",
        "x-kubernetes-embedded-resource": True,
        "properties": {"spec": {"type": "string"}},
    }
    made = field(node, version)
    assert made["required"] == ["kind", "apiVersion"]
    assert set(made["properties"]) == {"apiVersion", "kind", "metadata", "spec"}
    open_one: dict[str, Any] = field({**node, PRESERVE: True}, version)
    assert ("required" in open_one) == (version == 3)


def test_lists_are_described() -> None:
    made = whole_document([TABS], lambda _: None)["definitions"][f"{TAB}List"]
    assert made["description"] == "TabList is a list of Tab"
    assert made["properties"]["items"]["description"].startswith("List of tabs. More info: ")
    told = description_of("io.k8s.api.core.v1.ConfigMapList")["properties"]["metadata"]["description"]
    assert made["properties"]["metadata"]["description"] == told
