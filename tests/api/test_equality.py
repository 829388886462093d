from __future__ import annotations

from typing import Any

import pytest

from wherry.api.differences import show_differences
from wherry.api.equality import is_same


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ({"a": 1}, {"a": 1}, True),
        ({"a": None}, {}, True),
        ([{"a": {"b": None}}], [{"a": {}}], True),
        ({"podSelector": {}}, {}, False),
        ({"labels": {"gpu": ""}}, {}, False),
        ({"runAsNonRoot": False}, {}, False),
        ({"runAsUser": 0}, {"runAsUser": False}, False),
        ([1, 2], [2, 1], False),
    ],
)
def test_same(left: Any, right: Any, expected: bool) -> None:
    assert is_same(left, right) == expected
    assert is_same(right, left) == expected


def test_differences_are_shown_by_leaf() -> None:
    old = {"a": {"b": 1, "c": [1, 2]}, "gone": True}
    new = {"a": {"b": 2, "c": [1]}, "new": "x"}
    assert show_differences(old, new).split("\n") == [
        "- a.b: 1",
        "+ a.b: 2",
        "- a.c[1]: 2",
        "- gone: true",
        '+ new: "x"',
    ]
