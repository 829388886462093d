"""The list-watch cache: what it knows, what it tells, and what it does when watches break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from random import Random

import pytest

from tests.client.fake_transport import FakeTransport
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.client.informer import Shelf
from wherry.client.transport import WatchEvent
from wherry.kit.clock import FakeClock, settle
from wherry.objects.errors import ApiError, service_unavailable
from wherry.objects.meta import Object, name_of


def pod(name: str, **meta: object) -> Object:
    return {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "namespace": "default", **meta}}


@pytest.fixture
def server() -> FakeTransport:
    return FakeTransport()


@pytest.fixture
def client(server: FakeTransport) -> Client:
    return Client(server)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def cache(client: Client, clock: FakeClock) -> AsyncIterator[Cache]:
    cache = Cache(client, clock, random=Random(0))
    yield cache
    await cache.close()


class Seen:
    """A handler that writes down what it was told."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def __call__(self, old: Object | None, new: Object | None) -> None:
        sign = "+" if old is None else "-" if new is None else "~"
        self.events.append(sign + name_of(new or old or {}))


async def test_lists_then_follows(cache: Cache, client: Client) -> None:
    seen = Seen()
    cache.on(PODS, seen)
    await client.create(PODS, pod("a"))
    await cache.start()
    assert cache.synced(PODS)
    stored = cache.get(PODS, "default/a")
    assert stored is not None
    assert stored["kind"] == "Pod"

    await client.create(PODS, pod("b"))
    await client.patch(PODS, "b", "default", {"metadata": {"labels": {"x": "y"}}})
    await client.delete(PODS, "a", "default")
    await settle()

    assert seen.events == ["+a", "+b", "~b", "-a"]
    assert [name_of(p) for p in cache.list(PODS)] == ["b"]


async def test_a_late_handler_hears_of_what_is_there(cache: Cache, client: Client) -> None:
    cache.add(PODS)
    await client.create(PODS, pod("a"))
    await cache.start()
    seen = Seen()
    cache.on(PODS, seen)
    assert seen.events == ["+a"]


async def test_a_resource_added_after_start_is_followed(cache: Cache, client: Client) -> None:
    await cache.start()
    await client.create(PODS, pod("a"))
    informer = cache.add(PODS)
    await informer.wait_synced()
    assert cache.get(PODS, "default/a") is not None


async def test_adding_twice_is_one_informer(cache: Cache) -> None:
    assert cache.add(NODES) is cache.add(NODES)
    with pytest.raises(ValueError, match="nodes is cached with"):
        cache.add(NODES, label_selector="a=b")


async def test_resumes_a_watch_that_ended_where_it_was(
    cache: Cache, client: Client, server: FakeTransport, clock: FakeClock
) -> None:
    seen = Seen()
    cache.on(PODS, seen)
    await cache.start()
    await client.create(PODS, pod("a"))
    await settle()
    server.cut()
    await settle()
    await client.create(PODS, pod("b"))
    await clock.advance(1)
    assert seen.events == ["+a", "+b"]
    assert len([c for c in server.calls if c.method == "GET"]) == 1  # listed once only


async def test_relists_after_410_and_reports_what_vanished(
    cache: Cache, client: Client, server: FakeTransport, clock: FakeClock
) -> None:
    await client.create(PODS, pod("a"))
    await client.create(PODS, pod("b"))
    seen = Seen()
    cache.on(PODS, seen)
    await cache.start()
    server.cut()
    await settle()
    await client.delete(PODS, "a", "default")
    await client.create(PODS, pod("c"))
    server.compact()
    await clock.advance(60)
    assert seen.events == ["+a", "+b", "+c", "-a"]


async def test_lists_again_when_the_server_was_put_back(
    cache: Cache, client: Client, server: FakeTransport, clock: FakeClock
) -> None:
    await client.create(PODS, pod("a"))
    seen = Seen()
    cache.on(PODS, seen)
    await cache.start()
    server.cut()
    await settle()
    ahead = {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]}
    server.failures.append(ApiError(504, "Timeout", "Too large resource version", ahead))
    server.objects.clear()
    await clock.advance(60)
    assert seen.events == ["+a", "-a"]


async def test_start_waits_out_an_unreachable_server(
    cache: Cache, client: Client, server: FakeTransport, clock: FakeClock
) -> None:
    await client.create(PODS, pod("a"))
    server.fail(*[service_unavailable("not yet")] * 3)
    informer = cache.add(PODS)
    starting = asyncio.ensure_future(cache.start())
    await settle()
    assert not informer.synced
    await clock.advance(60)
    await starting
    assert cache.get(PODS, "default/a") is not None


async def test_bookmarks_advance_the_version(cache: Cache, client: Client, server: FakeTransport) -> None:
    informer = cache.add(PODS)
    await cache.start()
    await client.create(NODES, {"kind": "Node", "metadata": {"name": "n"}})
    server.bookmark()
    await settle()
    assert informer.resource_version == str(server.revision)


async def test_indexes_follow_changes(cache: Cache, client: Client) -> None:
    owner = {"kind": "ReplicaSet", "name": "rs", "uid": "u1", "controller": True}
    cache.add_index(PODS, "node", lambda p: [p.get("spec", {}).get("nodeName", "")])
    await cache.start()
    await client.create(PODS, {**pod("a", ownerReferences=[owner]), "spec": {"nodeName": "n1"}})
    await client.create(PODS, pod("b"))
    await settle()
    assert [name_of(p) for p in cache.owned(PODS, "u1", "default")] == ["a"]
    assert [name_of(p) for p in cache.by_index(PODS, "node", "n1")] == ["a"]
    await client.patch(
        PODS, "a", "default", {"spec": {"nodeName": "n2"}, "metadata": {"ownerReferences": None}}
    )
    await settle()
    assert cache.owned(PODS, "u1", "default") == []
    assert cache.by_index(PODS, "node", "n1") == []
    assert [name_of(p) for p in cache.list(PODS, "default")] == ["a", "b"]
    assert cache.list(PODS, "other") == []


