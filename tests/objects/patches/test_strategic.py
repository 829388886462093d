from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.objects.shapes import SCALAR, FakeShape, map_list, mapping, set_list, struct
from wherry.objects.patches import PatchFailed, apply_strategic_patch

ITEM = struct(name=SCALAR, value=SCALAR, other=SCALAR)
SHAPE = struct(
    named=map_list(ITEM, "name"),
    tags=set_list(),
    plain=FakeShape("list", "atomic", element=SCALAR),
    labels=mapping(),
    whole=struct(("replace",), a=SCALAR, b=SCALAR),
    deep=struct(named=map_list(ITEM, "name")),
    union=struct(("retainKeys",), type=SCALAR, a=struct(x=SCALAR), b=struct(x=SCALAR)),
    broken=FakeShape("list", "map", patch_strategies=("merge",), element=ITEM),
)


def named(*names: str) -> list[dict[str, Any]]:
    return [{"name": name} for name in names]


@pytest.mark.parametrize(
    ("obj", "patch", "result"),
    [
        # maps
        (
            {"labels": {"a": "1", "b": "2"}},
            {"labels": {"a": None, "c": "3"}},
            {"labels": {"b": "2", "c": "3"}},
        ),
        ({"labels": {"a": "1"}}, {"labels": {"$patch": "replace", "z": "1"}}, {"labels": {"z": "1"}}),
        ({"labels": {"a": "1"}}, {"labels": {"$patch": "delete"}}, {"labels": {}}),
        ({"labels": {"a": "1"}}, {"labels": {"$patch": "merge", "b": "1"}}, {"labels": {"a": "1", "b": "1"}}),
        ({"labels": {"a": "1"}}, {"labels": None}, {}),
        ({}, {"labels": {"a": "1", "b": None}}, {"labels": {"a": "1"}}),
        ({"whole": {"a": 1}}, {"whole": {"b": 2}}, {"whole": {"b": 2}}),
        ({"unknown": {"a": 1}}, {"unknown": {"$ref": 2}}, {"unknown": {"a": 1, "$ref": 2}}),
        # lists that are replaced
        ({"plain": [1, 2]}, {"plain": [3]}, {"plain": [3]}),
        ({"unknown": [1, 2]}, {"unknown": [3]}, {"unknown": [3]}),
        # lists of scalars that are merged
        ({"tags": ["a", "b"]}, {"tags": ["c", "a"]}, {"tags": ["c", "a", "b"]}),
        ({"tags": ["a", "b"]}, {"$deleteFromPrimitiveList/tags": ["a"]}, {"tags": ["b"]}),
        ({}, {"$deleteFromPrimitiveList/tags": ["a"]}, {}),
        (
            {"tags": ["a", "b", "c"]},
            {"$setElementOrder/tags": ["c", "a"], "$deleteFromPrimitiveList/tags": ["b"]},
            {"tags": ["c", "a"]},
        ),
        # lists of maps that are merged
        (
            {"named": [{"name": "a", "value": 1}, {"name": "b", "value": 1}]},
            {"named": [{"name": "b", "value": 2}]},
            {"named": [{"name": "a", "value": 1}, {"name": "b", "value": 2}]},
        ),
        ({"named": named("a")}, {"named": named("n")}, {"named": named("n", "a")}),
        ({"named": named("a", "b")}, {"named": [{"name": "a", "$patch": "delete"}]}, {"named": named("b")}),
        (
            {"named": named("a", "b")},
            {"named": [{"$patch": "replace"}, {"name": "c", "value": None}]},
            {"named": named("c")},
        ),
        ({"named": named("a")}, {"named": [{"$patch": "replace", "name": "c"}]}, {"named": named("c")}),
        ({}, {"named": [{"name": "a", "$patch": "delete"}, {"name": "b"}]}, {"named": named("b")}),
        (
            {"deep": {"named": [{"name": "a", "value": 1, "other": 1}]}},
            {"deep": {"named": [{"name": "a", "value": None}]}},
            {"deep": {"named": [{"name": "a", "other": 1}]}},
        ),
        # order
        (
            {"named": named("a", "b", "c")},
            {"$setElementOrder/named": named("c", "a"), "named": [{"name": "c", "value": 1}]},
            {"named": [{"name": "b"}, {"name": "c", "value": 1}, {"name": "a"}]},
        ),
        (
            {"named": named("a", "b")},
            {"$setElementOrder/named": named("b", "n", "a"), "named": named("n")},
            {"named": named("b", "n", "a")},
        ),
        (
            {"named": named("a", "b")},
            {
                "$setElementOrder/named": named("b", "c"),
                "named": [{"name": "c"}, {"name": "a", "$patch": "delete"}],
            },
            {"named": named("b", "c")},
        ),
        ({"named": named("a")}, {"$setElementOrder/named": [], "named": None}, {}),
        (
            {},
            {"$setElementOrder/named": named("b", "a"), "named": named("a", "b")},
            {"named": named("b", "a")},
        ),
        ({}, {"$setElementOrder/named": named("b", "a")}, {}),
        # unions
        (
            {"union": {"type": "a", "a": {"x": 1}}},
            {"union": {"$retainKeys": ["type", "b"], "type": "b", "b": {"x": 2}}},
            {"union": {"type": "b", "b": {"x": 2}}},
        ),
    ],
)
def test_merges(obj: dict[str, Any], patch: dict[str, Any], result: dict[str, Any]) -> None:
    before, patch_before = copy.deepcopy(obj), copy.deepcopy(patch)
    assert apply_strategic_patch(obj, patch, SHAPE) == result
    assert obj == before
    assert patch == patch_before


def test_shares_what_it_does_not_touch() -> None:
    obj: dict[str, Any] = {"named": [{"name": "a", "value": {"x": 1}}, {"name": "b"}], "labels": {"a": "1"}}
    result = apply_strategic_patch(obj, {"named": [{"name": "b", "value": 1}]}, SHAPE)
    assert result["labels"] is obj["labels"]
    assert result["named"][0] is obj["named"][0]


@pytest.mark.parametrize(
    ("obj", "patch", "code", "why"),
    [
        ({}, {"$patch": "frob"}, 400, "unknown patch type: frob in map"),
        ({"named": named("a")}, {"named": [{"$patch": "frob"}]}, 400, "unknown patch type"),
        ({"named": named("a")}, {"named": [{"value": 1}]}, 422, "does not contain declared merge key: name"),
        ({"named": named("a")}, {"named": [{"$patch": "delete"}]}, 422, "no merge key defined"),
        ({"broken": named("a")}, {"broken": named("b")}, 422, "without merge key"),
        ({"tags": ["a"]}, {"tags": [["b"]]}, 422, "lists of lists"),
        ({"tags": ["a"]}, {"$deleteFromPrimitiveList/tags": "a"}, 400, "primitive list"),
        ({"tags": ["a"]}, {"$setElementOrder/tags": "a", "tags": ["b"]}, 400, "setElementOrder"),
        ({"union": {"a": {}}}, {"union": {"$retainKeys": ["a"], "b": {"x": 1}}}, 400, "retainKeys"),
        ({"named": named("a")}, {"named": ["b"]}, 422, "same type"),
    ],
)
def test_failures(obj: dict[str, Any], patch: dict[str, Any], code: int, why: str) -> None:
    with pytest.raises(PatchFailed) as raised:
        apply_strategic_patch(obj, patch, SHAPE)
    assert raised.value.code == code
    assert why in raised.value.why
