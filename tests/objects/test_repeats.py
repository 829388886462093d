from __future__ import annotations

from typing import Any

import pytest

from wherry.objects.repeats import frozen, repeated


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([], []),
        (["a", "b"], []),
        (["a", "b", "a", "a"], [(2, "a"), (3, "a")]),
        ([{"a": [1]}, {"a": [2]}, {"a": [1]}], [(2, {"a": [1]})]),
        ([{"a": 1, "b": 2}, {"b": 2, "a": 1}], [(1, {"b": 2, "a": 1})]),
        ([1, True, 0, False, None, "1"], []),
        ([1, 1.0], [(1, 1.0)]),
        ([None, None], [(1, None)]),
        ([[], {}, ""], []),
    ],
)
def test_repeated(values: list[Any], found: list[tuple[int, Any]]) -> None:
    assert list(repeated(values)) == found


def test_frozen_holds_what_is_nested_apart() -> None:
    assert frozen([["a"], "b"]) != frozen(["a", ["b"]])
    assert frozen({"a": True}) != frozen({"a": 1})
