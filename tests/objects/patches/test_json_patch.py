from __future__ import annotations

import copy
from typing import Any

import pytest

from wherry.objects.patches import PatchFailed, apply_json_patch
from wherry.objects.patches.failure import UNPROCESSABLE
from wherry.objects.patches.json_patch import MAX_OPERATIONS

OBJ: dict[str, Any] = {"a": {"b": 1, "c/d": 2, "e~f": 3}, "l": [1, {"x": 1}, 3], "n": None, "t": True}


def run(*operations: dict[str, Any]) -> dict[str, Any]:
    before = copy.deepcopy(OBJ)
    try:
        return apply_json_patch(OBJ, list(operations))
    finally:
        assert before == OBJ


@pytest.mark.parametrize(
    ("operation", "path", "value"),
    [
        ({"op": "add", "path": "/a/b", "value": 5}, ("a", "b"), 5),
        ({"op": "add", "path": "/l/-", "value": 4}, ("l",), [1, {"x": 1}, 3, 4]),
        ({"op": "add", "path": "/l/0", "value": 0}, ("l",), [0, 1, {"x": 1}, 3]),
        ({"op": "add", "path": "/l/3", "value": 0}, ("l",), [1, {"x": 1}, 3, 0]),
        ({"op": "add", "path": "/l/1/x", "value": 0}, ("l",), [1, {"x": 0}, 3]),
        ({"op": "add", "path": "/a/g", "value": None}, ("a", "g"), None),
        ({"op": "remove", "path": "/a/c~1d"}, ("a",), {"b": 1, "e~f": 3}),
        ({"op": "remove", "path": "/a/e~0f"}, ("a",), {"b": 1, "c/d": 2}),
        ({"op": "remove", "path": "/l/0"}, ("l",), [{"x": 1}, 3]),
        ({"op": "replace", "path": "/l/2", "value": "z"}, ("l",), [1, {"x": 1}, "z"]),
        ({"op": "replace", "path": "/a", "value": []}, ("a",), []),
        ({"op": "move", "from": "/a/b", "path": "/l/0"}, ("l",), [1, 1, {"x": 1}, 3]),
        ({"op": "copy", "from": "/l/1", "path": "/a/b"}, ("a", "b"), {"x": 1}),
        ({"op": "test", "path": "/l/1", "value": {"x": 1}}, ("t",), True),
        ({"op": "test", "path": "/nope", "value": None}, ("t",), True),
    ],
)
def test_operations(operation: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    found: Any = run(operation)
    for step in path:
        found = found[step]
    assert found == value


def test_operations_follow_each_other_and_share_the_rest() -> None:
    result = run({"op": "add", "path": "/a/k", "value": {}}, {"op": "add", "path": "/a/k/m", "value": 1})
    assert result["a"]["k"] == {"m": 1}
    assert result["l"] is OBJ["l"]


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        ({"op": "remove", "path": "/a/x"}, "Unable to remove nonexistent key: x"),
        ({"op": "replace", "path": "/a/x", "value": 1}, "doc is missing key: /a/x"),
        ({"op": "add", "path": "/x/y", "value": 1}, 'doc is missing path: "/x/y"'),
        ({"op": "add", "path": "/l/9", "value": 1}, "invalid index: 9"),
        ({"op": "add", "path": "/l/01", "value": 1}, "invalid index: 01"),
        ({"op": "remove", "path": "/l/3"}, "invalid index: 3"),
        ({"op": "add", "path": "/t/x", "value": 1}, "doc is missing path"),
        ({"op": "test", "path": "/a/b", "value": 2}, "testing value /a/b failed: test failed"),
        ({"op": "test", "path": "/t", "value": 1}, "testing value /t failed"),
        ({"op": "move", "from": "/a", "path": "/a/b"}, "cannot move into itself"),
        ({"op": "frob", "path": "/a"}, "Unexpected kind: frob"),
        ({"op": "add", "path": "/a"}, "decode value"),
        ({"op": "add", "value": 1}, "decode path"),
        ({"op": "add", "path": "a", "value": 1}, "bad path"),
        ({"op": "replace", "path": "", "value": 3}, "no object"),
    ],
)
def test_failures_are_told_in_the_causes(operation: dict[str, Any], why: str) -> None:
    with pytest.raises(PatchFailed) as raised:
        run(operation)
    assert raised.value.code == 422
    assert raised.value.message == UNPROCESSABLE
    assert why in raised.value.why
    assert raised.value.details["causes"][0]["message"] == raised.value.why


def test_limits_and_form() -> None:
    with pytest.raises(PatchFailed) as raised:
        apply_json_patch({}, [{"op": "test", "path": "/a", "value": None}] * (MAX_OPERATIONS + 1))
    assert (raised.value.code, raised.value.reason) == (413, "RequestEntityTooLarge")
    bad: Any = {"op": "add"}
    with pytest.raises(PatchFailed) as raised:
        apply_json_patch({}, bad)
    assert raised.value.code == 400
