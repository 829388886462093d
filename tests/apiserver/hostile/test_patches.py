"""Patches that grow, that are no patches, and that nobody can apply."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.apiserver.hostile.conftest import DEEPS
from tests.apiserver.hostile.wire import CONFIG_MAPS, PODS, Reply, ask, refused
from tests.apiserver.rig import Rig
from tests.timing import least_awaited, process_seconds

JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
DEEP = {"apiVersion": "x.io/v1", "kind": "Deep", "metadata": {"name": "target"}, "spec": {}}

Operation = dict[str, Any]


async def patched(rig: Rig, operations: list[Operation], target: str = f"{DEEPS}/target") -> Reply:
    if target.startswith(DEEPS):
        await rig.http("POST", DEEPS, DEEP)
    return await ask(rig, "PATCH", target, json.dumps(operations).encode(), JSON_PATCH)


def add(path: str, value: Any) -> Operation:
    return {"op": "add", "path": path, "value": value}


def copy(source: str, path: str) -> Operation:
    return {"op": "copy", "from": source, "path": path}


async def test_copies_of_copies(rig: Rig) -> None:
    """Forty operations that would make a hundred terabytes."""
    bomb = [add("/spec/a", "x" * 1000), *[copy("/spec", f"/spec/c{n}") for n in range(40)]]
    reply = await patched(rig, bomb)
    refused(reply, 422, "Invalid", "the server rejected our request due to an error in our request")
    said = reply.json["details"]["causes"][0]["message"]
    assert said.startswith("Unable to complete the copy, the accumulated size increase of copy is ")
    assert said.endswith(", exceeding the limit 3145728")


async def test_many_copies_of_something_large(rig: Rig) -> None:
    bomb = [add("/spec/a", "x" * 500_000), *[copy("/spec/a", f"/spec/c{n}") for n in range(9000)]]
    refused(await patched(rig, bomb), 422, "Invalid")


async def test_copies_into_themselves_get_no_deeper_than_allowed(rig: Rig) -> None:
    nest = [add("/spec" + "/a" * depth, {}) for depth in range(1, 1500)]
    assert (await patched(rig, nest)).code == 422
    deeper = [copy("/spec", "/spec" + "/a" * 3), copy("/spec", "/spec/b")]
    assert (await patched(rig, [add("/spec/a", {"a": {}}), *deeper * 100])).code in (400, 422)
    reply = await patched(rig, [add("/spec" + "/a" * depth, {}) for depth in range(1, 199)])
    assert reply.code == 200
    reply = await patched(rig, [copy("/spec", "/spec" + "/a" * 100)])
    refused(reply, 400, "BadRequest", "exceeded max depth of 200")


async def test_too_many_operations(rig: Rig) -> None:
    said = "The allowed maximum operations in a JSON patch is 10000, got 10001"
    reply = await patched(rig, [{"op": "test", "path": "/kind", "value": "Deep"}] * 10_001)
    refused(reply, 413, "RequestEntityTooLarge", said)


@pytest.mark.parametrize(
    ("start", "operation"),
    [
        ({str(n): 1 for n in range(100_000)}, lambda n: add(f"/spec/l/x{n}", 1)),
        ([1] * 100_000, lambda n: add("/spec/l/-", 1)),
        ([1] * 100_000, lambda n: {"op": "replace", "path": f"/spec/l/{n}", "value": 2}),
    ],
)
async def test_many_operations_on_something_large_take_no_square(
    rig: Rig, start: Any, operation: Any
) -> None:
    async def patch() -> None:
        reply = await patched(rig, [add("/spec/l", start), *[operation(n) for n in range(9000)]])
        assert reply.code == 200

    taken = await least_awaited(lambda: process_seconds(patch), 5)
    assert taken < 5, "copying the whole for each operation takes a minute"


BROKEN_JSON_PATCHES: list[tuple[Any, int]] = [
    ({}, 400),
    (1, 400),
    (None, 400),
    ([1], 400),
    ([None], 400),
    ([[]], 400),
    ([{}], 422),
    ([{"op": 1, "path": "/a"}], 422),
    ([{"op": "add"}], 422),
    ([{"op": "add", "path": 1}], 422),
    ([{"op": "add", "path": "a", "value": 1}], 422),
    ([{"op": "add", "path": "/data"}], 422),
    ([{"op": "remove", "path": ""}], 422),
    ([{"op": "remove", "path": "/nosuch"}], 422),
    ([{"op": "test", "path": "/kind", "value": "Pod"}], 422),
    ([{"op": "move", "from": "/metadata", "path": "/metadata/a"}], 422),
    ([add("", 1)], 422),
    ([add("", {})], 400),
    ([add("/metadata", 1)], 400),
    ([add("/metadata/name", "other")], 400),
    ([add("/" + "a/" * 5000, 1)], 422),
    ([add("/metadata/finalizers", []), add("/metadata/finalizers/" + "9" * 5000, "x/y")], 422),
    ([copy("", "/data/a")], 422),
]


@pytest.mark.parametrize(("patch", "code"), BROKEN_JSON_PATCHES, ids=lambda it: str(it)[:40])
async def test_broken_json_patches(rig: Rig, patch: Any, code: int) -> None:
    reply = await ask(rig, "PATCH", f"{CONFIG_MAPS}/target", json.dumps(patch).encode(), JSON_PATCH)
    refused(reply, code, {400: "BadRequest", 422: "Invalid"}[code])


BROKEN_STRATEGIC: list[dict[str, Any]] = [
    {"$patch": "x"},
    {"$patch": 1},
    {"metadata": None},
    {"spec": 1},
    {"spec": {"containers": 1}},
    {"spec": {"containers": [1]}},
    {"spec": {"containers": [[]]}},
    {"spec": {"containers": [{}]}},
    {"spec": {"containers": [{"name": {}}]}},
    {"spec": {"containers": [{"$patch": "x", "name": "web"}]}},
    {"spec": {"$setElementOrder/containers": 1}},
    {"spec": {"$setElementOrder/containers": [], "containers": [{"name": "q"}]}},
    {"spec": {"$retainKeys": 1}},
    {"spec": {"$retainKeys": [], "hostname": "h"}},
    {"metadata": {"finalizers": [{}]}},
    {"metadata": {"finalizers": [[1]]}},
    {"metadata": {"labels": {"a": {}}}},
    {"metadata": {"ownerReferences": [{"uid": {}}]}},
    {"status": 1},
    {"kind": "Service"},
]


@pytest.mark.parametrize("patch", BROKEN_STRATEGIC, ids=lambda it: str(it)[:50])
async def test_broken_strategic_patches(rig: Rig, patch: dict[str, Any]) -> None:
    data = json.dumps(patch).encode()
    for target in (f"{PODS}/target", f"{PODS}/target/status"):
        reply = await ask(rig, "PATCH", f"{target}?dryRun=All", data, STRATEGIC)
        if target.endswith("status") and reply.code == 200:
            continue  # a patch of status may say what it likes about the rest; it is put back
        assert reply.code in (400, 422), reply.body[:300]
        refused(reply, reply.code, {400: "BadRequest", 422: "Invalid"}[reply.code])
        assert (await ask(rig, "PATCH", f"{target}?dryRun=All", data, MERGE)).code in (200, 400, 422)


NONSENSE_OWNERS: list[Any] = [
    1,
    [1],
    [{"manager": 1}],
    [{"manager": "x", "operation": "Update", "apiVersion": "v1", "fieldsV1": {"f:a": 1}}],
    [{"manager": "x", "operation": "Update", "apiVersion": "v1", "time": "z", "fieldsV1": {"f:data": {}}}],
    [{"manager": "x", "operation": "Update", "apiVersion": 5, "fieldsV1": {"f:data": {}}}],
    [{"manager": "x", "operation": "Steal", "apiVersion": "v1", "fieldsV1": {"f:data": {}}}],
    [{"manager": "x", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"k:{bad": {}}}],
    [{"manager": "x", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"": {}}}],
]


@pytest.mark.parametrize("owners", NONSENSE_OWNERS, ids=lambda it: str(it)[:60])
async def test_nonsense_about_owners(rig: Rig, owners: Any) -> None:
    """Apply refuses managedFields; elsewhere they are refused by type or else passed over."""
    meta = {"name": "target", "managedFields": owners}
    whole = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "9"}}
    applied = await ask(
        rig, "PATCH", f"{CONFIG_MAPS}/target?fieldManager=m", json.dumps(whole).encode(), APPLY
    )
    refused(applied, 400, "BadRequest", "metadata.managedFields must be nil")
    for method, kind in (("PUT", "application/json"), ("PATCH", MERGE), ("PATCH", STRATEGIC)):
        reply = await ask(rig, method, f"{CONFIG_MAPS}/target", json.dumps(whole).encode(), kind)
        assert reply.code in (200, 400, 422), reply.body[:300]
    after = await ask(
        rig,
        "PATCH",
        f"{CONFIG_MAPS}/target?fieldManager=m&force=true",
        json.dumps({**whole, "metadata": {}}).encode(),
        APPLY,
    )
    assert after.code == 200, "whatever is recorded, the next apply goes through"


@pytest.mark.parametrize(
    ("query", "body", "code", "said"),
    [
        ("", b"{}", 422, "is required for apply patch"),
        ("?fieldManager=m", b"a: [", 400, "error converting YAML to JSON"),
        ("?fieldManager=m", b"[]", 400, "an object is required"),
        ("?fieldManager=m", b"{}", 400, ""),
        ("?fieldManager=m", b'{"apiVersion":"v1","kind":"Pod"}', 400, "expected a ConfigMap"),
        ("?fieldManager=m", b'{"apiVersion":"v1","kind":"ConfigMap","metadata":1}', 400, "must be an object"),
    ],
)
async def test_broken_applies(rig: Rig, query: str, body: bytes, code: int, said: str) -> None:
    reply = await ask(rig, "PATCH", f"{CONFIG_MAPS}/target{query}", body, APPLY)
    refused(reply, code, {400: "BadRequest", 422: "Invalid"}[code], said)


async def test_an_apply_of_wrong_types(rig: Rig) -> None:
    """Upstream answers this with a 500 without a reason, which kubectl shows as it is."""
    body = b'{"apiVersion":"v1","kind":"ConfigMap","data":{"a":{}}}'
    reply = await ask(rig, "PATCH", f"{CONFIG_MAPS}/target?fieldManager=m", body, APPLY)
    refused(reply, 500, None, "failed to create typed patch object")
