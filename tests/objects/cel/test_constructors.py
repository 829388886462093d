"""Constructors of objects, put into calls."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.objects.cel import compile_expression
from wherry.objects.cel.constructors import TYPE, misnamed, plain


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Object{}", {TYPE: "Object"}),
        ("Object{a: 1, ?b: optional.of(2)}", {TYPE: "Object", "a": 1, "b": 2}),
        ("Object{?b: optional.none()}", {TYPE: "Object"}),
        ("Object.x{y: Object.x.y{}}", {TYPE: "Object.x", "y": {TYPE: "Object.x.y"}}),
        ("JSONPatch{op: 'add'}.op", "add"),
        ("object.Object == 'Object{}'", True),
    ],
)
def test_values(source: str, expected: Any) -> None:
    assert compile_expression(source).evaluate({"object": {"Object": "Object{}"}}) == expected


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
