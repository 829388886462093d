"""Patches against slow, obvious models of what they mean, on whatever hypothesis thinks of."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.objects.shapes import SCALAR, FakeShape, map_list, set_list, struct
from wherry.objects.patches.failure import PatchFailed
from wherry.objects.patches.json_patch import apply_json_patch, same_json
from wherry.objects.patches.merge_patch import apply_merge_patch
from wherry.objects.patches.strategic import apply_strategic_patch

Value = Any

NAMES = st.sampled_from(["a", "b", "c", "~", "/", "0", ""])
SCALARS = st.none() | st.booleans() | st.integers(-1, 2) | st.sampled_from(["", "x", "y"])
VALUES: st.SearchStrategy[Value] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)


def escaped(tokens: Sequence[str]) -> str:
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in tokens)


PATHS = st.lists(NAMES | st.sampled_from(["1", "2", "-", "01", "9" * 20]), max_size=3).map(escaped)
OPERATIONS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]), "path": PATHS},
    optional={"value": VALUES, "from": PATHS},
)


class Refused(Exception):
    """The model cannot carry out an operation."""


def place(document: Value, path: str) -> tuple[Value, str]:
    """The container a path ends in, and the last token."""
    *way, last = [token.replace("~1", "/").replace("~0", "~") for token in path.split("/")[1:]]
    node = document
    for token in way:
        node = inside(node, token)
    return node, last


def inside(node: Value, token: str) -> Value:
    if isinstance(node, dict) and token in node:
        return node[token]
    if isinstance(node, list) and token in [str(index) for index in range(len(node))]:
        return node[int(token)]
    raise Refused


def look_up(document: Value, path: str) -> Value:
    if not path:
        return document
    return inside(*place(document, path))


def put(document: Value, path: str, value: Value) -> Value:
    """RFC 6902's add."""
    if not path:
        return value
    node, last = place(document, path)
    if isinstance(node, dict):
        node[last] = value
    elif isinstance(node, list) and last in [*map(str, range(len(node) + 1)), "-"]:
        node.insert(len(node) if last == "-" else int(last), value)
    else:
        raise Refused
    return document


def take_out(document: Value, path: str) -> Value:
    if not path:
        raise Refused
    inside(*place(document, path))
    node, last = place(document, path)
    del node[last if isinstance(node, dict) else int(last)]
    return document


def modelled(document: Value, operation: dict[str, Any]) -> Value:
    """One operation on a document nobody else holds."""
    kind, path = operation["op"], operation["path"]
    if kind == "test":
        found: Value = None
        try:
            found = look_up(document, path)
        except Refused:
            if operation.get("value") is not None:
                raise
        if not same_json(found, operation.get("value")):
            raise Refused
        return document
    if kind in ("add", "replace"):
        if "value" not in operation:
            raise Refused
        value = copy.deepcopy(operation["value"])
        if kind == "add" or not path:
            return put(document, path, value)
        inside(*place(document, path))
        node, last = place(document, path)
        node[last if isinstance(node, dict) else int(last)] = value
        return document
    if kind == "remove":
        return take_out(document, path)
    if "from" not in operation:
        raise Refused
    source = operation["from"]
    moved = copy.deepcopy(look_up(document, source))
    if kind == "move":
        if path.startswith(source + "/"):
            raise Refused
        document = take_out(document, source)
    return put(document, path, moved)


@given(OBJECTS, st.lists(OPERATIONS, max_size=6))
def test_json_patches(obj: dict[str, Any], operations: list[dict[str, Any]]) -> None:
    before, sent = json.dumps(obj), json.dumps(operations)
    wanted: Value = copy.deepcopy(obj)
    try:
        for operation in operations:
            wanted = modelled(wanted, operation)
        if not isinstance(wanted, dict):
            raise Refused
    except Refused:
        wanted = Refused
    try:
        got: Value = apply_json_patch(obj, operations)
    except PatchFailed:
        got = Refused
    assert same_json(got, wanted) if wanted is not Refused else got is Refused
    assert (json.dumps(obj), json.dumps(operations)) == (before, sent), "what came in is left alone"


