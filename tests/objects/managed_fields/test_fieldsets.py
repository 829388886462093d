from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.objects.managed_fields.fieldsets import (
    FieldSet,
    difference,
    intersection,
    is_member,
    is_well_formed,
    paths,
    union,
)

Members = frozenset[tuple[str, ...]]


def build(members: Members) -> FieldSet:
    """The obvious way: one path at a time."""
    root: FieldSet = {}
    for path in members:
        node = root
        for step in path:
            node = node.setdefault(step, {})
        node["."] = {}
    return trim(root)


def trim(node: FieldSet) -> FieldSet:
    """Without the dots of leaves."""
    if node.keys() == {"."}:
        return {}
    return {key: trim(child) if key != "." else {} for key, child in node.items()}


def members(fields: FieldSet, prefix: tuple[str, ...] = ()) -> Members:
    found: set[tuple[str, ...]] = set()
    for key, node in fields.items():
        if key == ".":
            continue
        if is_member(node):
            found.add((*prefix, key))
        found |= members(node, (*prefix, key))
    return frozenset(found)


steps = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"'])
sets = st.frozensets(st.lists(steps, min_size=1, max_size=3).map(tuple), max_size=6)


@given(sets, sets)
def test_arithmetic_is_that_of_sets_of_paths(left: Members, right: Members) -> None:
    a, b = build(left), build(right)
    assert members(a) == left
    assert members(union(a, b)) == left | right
    assert members(difference(a, b)) == left - right
    assert members(intersection(a, b)) == left & right
    assert union(a, b) == build(left | right)
    assert difference(a, b) == build(left - right)
    assert intersection(a, b) == build(left & right)
    assert (members(a), members(b)) == (left, right)


def test_paths_are_spelled_as_upstream_does() -> None:
    fields: FieldSet = {
        "f:spec": {
            "f:replicas": {},
            "f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:name": {}}},
            "f:list": {"i:3": {}},
        },
        "f:metadata": {"f:finalizers": {".": {}, 'v:"a/b"': {}}},
    }
    assert list(paths(fields)) == [
        ".metadata.finalizers",
        '.metadata.finalizers[="a/b"]',
        ".spec.list[3]",
        '.spec.ports[port=80,protocol="TCP"]',
        '.spec.ports[port=80,protocol="TCP"].name',
        ".spec.replicas",
    ]


@pytest.mark.parametrize(
    ("fields", "well_formed"),
    [
        ({}, True),
        ({"f:a": {".": {}, 'k:{"a":1}': {}, 'v:"x"': {}, "i:0": {}}}, True),
        ({"a": {}}, False),
        ({"f:a": 1}, False),
        ({"k:{": {}}, False),
        ({"k:1": {}}, False),
        ([], False),
    ],
)
def test_form(fields: Any, well_formed: bool) -> None:
    assert is_well_formed(fields) is well_formed
