"""WATCH over HTTP: where it begins, how it ends, bookmarks, selectors, all the ways to ask for it."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from tests.apiserver.conformance.asking import MAPS, refusal
from tests.apiserver.rig import Rig, config_map
from tests.conftest import eventually

INVALID = 'ListOptions.meta.k8s.io "" is invalid: '
VIA_PATH = MAPS.replace("/v1/", "/v1/watch/")


async def events(rig: Rig, path: str) -> list[tuple[str, str]]:
    """Type and name of all a watch tells until it ends (ask for timeoutSeconds)."""
    return [(e["type"], e["object"]["metadata"].get("name", "")) for e in await raw_events(rig, path)]


async def raw_events(rig: Rig, path: str) -> list[Any]:
    headers = {"Authorization": "Bearer admin-token"}
    async with rig.session.get(rig.server.url + path, headers=headers) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "application/json"
        return [json.loads(line) async for line in response.content]


@pytest.fixture
def rig(hurried_rig: Rig) -> Rig:
    """A server whose watches end soon after they were asked to."""
    return hurried_rig


@pytest.fixture
async def history(rig: Rig) -> dict[str, str]:
    """Two objects, the second changed: the versions in between."""
    _, first, _ = await rig.http("POST", MAPS, config_map("a"))
    _, second, _ = await rig.http("POST", MAPS, config_map("b"))
    await rig.http("PUT", f"{MAPS}/b", config_map("b", x="1"))
    return {"a": first["metadata"]["resourceVersion"], "b": second["metadata"]["resourceVersion"]}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("watch=true", [("ADDED", "a"), ("ADDED", "b")]),
        ("watch=1", [("ADDED", "a"), ("ADDED", "b")]),
        ("watch", [("ADDED", "a"), ("ADDED", "b")]),
        ("watch=true&resourceVersion=0", [("ADDED", "a"), ("ADDED", "b")]),
        ("watch=true&resourceVersion={a}", [("ADDED", "b"), ("MODIFIED", "b")]),
        ("watch=true&resourceVersion={b}", [("MODIFIED", "b")]),
        ("watch=true&resourceVersion={b}&fieldSelector=metadata.name%3Da", []),
        ("watch=true&resourceVersion=999999999", []),
        ("watch=true&sendInitialEvents=false&resourceVersionMatch=NotOlderThan", []),
        (
            "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
            [("ADDED", "a"), ("ADDED", "b"), ("BOOKMARK", "")],
        ),
        (
            "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
            [("ADDED", "a"), ("ADDED", "b")],
        ),
    ],
)
async def test_beginnings(
    rig: Rig, history: dict[str, str], query: str, expected: list[tuple[str, str]]
) -> None:
    path = f"{MAPS}?{query.format(**history)}&timeoutSeconds=1"
    found = await events(rig, path)
    assert found[: len(expected)] == expected
    assert all(kind == "BOOKMARK" for kind, _ in found[len(expected) :])


async def test_one_object_and_the_old_paths(rig: Rig, history: dict[str, str]) -> None:
    by_field = f"{MAPS}?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Db"
    assert await events(rig, by_field) == [("ADDED", "b")]
    assert await events(rig, f"{VIA_PATH}?timeoutSeconds=1") == [("ADDED", "a"), ("ADDED", "b")]
    assert await events(rig, f"{VIA_PATH}/a?timeoutSeconds=1") == [("ADDED", "a")]
    everywhere = "/api/v1/watch/configmaps?timeoutSeconds=1&fieldSelector=metadata.name%3Da"
    assert await events(rig, everywhere) == [("ADDED", "a")]


async def test_watch_false_is_a_list(rig: Rig, history: dict[str, str]) -> None:
    for query in ("watch=false", "watch=0", "watch=False"):
        _, answer, _ = await rig.http("GET", f"{MAPS}?{query}")
        assert answer["kind"] == "ConfigMapList"


async def test_a_named_object_is_got_even_with_watch(rig: Rig, history: dict[str, str]) -> None:
    _, answer, _ = await rig.http("GET", f"{MAPS}/a?watch=true")
    assert (answer["kind"], answer["metadata"]["name"]) == ("ConfigMap", "a")


async def test_the_bookmark_that_ends_the_beginning(rig: Rig, history: dict[str, str]) -> None:
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    found = await raw_events(rig, f"{MAPS}?{query}&timeoutSeconds=1")
    bookmark = next(event["object"] for event in found if event["type"] == "BOOKMARK")
    assert (bookmark["kind"], bookmark["apiVersion"]) == ("ConfigMap", "v1")
    assert bookmark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert int(bookmark["metadata"]["resourceVersion"]) == rig.store.revision


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        (
            "sendInitialEvents=true",
            (
                "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to "
                "NotOlderThan"
            ),
        ),
        (
            "resourceVersionMatch=NotOlderThan",
            (
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless "
                "sendInitialEvents is provided"
            ),
        ),
        (
            "resourceVersionMatch=Exact&sendInitialEvents=true",
            (
                "[resourceVersionMatch: Forbidden: sendInitialEvents requires setting "
                "resourceVersionMatch to "
                'NotOlderThan, resourceVersionMatch: Unsupported value: "Exact": supported '
                'values: "NotOlderThan"]'
            ),
        ),
        (
            "resourceVersionMatch=NotOlderThan&sendInitialEvents=true&continue=x",
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided",
        ),
    ],
)
async def test_refused_watches(rig: Rig, query: str, complaint: str) -> None:
    assert await refusal(rig, "GET", f"{MAPS}?watch=true&{query}") == (422, "Invalid", INVALID + complaint)


async def test_a_watch_list_from_the_future_waits_in_vain(rig: Rig) -> None:
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=999999"
    code, reason, message = await refusal(rig, "GET", f"{MAPS}?{query}")
    assert (code, reason) == (504, "Timeout")
    assert message.startswith("Timeout: Too large resource version: 999999, current: ")


async def test_versions_that_are_no_numbers(rig: Rig) -> None:
    code, reason, message = await refusal(rig, "GET", f"{MAPS}?watch=1&resourceVersion=x")
    assert (code, reason) == (400, "BadRequest")
    assert 'Invalid value: "x"' in message


async def test_bookmarks_only_when_allowed(rig: Rig, history: dict[str, str]) -> None:
    path = f"{MAPS}?watch=1&timeoutSeconds=1&resourceVersion={history['b']}"
    assert ("BOOKMARK", "") not in await events(rig, path)
    (bookmark,) = [
        event["object"]
        for event in await raw_events(rig, f"{path}&allowWatchBookmarks=true")
        if event["type"] == "BOOKMARK"
    ]
    assert "annotations" not in bookmark["metadata"]


async def test_an_old_version_is_an_event_not_an_answer(rig: Rig) -> None:
    await rig.http("POST", MAPS, config_map("a"))
    await rig.store.compact(rig.store.revision)  # what the store still knows would be served
    (event,) = await raw_events(rig, f"{MAPS}?watch=1&resourceVersion=1&timeoutSeconds=1")
    status = event["object"]
    assert event["type"] == "ERROR"
    assert (status["kind"], status["code"], status["reason"]) == ("Status", 410, "Expired")
    assert status["message"].startswith("too old resource version: 1 (")


async def test_objects_come_and_go_with_their_labels(rig: Rig) -> None:
    made = config_map("a")
    made["metadata"]["labels"] = {"on": "yes"}
    _, first, _ = await rig.http("POST", MAPS, made)
    version = first["metadata"]["resourceVersion"]
    made["metadata"]["labels"] = {"on": "no"}
    _, gone, _ = await rig.http("PUT", f"{MAPS}/a", made)
    made["metadata"]["labels"] = {"on": "yes", "x": "y"}
    await rig.http("PUT", f"{MAPS}/a", made)
    await rig.http("DELETE", f"{MAPS}/a")
    query = f"watch=1&timeoutSeconds=1&resourceVersion={version}&labelSelector=on%3Dyes"
    found = await raw_events(rig, f"{MAPS}?{query}")
    assert [event["type"] for event in found] == ["DELETED", "ADDED", "DELETED"]
    meta = found[0]["object"]["metadata"]
    assert meta["labels"] == {"on": "yes"}
    assert meta["resourceVersion"] == gone["metadata"]["resourceVersion"]


async def test_over_a_websocket(rig: Rig) -> None:
    await rig.http("POST", MAPS, config_map("a"))
    headers = {"Authorization": "Bearer admin-token"}
    url = f"{rig.server.url}{MAPS}?watch=1"
    async with rig.session.ws_connect(url, headers=headers) as socket:
        first = json.loads(await socket.receive_str(timeout=60))
        await rig.http("POST", MAPS, config_map("b"))
        await rig.http("DELETE", f"{MAPS}/a")
        second = json.loads(await socket.receive_str(timeout=60))
        third = json.loads(await socket.receive_str(timeout=60))
    found = [(event["type"], event["object"]["metadata"]["name"]) for event in (first, second, third)]
    assert found == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a")]
    await eventually(lambda: rig.server.metrics.long_running == {})


async def test_a_websocket_closes_when_the_watch_is_over(rig: Rig) -> None:
    headers = {"Authorization": "Bearer admin-token"}
    url = f"{rig.server.url}{MAPS}?watch=1&timeoutSeconds=1"
    async with rig.session.ws_connect(url, headers=headers) as socket:
        message = await socket.receive(timeout=60)
        assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