def rfc_7386(target: Value, patch: Value) -> Value:
    """The RFC's own definition, word by word."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = rfc_7386(result.get(name), value)
    return result


@given(OBJECTS, OBJECTS)
def test_merge_patches(obj: dict[str, Any], patch: dict[str, Any]) -> None:
    before = json.dumps([obj, patch])
    assert same_json(apply_merge_patch(obj, patch), rfc_7386(obj, patch))
    assert json.dumps([obj, patch]) == before


POD = struct(
    labels=FakeShape("map", element=SCALAR),
    tags=set_list(),
    plain=FakeShape("list", "atomic", element=SCALAR),
    parts=map_list(struct(name=SCALAR, x=SCALAR, y=SCALAR), "name"),
    whole=struct(("replace",), x=SCALAR, y=SCALAR),
)
KEYS = st.sampled_from(["k", "l", "m", "n"])
NUMBERS = st.integers(0, 3)
LABELS = st.dictionaries(KEYS, NUMBERS, max_size=3)
TAGS = st.lists(KEYS, max_size=4, unique=True)
PARTS = st.lists(
    st.fixed_dictionaries({"name": KEYS}, optional={"x": NUMBERS, "y": NUMBERS}),
    max_size=4,
    unique_by=lambda part: str(part["name"]),
)
LIVE = st.fixed_dictionaries(
    {},
    optional={
        "labels": LABELS,
        "tags": TAGS,
        "plain": st.lists(NUMBERS, max_size=3),
        "parts": PARTS,
        "whole": LABELS,
    },
)
OR_NULL = st.none() | NUMBERS
SENT_PARTS = st.lists(
    st.fixed_dictionaries(
        {"name": KEYS}, optional={"x": OR_NULL, "y": OR_NULL, "$patch": st.sampled_from(["delete", "merge"])}
    ),
    max_size=4,
    unique_by=lambda part: str(part["name"]),
)
SENT_LABELS = st.dictionaries(KEYS, OR_NULL, max_size=3)
PATCHES = st.fixed_dictionaries(
    {},
    optional={
        "labels": SENT_LABELS | st.none() | SENT_LABELS.map(lambda it: {**it, "$patch": "replace"}),
        "tags": TAGS,
        "$deleteFromPrimitiveList/tags": TAGS,
        "plain": st.lists(NUMBERS, max_size=3),
        "parts": SENT_PARTS | SENT_PARTS.map(lambda it: [*it, {"$patch": "replace"}]),
        "whole": LABELS,
    },
)


def merged_labels(old: dict[str, Any], sent: dict[str, Any] | None) -> dict[str, Any] | None:
    if sent is None:
        return None
    start = {} if sent.get("$patch") == "replace" else old
    told = {key: value for key, value in sent.items() if key != "$patch"}
    return {key: value for key, value in {**start, **told}.items() if value is not None}


def merged_parts(old: list[dict[str, Any]], sent: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What each name stands for at the end, order aside."""
    replaces = any(item.get("$patch") == "replace" for item in sent)
    result = {} if replaces else {item["name"]: item for item in old}
    for item in sent:
        if item.get("$patch") == "delete":
            result.pop(item["name"], None)
    for item in sent:
        if item.get("$patch") in (None, "merge"):
            told = {key: value for key, value in item.items() if key != "$patch"}
            both = {**result.get(item["name"], {}), **told}
            result[item["name"]] = {key: value for key, value in both.items() if value is not None}
    return result


def relative(order: Sequence[Any], among: Sequence[Any]) -> list[Any]:
    return [item for item in order if item in among]


@given(LIVE, PATCHES)
def test_strategic_patches(live: dict[str, Any], patch: dict[str, Any]) -> None:
    before = json.dumps([live, patch])
    got = apply_strategic_patch(live, patch, POD)
    assert json.dumps([live, patch]) == before

    if "labels" in patch and ("labels" in live or patch["labels"] is None):
        assert got.get("labels") == merged_labels(live.get("labels", {}), patch["labels"])
    if "plain" in patch:
        assert got["plain"] == patch["plain"], "an atomic list is replaced"
    if "whole" in patch:
        assert got["whole"] == patch["whole"], "so is a map with that strategy"
    if "parts" in patch and "parts" in live:
        names = [item["name"] for item in got["parts"]]
        assert {item["name"]: item for item in got["parts"]} == merged_parts(live["parts"], patch["parts"])
        sent = [item["name"] for item in patch["parts"] if item.get("$patch", "merge") == "merge"]
        assert relative(names, sent) == relative(sent, names), "what the patch names has its order"
        others = [item["name"] for item in live["parts"] if item["name"] not in sent]
        assert relative(names, others) == relative(others, names), "the others have the server's"
    gone = patch.get("$deleteFromPrimitiveList/tags", [])
    if "tags" in live or "tags" in patch:
        all_tags = {*live.get("tags", []), *patch.get("tags", [])} - set(gone)
        assert sorted(got["tags"]) == sorted(all_tags)
    for field in live.keys() - {key.partition("/")[2] or key for key in patch}:
        assert got[field] is live[field], "what the patch does not speak of is shared"


@given(PARTS, st.permutations(["k", "l", "m", "n"]))
def test_an_order_is_followed(parts: list[dict[str, Any]], order: list[str]) -> None:
    patch = {"$setElementOrder/parts": [{"name": name} for name in order], "parts": []}
    got = apply_strategic_patch({"parts": parts}, patch, POD)
    assert [item["name"] for item in got["parts"]] == relative(order, [item["name"] for item in parts])


@given(LABELS, LABELS, st.lists(KEYS, unique=True))
def test_keys_that_are_retained(old: dict[str, Any], sent: dict[str, Any], keep: list[str]) -> None:
    patch = {"labels": {**sent, "$retainKeys": keep}}
    if not set(sent) <= set(keep):
        try:
            apply_strategic_patch({"labels": old}, patch, POD)
        except PatchFailed:
            return
        raise AssertionError("a key is sent that is not retained")
    got = apply_strategic_patch({"labels": old}, patch, POD)["labels"]
    assert got == {key: value for key, value in {**old, **sent}.items() if key in keep}


ANYTHING: st.SearchStrategy[Value] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("labels", "tags", "plain", "parts", "whole", "name", "$patch", "$retainKeys"),
                    *("$setElementOrder/parts", "$setElementOrder/tags", "$deleteFromPrimitiveList/tags"),
                    *("$setElementOrder/", "$deleteFromPrimitiveList/"),
                ]
            ),
            inner | st.sampled_from(["delete", "replace", "merge"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["labels", "tags", "parts", "whole"]), ANYTHING), ANYTHING)
def test_whatever_is_sent_is_applied_or_refused(live: dict[str, Any], patch: Value) -> None:
    """No nonsense raises anything but PatchFailed."""
    try:
        got = apply_strategic_patch(live, patch, POD)
    except PatchFailed:
        return
    assert isinstance(got, dict)
