from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.objects.patches import PatchFailed, apply_merge_patch


@pytest.mark.parametrize(
    ("obj", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [1]}, {"a": [None]}, {"a": [None]}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"a": [1]}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ],
)
def test_merges(obj: dict[str, Any], patch: dict[str, Any], result: dict[str, Any]) -> None:
    assert apply_merge_patch(obj, patch) == result


def test_shares_what_it_does_not_touch() -> None:
    obj = {"a": {"b": 1}, "c": {"d": 1}}
    result = apply_merge_patch(obj, {"a": {"b": 2}})
    assert result["c"] is obj["c"]
    assert obj["a"] == {"b": 1}


def test_refuses_other_than_maps() -> None:
    bad: Any = [1]
    with pytest.raises(PatchFailed) as raised:
        apply_merge_patch({}, bad)
    assert raised.value.code == 400


values: Any = st.recursive(
    st.none() | st.integers(0, 3) | st.text("xy", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
maps = st.dictionaries(st.sampled_from("abc"), values, max_size=3)


@given(maps, maps)
def test_applying_twice_is_applying_once(obj: dict[str, Any], patch: dict[str, Any]) -> None:
    once = apply_merge_patch(obj, patch)
    assert apply_merge_patch(once, patch) == once
