"""Constructors of objects, put into calls."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.objects.cel.constructors import TYPE, constructed, misnamed, plain


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1 + object.x", "1 + object.x"),
        ("Object{}", '__object__("Object", {})'),
        ("Object{a: 1, ?b: c}", '__object__("Object", {"a" : 1, "?b" : c})'),
        ("[Object.x{y: Object.x.y{}}]", '[ __object__("Object.x", {"y" : __object__("Object.x.y", {})}) ]'),
        ("object.Object == 'Object{}'", "object . Object == 'Object{}'"),
        ("{'Object': 1}", "{'Object': 1}"),
    ],
)
def test_rewriting(source: str, expected: str) -> None:
    assert constructed(source).replace(" ", "") == expected.replace(" ", "")


@pytest.mark.parametrize(
    ("value", "is_right"),
    [
        ({TYPE: "Object", "a": {TYPE: "Object.a", "b": [{TYPE: "Object.a.b"}]}}, True),
        ({TYPE: "Object", "a": {"anything": 1}}, True),
        ({TYPE: "Object", "a": {TYPE: "Object.b"}}, False),
        ({TYPE: "Object", "a": [{TYPE: "Object"}]}, False),
    ],
)
def test_type_names_follow_the_fields(value: Any, is_right: bool) -> None:
    assert (misnamed(value) == "") is is_right


def test_plain_values_know_no_types() -> None:
    assert plain({TYPE: "Object", "a": [{TYPE: "Object.a", "b": 1}]}) == {"a": [{"b": 1}]}
