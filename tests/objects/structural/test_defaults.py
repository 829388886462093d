"""Defaults against an obvious model, and their bounds: bytes that are added, steps that are taken."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.objects.structural import Node, TooManyDefaults, apply_defaults
from wherry.objects.structural.defaults import MOST_ADDED_BYTES
from wherry.store.base import MOST_VALUE_BYTES


def plainly(value: Any, node: Node) -> None:
    """Every property of the schema is looked at, for every object."""
    if isinstance(value, list) and node.item is not None:
        for index, item in enumerate(value):
            if item is None and node.item.has_default and not node.item.nullable:
                value[index] = deepcopy(node.item.default)
            plainly(value[index], node.item)
    if not isinstance(value, dict):
        return
    for name, below in node.properties.items():
        if value.get(name) is None and not (name in value and below.nullable):
            if below.has_default:
                value[name] = deepcopy(below.default)
            elif name in value and not (below.preserves and not below.type):
                del value[name]
                continue
        if name in value:
            plainly(value[name], below)
    if node.values is not None:
        for name in set(value) - set(node.properties):
            if value[name] is None and not node.values.nullable and node.values.has_default:
                value[name] = deepcopy(node.values.default)
            plainly(value[name], node.values)


NAMES = st.sampled_from("abc")
VALUES = st.recursive(
    st.none() | st.integers(0, 3),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=3),
    max_leaves=12,
)


def schemas(below: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", "integer"]),
            "properties": st.dictionaries(NAMES, below, max_size=3),
            "additionalProperties": below,
            "items": below,
            "default": VALUES,
            "nullable": st.booleans(),
            "x-kubernetes-preserve-unknown-fields": st.just(True),
        },
    )


SCHEMAS = st.recursive(st.just({"type": "integer"}), schemas, max_leaves=10)


@given(SCHEMAS, VALUES)
def test_defaults_are_those_of_the_model(schema: Any, value: Any) -> None:
    node = Node(schema, is_root=True)
    modelled, filled = deepcopy(value), deepcopy(value)
    plainly(modelled, node)
    assert apply_defaults(filled, node) == (modelled != value)
    assert filled == modelled
    assert node.source == schema, "defaults are copied"


def items_with(fields: Any) -> Node:
    items = {"type": "object", "properties": fields}
    return Node({"type": "object", "properties": {"l": {"type": "array", "items": items}}}, is_root=True)


def test_defaults_add_no_more_than_may_be_stored() -> None:
    assert MOST_ADDED_BYTES == MOST_VALUE_BYTES
    text = {"type": "string", "default": "x" * 1000}
    node = items_with({f"p{number}": text for number in range(1000)})
    value: dict[str, Any] = {"l": [{} for _ in range(5000)]}
    with pytest.raises(TooManyDefaults):
        apply_defaults(value, node)
    assert len(orjson.dumps(value)) < MOST_ADDED_BYTES + 5000 * len("{},") + 100


def test_fields_without_defaults_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    fields: dict[str, Any] = {f"p{number}": {"type": "string"} for number in range(1000)}
    node = items_with({**fields, "d": {"type": "string", "default": "x"}})
    asked = list[str]()

    class Counting(dict[str, Node]):
        def items(self) -> Any:
            asked.extend(self)
            return super().items()

    item = node.properties["l"].item
    assert item is not None
    item.properties = Counting(item.properties)
    value: dict[str, Any] = {"l": [{} for _ in range(100)]}
    assert apply_defaults(value, node)
    assert value == {"l": [{"d": "x"}] * 100}
    assert len(asked) <= len(fields) + 1, "once for the schema, not once for each item"
