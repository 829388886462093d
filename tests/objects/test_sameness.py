"""What is the same value, and what only Python takes for it."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from wherry.objects.managed_fields.walk import compare
from wherry.objects.sameness import is_identical

DISTINCT: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    0.5,
    1.0,
    0.0,
    "",
    "1",
    "true",
    [],
    [0],
    [False],
    {},
    {"a": 0},
]


@pytest.mark.parametrize(("left", "right"), list(combinations(DISTINCT, 2)), ids=repr)
@pytest.mark.parametrize("place", [lambda v: v, lambda v: {"x": [{"y": v}]}, lambda v: [[v], 2]])
def test_distinct_values_are_not_the_same_however_deep(left: Any, right: Any, place: Any) -> None:
    assert not is_identical(place(left), place(right))
    assert is_identical(place(left), place(left))


def test_the_order_of_keys_does_not_count_that_of_lists_does() -> None:
    assert is_identical({"a": {"x": 1, "y": [2]}, "b": 1}, {"b": 1, "a": {"y": [2], "x": 1}})
    assert not is_identical([1, 2], [2, 1])


@pytest.mark.parametrize(("left", "right"), [(True, 1), (0, False), ({"a": True}, {"a": 1}), ([1], [True])])
def test_a_change_of_type_alone_has_an_owner(left: Any, right: Any) -> None:
    assert compare({"spec": {"v": left}}, {"spec": {"v": right}}, None).touched