def test_a_replaced_object_of_the_same_name_is_told_as_gone_and_new() -> None:
    shelf, seen = Shelf(), Seen()
    shelf.on(seen)
    shelf.put(pod("a", uid="1", resourceVersion="1"))
    shelf.put(pod("a", uid="2", resourceVersion="2"))
    assert seen.events == ["+a", "-a", "+a"]


async def test_a_long_list_is_taken_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wherry.client.informer.TAKEN_AT_ONCE", 5)
    shelf, seen = Shelf(), Seen()
    shelf.on(seen)
    told: list[int] = []

    async def replaced(objects: list[Object]) -> None:
        replacing = asyncio.ensure_future(shelf.replace(objects))
        while not replacing.done():
            before = len(seen.events)
            await asyncio.sleep(0)
            told.append(len(seen.events) - before)
        await replacing

    listed = [pod(f"p{number}", resourceVersion="1") for number in range(20)]
    await replaced(listed)
    assert seen.events == [f"+p{number}" for number in range(20)]
    seen.events.clear()
    await replaced(listed[:3])
    assert seen.events == [f"-p{number}" for number in range(3, 20)]
    assert max(told) == 5
    assert len(shelf) == 3


def test_a_failing_handler_costs_the_others_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken(old: Object | None, new: Object | None) -> None:
        raise RuntimeError("no")

    shelf, seen = Shelf(), Seen()
    shelf.on(broken)
    shelf.on(seen)
    shelf.put(pod("a"))
    assert seen.events == ["+a"]
    assert "a handler failed on default/a" in caplog.text


def test_a_transform_decides_what_is_kept() -> None:
    shelf = Shelf(lambda obj: {"metadata": obj["metadata"]})
    shelf.put({**pod("a"), "data": {"secret": "x"}})
    kept = shelf.get("default/a")
    assert kept is not None
    assert "data" not in kept


def test_a_failing_index_costs_the_others_nothing(caplog: pytest.LogCaptureFixture) -> None:
    faults = [RuntimeError("no")]

    def breaks_once(obj: Object) -> list[str]:
        if faults:
            raise faults.pop()
        return ["x"]

    shelf, seen = Shelf(), Seen()
    shelf.add_index("broken", breaks_once)
    shelf.on(seen)
    shelf.put(pod("a"))
    shelf.put(pod("b"))
    assert seen.events == ["+a", "+b"]
    assert [name_of(p) for p in shelf.by_index("broken", "x")] == ["b"]
    assert "index broken failed on default/a" in caplog.text


async def test_a_failing_follower_costs_the_others_nothing(
    cache: Cache, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(version: str) -> None:
        raise RuntimeError("no")

    reached: list[str] = []
    informer = cache.add(PODS)
    informer.on_progress(broken)
    informer.on_progress(reached.append)
    await cache.start()
    created = await client.create(PODS, pod("a"))
    await settle()
    assert reached[-1] == created["metadata"]["resourceVersion"]
    assert "a follower of pods failed" in caplog.text


async def test_whatever_breaks_a_watch_it_goes_on(
    cache: Cache, client: Client, server: FakeTransport, clock: FakeClock
) -> None:
    cache.add(PODS)
    server.fail(RuntimeError("no"), OSError("no descriptors"))
    starting = asyncio.ensure_future(cache.start())
    await settle()
    await clock.advance(5)
    await starting
    server.fail(RuntimeError("no"), OSError("no descriptors"))
    server.cut()
    await settle()
    await clock.advance(5)
    await client.create(PODS, pod("a"))
    await settle()
    assert cache.get(PODS, "default/a") is not None


async def test_watches_are_asked_to_end_after_five_to_ten_minutes(client: Client, clock: FakeClock) -> None:
    asked: list[int] = []

    class Noting(FakeTransport):
        def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[WatchEvent]:
            asked.append(int(query["timeoutSeconds"]))
            return super().watch(path, query)

    server = Noting()
    cache = Cache(Client(server), clock, random=Random(0))
    cache.add(PODS)
    await cache.start()
    for _ in range(20):
        await clock.advance(2)
        server.cut()
        await settle()
    await cache.close()
    assert len(asked) > 10
    assert all(300 <= seconds < 600 for seconds in asked)
    assert len(set(asked)) > 10


async def test_one_that_is_removed_ends_nothing_else(cache: Cache, client: Client) -> None:
    problems: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: problems.append(context["message"]))
    cache.add(PODS)
    cache.add(NODES)
    await cache.start()
    await cache.remove(PODS)
    await client.create(NODES, {"kind": "Node", "metadata": {"name": "n"}})
    await settle()
    assert cache.get(NODES, "n") is not None
    assert problems == []


async def test_a_list_that_others_cancel_is_tried_again(
    cache: Cache, server: FakeTransport, clock: FakeClock
) -> None:
    server.fail(asyncio.CancelledError())  # type: ignore[arg-type]
    cache.add(PODS)
    starting = asyncio.ensure_future(cache.start())
    await settle()
    assert not cache.synced(PODS)
    await clock.advance(1)
    await starting
    assert cache.synced(PODS)
