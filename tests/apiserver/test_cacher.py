"""The objects of a resource in memory, and who is told of their changes."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from wherry.api.resource import Resource
from wherry.apiserver.cacher import Cached, CachedEvent, Cacher
from wherry.apiserver.encoding import encode_stored
from wherry.apiserver.selected import Selection
from wherry.kit.clock import FakeClock
from wherry.kit.portions import Work, runs_of
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object
from wherry.objects.selectors import parse_field_selector, parse_label_selector
from wherry.store.base import Compacted, FutureRevision, Page, StoreError
from wherry.store.memory import MemoryStore

PODS = Resource(
    group="",
    version="v1",
    kind="Pod",
    plural="pods",
    namespaced=True,
    selectable={"spec.nodeName": lambda obj: obj.get("spec", {}).get("nodeName", "")},
    indexed=frozenset({"spec.nodeName"}),
)
NODES = Resource(group="", version="v1", kind="Node", plural="nodes", namespaced=False, storage_key="minions")


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    opened = MemoryStore(FakeClock())
    yield opened
    await opened.close()


@pytest.fixture
async def cacher(store: MemoryStore) -> AsyncIterator[Cacher]:
    made = Cacher(PODS, store)
    await made.start()
    yield made
    await made.close()


def pod(namespace: str, name: str, node: str = "", **labels: str) -> Object:
    meta = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"nodeName": node}}


async def put(store: MemoryStore, obj: Object) -> int:
    key, value = PODS.key_of(obj), encode_stored(obj)
    known = await store.get(key)
    if known is None:
        return (await store.create(key, value)).revision
    return (await store.update(key, value, expected=known.revision)).revision


async def drop(store: MemoryStore, namespace: str, name: str) -> int:
    key = PODS.key(namespace, name)
    known = await store.get(key)
    assert known is not None
    return (await store.delete(key, expected=known.revision)).revision


class Told:
    def __init__(self) -> None:
        self.events: list[CachedEvent] = []
        self.calls = 0
        self.ended = False

    def __call__(self, events: Sequence[CachedEvent]) -> None:
        self.calls += 1
        self.events += events

    def end(self) -> None:
        self.ended = True

    def summary(self) -> list[tuple[str, str, int]]:
        return [(event.type, event.object.name, event.object.revision) for event in self.events]


def names(cached: Sequence[Cached]) -> list[str]:
    return [f"{item.namespace}/{item.name}" for item in cached]


async def test_a_cached_object_tells_what_selectors_ask(store: MemoryStore, cacher: Cacher) -> None:
    revision = await put(store, pod("ns", "a", "node-1", app="web"))
    cached = cacher.get("/registry/pods/ns/a")
    assert cached is not None
    assert (cached.namespace, cached.name, cached.revision, cached.created) == ("ns", "a", revision, revision)
    assert cached.labels == {"app": "web"}
    assert cached.fields == {"metadata.name": "a", "metadata.namespace": "ns", "spec.nodeName": "node-1"}
    assert json.loads(cached.data)["metadata"]["resourceVersion"] == str(revision)
    decoded = cached.decode()
    decoded["spec"]["nodeName"] = "changed"
    assert cached.decode()["spec"]["nodeName"] == "node-1"
    assert cacher.get("/registry/pods/ns/b") is None


async def test_fields_can_be_asked_before_labels(store: MemoryStore, cacher: Cacher) -> None:
    await put(store, pod("ns", "a", "node-1"))
    assert cacher.list()[0][0].fields["spec.nodeName"] == "node-1"
    assert cacher.list()[0][0].labels == {}


async def test_starting_loads_what_is_there(store: MemoryStore) -> None:
    for number in range(2500):
        await put(store, pod("ns", f"p{number:04}"))
    cacher = Cacher(PODS, store)
    before = cacher.started
    await asyncio.gather(cacher.start(), cacher.start(), put(store, pod("ns", "late")))
    assert (before, cacher.started) == (False, True)
    assert len(cacher) == 2501
    assert names(cacher.list(limit=1)[0]) == ["ns/late"]
    assert cacher.revision == store.revision
    await cacher.start()
    await cacher.close()
    with pytest.raises(ApiError, match="apiserver cacher is stopped"):
        await cacher.start()


async def test_a_failed_start_can_be_tried_again(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise StoreError("away")

    cacher = Cacher(PODS, store)
    with monkeypatch.context() as patch:
        patch.setattr(store, "list", fail)
        with pytest.raises(StoreError, match="away"):
            await cacher.start()
    failed = not cacher.started
    await cacher.start()
    assert failed
    assert cacher.started
    await cacher.close()


async def test_a_start_that_outlives_the_history_begins_again(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2100):
        await put(store, pod("ns", f"p{number:04}"))
    read, asked = store.list, []

    async def list_(prefix: str, *, revision: int = 0, limit: int = 0, start_after: str = "") -> Page:
        asked.append(revision)
        page = await read(prefix, revision=revision, limit=limit, start_after=start_after)
        if len(asked) == 1:
            await drop(store, "ns", "p0000")
            await store.compact(store.revision)
        return page

    monkeypatch.setattr(store, "list", list_)
    cacher = Cacher(PODS, store)
    await cacher.start()
    assert asked == [0, 2101, 0, 2102]
    assert len(cacher) == 2099
    assert cacher.get("/registry/pods/ns/p0000") is None
    await cacher.close()


async def test_list_in_store_order_by_namespace_and_page(store: MemoryStore, cacher: Cacher) -> None:
    for namespace, name in (("a", "2"), ("a", "1"), ("a-b", "1"), ("b", "1")):
        await put(store, pod(namespace, name, app=name))
    everything, remaining = cacher.list()
    assert [item.key for item in everything] == [e.key for e in (await store.list("/registry/pods/")).entries]
    assert remaining == 0
    assert names(cacher.list("a")[0]) == ["a/1", "a/2"]
    assert names(cacher.list("nowhere")[0]) == []
    first, remaining = cacher.list(limit=3)
    assert (names(first), remaining) == (["a-b/1", "a/1", "a/2"], 1)
    rest, remaining = cacher.list(limit=3, start_after=first[-1].key)
    assert (names(rest), remaining) == (["b/1"], 0)
    only = lambda item: item.labels["app"] == "1"  # noqa: E731
    assert names(cacher.list(match=only)[0]) == ["a-b/1", "a/1", "b/1"]
    assert [len(part) if isinstance(part, list) else part for part in cacher.list(limit=2, match=only)] == [
        2,
        1,
    ]
    assert cacher.list("a", start_after="/registry/pods/a/1", limit=1, match=only) == ([], 0)
    await drop(store, "a", "1")
    assert names(cacher.list("a")[0]) == ["a/2"]


async def test_a_long_list_by_selector_is_of_one_moment_and_lets_others_in(
    store: MemoryStore, cacher: Cacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wherry.apiserver.past.MATCHED_AT_ONCE", 2)
    for number in range(9):
        await put(store, pod("ns", str(number), app=str(number % 2)))
    then = store.revision
    even = lambda item: item.labels["app"] == "0"  # noqa: E731
    listing = asyncio.ensure_future(cacher.chosen("ns", match=even))
    limited = asyncio.ensure_future(cacher.chosen("ns", match=even, limit=2, start_after=PODS.key("ns", "1")))
    await asyncio.sleep(0)
    await drop(store, "ns", "8")
    await put(store, pod("ns", "9", app="0"))
    found, more, revision = await listing
    assert (names(found), more, revision) == (["ns/0", "ns/2", "ns/4", "ns/6", "ns/8"], 0, then)
    found, more, revision = await limited
    assert (names(found), more, revision) == (["ns/2", "ns/4"], 1, then)


async def test_list_of_an_earlier_revision(store: MemoryStore, cacher: Cacher) -> None:
    for number in range(6):
        await put(store, pod("ns", str(number), app="even" if number % 2 == 0 else "odd"))
    then = store.revision
    await drop(store, "ns", "1")
    await put(store, pod("ns", "9"))
    found, remaining = await cacher.list_at(then, "ns", limit=4)
    assert (names(found), remaining) == (["ns/0", "ns/1", "ns/2", "ns/3"], 2)
    assert found[1].data.count(b"resourceVersion") == 1
    odd = lambda item: item.labels["app"] == "odd"  # noqa: E731
    found, remaining = await cacher.list_at(then, match=odd, limit=2)
    assert (names(found), remaining) == (["ns/1", "ns/3"], 1)
    found, remaining = await cacher.list_at(then, match=odd, limit=2, start_after=found[-1].key)
    assert (names(found), remaining) == (["ns/5"], 0)
    assert names((await cacher.list_at(then, match=odd))[0]) == ["ns/1", "ns/3", "ns/5"]
    with pytest.raises(FutureRevision):
        await cacher.list_at(store.revision + 1)


async def test_watch_tells_changes_once_for_all(store: MemoryStore, cacher: Cacher) -> None:
    first, second = Told(), Told()
    cacher.watch("", 0, None, first)
    cacher.watch("", 0, None, second)
    await put(store, pod("ns", "a", "one"))
    await put(store, pod("ns", "a", "two"))
    await drop(store, "ns", "a")
    assert first.summary() == [("ADDED", "a", 2), ("MODIFIED", "a", 3), ("DELETED", "a", 4)]
    assert all(one is other for one, other in zip(first.events, second.events, strict=True))
    added, modified, deleted = first.events
    assert added.frame == b'{"type":"ADDED","object":' + added.object.data + b"}\n"
    assert added.frame is added.frame
    assert added.decoded is added.decoded
    assert modified.previous is added.object
    gone = json.loads(deleted.frame)
    assert gone["object"]["spec"] == {"nodeName": "two"}
    assert gone["object"]["metadata"]["resourceVersion"] == "4"


async def test_watch_of_a_namespace_or_of_one_object(store: MemoryStore, cacher: Cacher) -> None:
    told = {scope: Told() for scope in (("", ""), ("a", ""), ("a", "x"), ("", "x"))}
    for (namespace, name), sink in told.items():
        cacher.watch(namespace, 0, None, sink, name=name)
    for namespace, name in (("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")):
        await put(store, pod(namespace, name))
    revisions = {scope: [event.object.revision for event in sink.events] for scope, sink in told.items()}
    assert revisions == {("", ""): [2, 3, 4, 5], ("a", ""): [2, 3], ("a", "x"): [2], ("", "x"): [2, 4]}
    assert told["a", "x"].calls == 1


async def test_watch_through_a_selector(store: MemoryStore, cacher: Cacher) -> None:
    told, again = Told(), Told()
    match = lambda item: item.labels.get("app") == "web"  # noqa: E731
    cacher.watch("", 0, match, told)
    cacher.watch("ns", 0, match, again)
    await put(store, pod("ns", "a", "n1", app="db"))
    await put(store, pod("ns", "a", "n2", app="web"))
    await put(store, pod("ns", "a", "n3", app="web"))
    await put(store, pod("ns", "a", "n4", app="db"))
    await put(store, pod("ns", "a", "n5", app="db"))
    await drop(store, "ns", "a")
    await put(store, pod("ns", "a", "n6", app="web"))
    await drop(store, "ns", "a")
    assert told.summary() == [
        ("ADDED", "a", 3),
        ("MODIFIED", "a", 4),
        ("DELETED", "a", 5),
        ("ADDED", "a", 8),
        ("DELETED", "a", 9),
    ]
    left = told.events[2].decoded
    assert left["spec"]["nodeName"] == "n3", "what ceased to match is shown as it last matched"
    assert left["metadata"]["resourceVersion"] == "5"
    assert [event.frame for event in again.events] == [event.frame for event in told.events]
    assert again.events[0] is told.events[0], "converted once for all watchers"


async def test_watch_resumes_from_the_recent_past(store: MemoryStore, cacher: Cacher) -> None:
    for number in range(4):
        await put(store, pod("ns", str(number)))
    told = Told()
    subscription = cacher.watch("", 3, None, told)
    assert told.summary() == [("ADDED", "2", 4), ("ADDED", "3", 5)]
    one = Told()
    cacher.watch("ns", 1, lambda item: True, one, name="2")
    assert one.summary() == [("ADDED", "2", 4)]
    await put(store, pod("ns", "4"))
    assert told.calls == 2
    subscription.close()
    await put(store, pod("ns", "5"))
    assert told.calls == 2
    with pytest.raises(FutureRevision):
        cacher.watch("", store.revision + 1, None, told)


async def test_a_long_past_is_told_in_portions_and_nothing_of_it_twice(
    store: MemoryStore, cacher: Cacher
) -> None:
    begin = store.revision
    for number in range(600):
        await put(store, pod("a" if number % 2 else "b", f"p{number}"))
    told: list[int] = []
    portions: list[int] = []

    def take(events: Sequence[CachedEvent]) -> None:
        told.extend(event.object.revision for event in events)
        portions.append(len(events))
        assert all(event.object.namespace == "a" for event in events)

    async def write_meanwhile() -> None:
        for number in range(300):
            await put(store, pod("a", f"later{number}"))

    writing = asyncio.ensure_future(write_meanwhile())
    after = await cacher.catch_up("a", begin, None, take)
    cacher.watch("a", after, None, take)
    await writing
    await put(store, pod("a", "last"))
    expected = [item.revision for item in cacher.list("a")[0]]
    assert sorted(told) == told == sorted(expected)
    assert max(portions) <= 250


async def test_watch_of_what_is_no_longer_remembered(store: MemoryStore) -> None:
    await put(store, pod("ns", "before"))
    cacher = Cacher(PODS, store, ring_events=2)
    with pytest.raises(RuntimeError):
        cacher.watch("", 0, None, Told())
    await cacher.start()
    with pytest.raises(Compacted):
        cacher.watch("", 1, None, Told())
    cacher.watch("", 2, None, Told())
    for number in range(3):
        await put(store, pod("ns", str(number)))
    with pytest.raises(Compacted) as gone:
        cacher.watch("", 2, None, Told())
    assert gone.value.oldest == 3
    told = Told()
    cacher.watch("", 3, None, told)
    assert told.summary() == [("ADDED", "1", 4), ("ADDED", "2", 5)]
    await cacher.close()


async def test_the_ring_is_bounded_in_bytes(store: MemoryStore) -> None:
    cacher = Cacher(PODS, store, ring_bytes=2000)
    await cacher.start()
    for number in range(50):
        await put(store, pod("ns", str(number)))
    with pytest.raises(Compacted) as gone:
        cacher.watch("", 2, None, Told())
    assert 30 < gone.value.oldest < 50
    await cacher.close()


async def test_closing_ends_watches(store: MemoryStore) -> None:
    cacher = Cacher(PODS, store)
    await cacher.start()
    told, closed = Told(), Told()
    cacher.watch("", 0, None, told, ended=told.end)
    cacher.watch("", 0, None, closed, ended=closed.end).close()
    await cacher.close()
    await put(store, pod("ns", "a"))
    assert (told.ended, told.calls) == (True, 0)
    assert not closed.ended


async def test_a_failing_watcher_does_not_harm_others(
    store: MemoryStore, cacher: Cacher, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(events: Sequence[CachedEvent]) -> None:
        raise ValueError("no")

    told, failed = Told(), Told()
    cacher.watch("", 0, None, fail, ended=failed.end)
    cacher.watch("", 0, None, told)
    await put(store, pod("ns", "a"))
    assert told.calls == 1
    assert "a watcher failed" in caplog.text
    assert failed.ended, "a watch with a gap would go on as if nothing had been missed"


async def test_a_watch_whose_selector_fails_ends_too(store: MemoryStore, cacher: Cacher) -> None:
    def fail(cached: Cached) -> bool:
        raise TypeError(cached.name)

    told = Told()
    cacher.watch("", 0, fail, told, ended=told.end)
    await put(store, pod("ns", "a"))
    assert (told.ended, told.calls) == (True, 0)


async def test_a_cacher_out_of_step_ends_its_watches_and_can_be_started_again(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = asyncio.Event()
    cacher = Cacher(PODS, store, lost=lost.set)
    await cacher.start()
    await put(store, pod("ns", "a"))
    told = Told()
    cacher.watch("", 0, None, told, ended=told.end)
    with monkeypatch.context() as patched:
        patched.setattr(CachedEvent, "__init__", lambda *_: 1 / 0)
        await put(store, pod("ns", "missed"))
    assert lost.is_set()
    assert told.ended
    assert not cacher.started
    assert "ns/a" in names(cacher.list()[0]), "who decides by the cache must not see it empty"
    await put(store, pod("ns", "later"))
    await cacher.start()
    assert names(cacher.list()[0]) == ["ns/a", "ns/later", "ns/missed"]
    await put(store, pod("ns", "z"))
    assert len(cacher) == 4
    await cacher.close()


async def test_an_unreadable_value_is_reported_and_left_out(
    store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    await store.create("/registry/pods/ns/bad", b"k8s\x00protobuf")
    await put(store, pod("ns", "good"))
    cacher = Cacher(PODS, store)
    await cacher.start()
    assert names(cacher.list()[0]) == ["ns/good"]
    assert "/registry/pods/ns/bad" in caplog.text
    assert cacher.unreadable == {"/registry/pods/ns/bad": 2}
    await store.update("/registry/pods/ns/bad", encode_stored(pod("ns", "bad")), expected=2)
    assert names(cacher.list()[0]) == ["ns/bad", "ns/good"]
    assert cacher.unreadable == {}
    await cacher.close()


async def test_resources_of_the_cluster_have_no_namespace(store: MemoryStore) -> None:
    cacher = Cacher(NODES, store)
    await cacher.start()
    told = Told()
    cacher.watch("", 0, None, told, name="n1")
    node: Object = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}
    await store.create(NODES.key("", "n1"), encode_stored(node))
    cached = cacher.get("/registry/minions/n1")
    assert cached is not None
    assert (cached.namespace, cached.name) == ("", "n1")
    assert cached.fields == {"metadata.name": "n1", "metadata.namespace": ""}
    assert told.summary() == [("ADDED", "n1", 2)]
    await cacher.close()


def by_node(node: str) -> Selection:
    return Selection(fields=parse_field_selector(f"spec.nodeName={node}"))


SELECTORS: dict[str, Callable[[int], tuple[Selection, str]]] = {
    "field": lambda n: (Selection(fields=parse_field_selector(f"spec.nodeName=n{n}")), ""),
    "label": lambda n: (Selection(labels=parse_label_selector(f"app=a{n},tier")), ""),
    "label and namespace": lambda n: (Selection(labels=parse_label_selector(f"app=a{n}")), "ns"),
    "name": lambda n: (Selection(fields=parse_field_selector(f"metadata.name=p{n}")), ""),
    "namespace": lambda n: (Selection(fields=parse_field_selector(f"metadata.namespace=ns{n}")), ""),
}


@pytest.mark.parametrize("kind", SELECTORS)
async def test_a_change_asks_only_the_watchers_it_may_concern(
    store: MemoryStore, cacher: Cacher, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    real = Selection.__call__

    def count(self: Selection, cached: Cached) -> bool:
        nonlocal asked
        asked += 1
        return real(self, cached)

    monkeypatch.setattr(Selection, "__call__", count)
    told = [Told() for _ in range(500)]
    for number, sink in enumerate(told):
        match, namespace = SELECTORS[kind](number)
        cacher.watch(namespace, 0, match, sink)
    await put(store, pod("ns", "p7", "n7", app="a7", tier="x"))
    await put(store, pod("ns", "p7", "n8", app="a8", tier="x"))
    await put(store, pod("ns7", "p7", "n8", app="a7", tier="x"))
    await drop(store, "ns", "p7")
    heard = {number: [event.type for event in sink.events] for number, sink in enumerate(told) if sink.events}
    moved = {7: ["ADDED", "DELETED"], 8: ["ADDED", "DELETED"]}
    assert (
        heard
        == {
            "field": {7: ["ADDED", "DELETED"], 8: ["ADDED", "ADDED", "DELETED"]},
            "label": {7: ["ADDED", "DELETED", "ADDED"], 8: ["ADDED", "DELETED"]},
            "label and namespace": moved,
            "name": {7: ["ADDED", "MODIFIED", "ADDED", "DELETED"]},
            "namespace": {7: ["ADDED"]},
        }[kind]
    )
    assert asked < 20


async def test_watchers_found_by_value_hear_what_those_asked_one_by_one_hear(
    store: MemoryStore, cacher: Cacher
) -> None:
    rng = random.Random(5)
    texts = [
        ("spec.nodeName=n1", ""),
        ("spec.nodeName=", ""),
        ("", "app=a"),
        ("spec.nodeName!=n1", "app in (a)"),
    ]
    pairs = []
    for fields, labels in texts:
        for namespace in ("", "ns1"):
            match = Selection(
                labels=parse_label_selector(labels) if labels else None,
                fields=parse_field_selector(fields) if fields else None,
            )
            found, asked = Told(), Told()
            cacher.watch(namespace, 0, match, found)
            cacher.watch(namespace, 0, lambda cached, m=match: m(cached), asked)  # type: ignore[misc]
            pairs.append((found, asked))
    for _ in range(400):
        namespace, name = f"ns{rng.randrange(2)}", f"p{rng.randrange(5)}"
        if rng.random() < 0.2 and cacher.get(PODS.key(namespace, name)):
            await drop(store, namespace, name)
            continue
        app = rng.choice(({}, {"app": "a"}, {"app": "b"}))
        await put(store, pod(namespace, name, rng.choice(("", "n1", "n2")), **app))
        await asyncio.sleep(0)
    for found, asked in pairs:
        assert found.summary() == asked.summary()
        assert found.summary()


async def test_an_index_finds_what_looking_through_all_finds(store: MemoryStore, cacher: Cacher) -> None:
    runs_of(Work.REQUESTS).seconds = 0.0
    rng = random.Random(6)
    for number in range(1200):
        await put(store, pod(f"ns{number % 3}", f"p{number:04}", f"n{number % 7}"))
    indexing = asyncio.ensure_future(cacher.read_facts("", by_node("n1")))
    for step in range(600):  # while it is made
        name, namespace = f"p{rng.randrange(1300):04}", f"ns{rng.randrange(3)}"
        if rng.random() < 0.3 and cacher.get(PODS.key(namespace, name)):
            await drop(store, namespace, name)
        else:
            await put(store, pod(namespace, name, f"n{rng.randrange(7)}"))
        if step % 200 == 0:
            await asyncio.sleep(0)
    assert cacher.by_value("spec.nodeName", "n1") is None, "nobody may rely on half an index"
    await indexing
    for node in ("n1", "n5", "none"):
        for namespace in ("", "ns1"):
            everything = [item for item in cacher.list(namespace)[0] if item.fields["spec.nodeName"] == node]
            assert cacher.list(namespace, match=by_node(node)) == (everything, 0)
            for limit in (1, 10):
                page, more = cacher.list(namespace, match=by_node(node), limit=limit)
                assert (page, more) == (everything[:limit], int(len(everything) > limit))
            if len(everything) > 3:
                after = cacher.list(namespace, match=by_node(node), start_after=everything[2].key)[0]
                assert after == everything[3:]
        found = cacher.by_value("spec.nodeName", node)
        assert found is not None
        assert {item.key for item in found} == {item.key for item in cacher.list(match=by_node(node))[0]}


async def test_labels_are_read_in_portions_of_time_however_few_objects_there_are(
    store: MemoryStore, cacher: Cacher
) -> None:
    runs_of(Work.REQUESTS).seconds = 0.0
    for number in range(5):
        await put(store, pod("ns", f"p{number}", "n1"))
    reading = asyncio.ensure_future(cacher.read_facts("ns"))
    seen = []
    while not reading.done():
        await asyncio.sleep(0)
        seen.append(sum(item.is_read for item in cacher.list("ns")[0]))
    assert list(dict.fromkeys(seen)) == [0, 1, 2, 3, 4, 5], "others have their turn after each"


async def test_an_index_whose_making_was_cancelled_is_made_anew(store: MemoryStore, cacher: Cacher) -> None:
    runs_of(Work.REQUESTS).seconds = 0.0
    for number in range(600):
        await put(store, pod("ns", f"p{number:04}", f"n{number % 7}"))
    indexing = asyncio.ensure_future(cacher.read_facts("", by_node("n1")))
    await asyncio.sleep(0)
    indexing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await indexing
    await cacher.read_facts("", by_node("n1"))
    assert len(cacher.by_value("spec.nodeName", "n1") or ()) == 86
