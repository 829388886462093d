"""GET, LIST, WATCH: selectors, pages, versions, bookmarks, tables, slow watchers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.apiserver.rig import ALICE, Rig, config_map, running
from tests.conftest import eventually
from tests.timing import PATIENCE_S
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.client.transport import WatchEvent
from wherry.kit.clock import FakeClock, settle
from wherry.objects.errors import ApiError

MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
PARTIAL = {"Accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}


async def fill(rig: Rig, *names: str) -> None:
    for name in names:
        sent = config_map(name, x="1")
        sent["metadata"]["labels"] = {"name": name}
        await rig.admin.create(CONFIG_MAPS, sent)


def names_of(body: Any) -> list[str]:
    return [item["metadata"]["name"] for item in body["items"]]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["a", "b", "c"]),
        ("labelSelector=name%3Da", ["a"]),
        ("labelSelector=name+in+(a,c)", ["a", "c"]),
        ("labelSelector=name!%3Da", ["b", "c"]),
        ("fieldSelector=metadata.name%3Db", ["b"]),
        ("fieldSelector=metadata.name!%3Db", ["a", "c"]),
        ("labelSelector=none", []),
        ("resourceVersion=0", ["a", "b", "c"]),
    ],
)
async def test_selectors(rig: Rig, query: str, names: list[str]) -> None:
    await fill(rig, "a", "b", "c")
    status, body, _ = await rig.http("GET", f"{MAPS}?{query}")
    assert (status, names_of(body)) == (200, names)
    assert body["kind"] == "ConfigMapList"


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("fieldSelector=data.x%3D1", 400, '"data.x" is not a known field selector'),
        ("labelSelector=a+in", 400, "unable to parse requirement"),
        ("resourceVersion=999999", 504, "Timeout: Too large resource version: 999999"),
        ("resourceVersion=x", 400, "invalid resource version"),
        ("limit=x", 400, "invalid syntax"),
        ("continue=x", 400, "invalid continue token: continue key is not valid"),
        (
            "resourceVersionMatch=Exact",
            422,
            "resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
    ],
)
async def test_refused_lists(rig: Rig, query: str, code: int, message: str) -> None:
    status, body, _ = await rig.http("GET", f"{MAPS}?{query}")
    assert status == code
    assert message in body["message"]


async def test_pages_show_the_moment_of_the_first(rig: Rig) -> None:
    await fill(rig, "a", "b", "c", "d", "e")
    _, first, _ = await rig.http("GET", f"{MAPS}?limit=2")
    assert names_of(first) == ["a", "b"]
    assert first["metadata"]["remainingItemCount"] == 3
    await rig.admin.delete(CONFIG_MAPS, "d", "default")
    await fill(rig, "bb")
    token = first["metadata"]["continue"]
    _, second, _ = await rig.http("GET", f"{MAPS}?limit=2&continue={token}")
    assert names_of(second) == ["c", "d"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    _, third, _ = await rig.http("GET", f"{MAPS}?limit=2&continue={second['metadata']['continue']}")
    assert names_of(third) == ["e"]
    assert "continue" not in third["metadata"]


async def test_pages_are_gone_once_compacted(rig: Rig) -> None:
    await fill(rig, "a", "b", "c")
    _, first, _ = await rig.http("GET", f"{MAPS}?limit=1")
    await fill(rig, "d")
    await rig.store.compact(rig.store.revision)
    status, body, _ = await rig.http("GET", f"{MAPS}?limit=1&continue={first['metadata']['continue']}")
    assert (status, body["reason"]) == (410, "Expired")
    inconsistent = body["metadata"]["continue"]
    status, body, _ = await rig.http("GET", f"{MAPS}?continue={inconsistent}")
    assert (status, names_of(body)) == (200, ["b", "c", "d"])


async def test_tables_and_metadata(rig: Rig) -> None:
    await fill(rig, "a")
    _, table, _ = await rig.http("GET", MAPS, headers=TABLE)
    assert table["kind"] == "Table"
    assert table["rows"][0]["cells"][:2] == ["a", 1]
    _, partial, _ = await rig.http("GET", MAPS, headers=PARTIAL)
    assert partial["kind"] == "PartialObjectMetadataList"
    assert "data" not in partial["items"][0]


class Watcher:
    """Collects the events of a local watch."""

    def __init__(self, rig: Rig, **query: str) -> None:
        self.events: list[WatchEvent] = []
        self._arrived = asyncio.Event()
        transport = rig.server.local_transport(rig.server.core.config.tokens["admin-token"])
        self._stream = transport.watch(MAPS, query)
        self._task = asyncio.ensure_future(self._collect())

    async def _collect(self) -> None:
        async for event in self._stream:
            self.events.append(event)
            self._arrived.set()
        self._arrived.set()

    async def seen(self, count: int) -> list[tuple[str, str]]:
        """The first `count` events as (type, name)."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.events) < count and not self._task.done():
                self._arrived.clear()
                await self._arrived.wait()
        return [(event.type, event.object.get("metadata", {}).get("name", "")) for event in self.events]

    async def ended(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self._task

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


async def test_a_watch_begins_with_the_state_and_goes_on(rig: Rig) -> None:
    await fill(rig, "a")
    watcher = Watcher(rig)
    assert await watcher.seen(1) == [("ADDED", "a")]
    await rig.admin.patch(CONFIG_MAPS, "a", "default", {"data": {"x": "2"}})
    await rig.admin.delete(CONFIG_MAPS, "a", "default")
    assert await watcher.seen(3) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    await watcher.close()


async def test_a_watch_from_a_version_replays_what_came_after(rig: Rig) -> None:
    await fill(rig, "a")
    version = str(rig.store.revision)
    await fill(rig, "b")
    watcher = Watcher(rig, resourceVersion=version)
    assert await watcher.seen(1) == [("ADDED", "b")]
    await watcher.close()


async def test_a_watch_with_a_selector_sees_objects_come_and_go(rig: Rig) -> None:
    await fill(rig, "a")
    watcher = Watcher(rig, labelSelector="on=yes")
    await settle()
    for label in ("yes", "no"):
        await rig.admin.patch(CONFIG_MAPS, "a", "default", {"metadata": {"labels": {"on": label}}})
    assert await watcher.seen(2) == [("ADDED", "a"), ("DELETED", "a")]
    await watcher.close()


async def test_a_watch_from_a_forgotten_version_gets_410(rig: Rig) -> None:
    await rig.admin.list(CONFIG_MAPS)  # opens the cacher now, so that version 1 is before its time
    await rig.store.compact(rig.store.revision)
    watcher = Watcher(rig, resourceVersion="1")
    await watcher.ended()
    (event,) = watcher.events
    assert event.type == "ERROR"
    assert (event.object["code"], event.object["reason"]) == (410, "Expired")
    assert event.object["message"].startswith("too old resource version: 1 (")


async def test_initial_events_end_with_a_bookmark(rig: Rig) -> None:
    await fill(rig, "a")
    watcher = Watcher(
        rig, sendInitialEvents="true", allowWatchBookmarks="true", resourceVersionMatch="NotOlderThan"
    )
    assert await watcher.seen(2) == [("ADDED", "a"), ("BOOKMARK", "")]
    assert watcher.events[1].object["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    await watcher.close()


async def test_bookmarks_come_every_minute_and_before_the_end() -> None:
    clock = FakeClock()
    query = "watch=1&resourceVersion=0&allowWatchBookmarks=true&timeoutSeconds=100"
    async with running(clock) as rig:
        headers = {"Authorization": "Bearer admin-token"}
        async with rig.session.get(f"{rig.server.url}{MAPS}?{query}", headers=headers) as answer:
            for seconds in (61, 38):
                await clock.advance(seconds)
                line = await asyncio.wait_for(answer.content.readline(), PATIENCE_S)
                assert json.loads(line)["type"] == "BOOKMARK"
            await clock.advance(2)
            assert await asyncio.wait_for(answer.content.readline(), PATIENCE_S) == b""


async def test_in_the_servers_own_process_one_bookmark_before_the_end_is_enough() -> None:
    clock = FakeClock()
    async with running(clock) as rig:
        watcher = Watcher(rig, resourceVersion="0", allowWatchBookmarks="true", timeoutSeconds="1000")
        await settle()
        await clock.advance(997)
        assert watcher.events == []
        await clock.advance(2)
        assert await watcher.seen(1) == [("BOOKMARK", "")]
        await clock.advance(2)
        await watcher.ended()
        assert len(watcher.events) == 1


async def test_watches_over_http_and_as_tables(rig: Rig) -> None:
    await fill(rig, "a")
    url = f"{rig.server.url}{MAPS}?watch=1&timeoutSeconds=1"
    headers = {"Authorization": "Bearer admin-token"}
    async with rig.session.get(url, headers=headers) as plain:
        line = json.loads(await plain.content.readline())
        assert (line["type"], line["object"]["metadata"]["name"]) == ("ADDED", "a")
    async with rig.session.get(url, headers=headers | TABLE) as tables:
        line = json.loads(await tables.content.readline())
        assert line["object"]["kind"] == "Table"
        assert line["object"]["columnDefinitions"]
        await fill(rig, "b")
        line = json.loads(await tables.content.readline())
        assert line["object"]["rows"][0]["cells"][0] == "b"
        assert not line["object"]["columnDefinitions"]


@pytest.mark.parametrize("timeout_s", ["-5", "-9223372036854775808"])
async def test_a_watch_that_lasts_less_than_no_time_is_over_as_it_begins(rig: Rig, timeout_s: str) -> None:
    await fill(rig, "a")
    async with asyncio.timeout(PATIENCE_S):
        for query in ("", "&resourceVersion=1", "&allowWatchBookmarks=1"):
            status, text, _ = await rig.http("GET", f"{MAPS}?watch=1&timeoutSeconds={timeout_s}{query}")
            assert (status, text or "") == (200, "")


async def test_a_watch_of_zero_seconds_lasts_as_long_as_any(rig: Rig) -> None:
    await fill(rig, "a")
    url = f"{rig.server.url}{MAPS}?watch=1&timeoutSeconds=0"
    async with rig.session.get(url, headers={"Authorization": "Bearer admin-token"}) as watch:
        for name in ("a", "b"):
            assert json.loads(await watch.content.readline())["object"]["metadata"]["name"] == name
            if name == "a":
                await fill(rig, "b")


async def test_a_watcher_that_does_not_read_is_cut_off() -> None:
    async with running(watch_buffer_bytes=64 * 1024) as rig:
        await fill(rig, "a")
        url = f"{rig.server.url}{MAPS}?watch=1"
        async with rig.session.get(url, headers={"Authorization": "Bearer admin-token"}):
            watcher = Watcher(rig, resourceVersion=str(rig.store.revision))
            for number in range(60):
                await rig.admin.patch(CONFIG_MAPS, "a", "default", {"data": {"x": str(number) * 100_000}})
            assert len(await watcher.seen(60)) == 60, "others go on"
            await eventually(lambda: rig.server.metrics.long_running == {})
            await watcher.close()


async def test_closing_the_server_ends_watches() -> None:
    async with running() as rig:
        watcher = Watcher(rig, resourceVersion="0")
        await settle()
    await watcher.ended()


async def test_a_watch_is_authorized(rig: Rig) -> None:
    with pytest.raises(ApiError, match='User "alice" cannot watch resource "configmaps"'):
        async for _ in rig.server.local_transport(ALICE).watch(MAPS, {}):
            pass


async def test_head_and_unknown_methods(rig: Rig) -> None:
    await fill(rig, "a")
    async with rig.session.head(
        f"{rig.server.url}{MAPS}/a", headers={"Authorization": "Bearer admin-token"}
    ) as response:
        assert response.status == 200
        assert await response.read() == b""
    status, _, _ = await rig.http("OPTIONS", f"{MAPS}/a")
    assert status == 405


async def test_one_server_does_not_know_the_other() -> None:
    async with running() as one, running() as other:
        await fill(one, "a")
        assert (await one.http("GET", f"{MAPS}/a"))[0] == 200
        assert (await other.http("GET", f"{MAPS}/a"))[0] == 404
