"""Objects beyond the budget are held compressed, and nobody who reads them can tell."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from tests.apiserver.test_cacher import PODS, Told, drop, names, pod, put
from wherry.apiserver.cacher import Cacher
from wherry.apiserver.packing import Budget, Packer
from wherry.apiserver.sinks import portions
from wherry.kit.clock import FakeClock
from wherry.store.memory import MemoryStore


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    opened = MemoryStore(FakeClock())
    yield opened
    await opened.close()


def sample(number: int) -> bytes:
    return json.dumps(pod("ns", f"p{number}", "node", app="web", role="front")).encode()


def test_what_is_packed_is_small_and_comes_out_as_it_was() -> None:
    packer = Packer(sample(number) for number in range(8))
    packed = packer.pack(sample(99))
    assert packed is not None
    assert len(packed) < len(sample(99)) / 2
    assert packer.unpack(packed) == sample(99)
    assert packer.size(packed) == len(sample(99))


@pytest.mark.parametrize("data", [b"", b"{}", bytes(range(256))])
def test_what_does_not_shrink_is_not_packed(data: bytes) -> None:
    assert Packer([sample(1)]).pack(data) is None


def test_packing_needs_no_sample() -> None:
    packer = Packer([])
    packed = packer.pack(b"x" * 1000)
    assert packed is not None
    assert packer.unpack(packed) == b"x" * 1000


async def test_beyond_the_budget_objects_are_packed_and_served_the_same(store: MemoryStore) -> None:
    plain, packing = Cacher(PODS, store), Cacher(PODS, store, budget=Budget(limit=1000))
    for number in range(20):
        await put(store, pod("ns", f"before{number:02}", "node-1", app="web"))
    await plain.start()
    await packing.start()
    for number in range(20):
        await put(store, pod("ns", f"later{number:02}", "node-2", app="web"))
    held = [packing.get(item.key) for item in plain.list()[0]]
    assert [item.data for item in held if item] == [item.data for item in plain.list()[0]]
    assert [item.labels for item in held if item] == [{"app": "web"}] * 40
    assert sum(item.plain_bytes for item in held if item) <= 1000 + max(
        item.held_bytes for item in plain.list()[0]
    )
    assert sum(item.held_bytes for item in held if item) < sum(len(i.data) for i in plain.list()[0]) / 2
    selected, _ = packing.list(match=lambda item: item.fields["spec.nodeName"] == "node-2")
    assert len(selected) == 20
    await plain.close()
    await packing.close()


async def test_changes_of_packed_objects_are_told_as_ever(store: MemoryStore) -> None:
    cacher = Cacher(PODS, store, budget=Budget(limit=-1))
    await put(store, pod("ns", "a", app="web"))
    await cacher.start()
    told = Told()
    cacher.watch("", cacher.revision, lambda item: item.labels.get("app") == "web", told)
    changed = await put(store, pod("ns", "a", "node-1", app="web"))
    gone = await drop(store, "ns", "a")
    assert told.summary() == [("MODIFIED", "a", changed), ("DELETED", "a", gone)]
    shown = json.loads(told.events[1].frame)["object"]
    assert (shown["metadata"]["resourceVersion"], shown["spec"]["nodeName"]) == (str(gone), "node-1")
    await cacher.close()


async def test_the_budget_counts_what_is_held_plain_now(store: MemoryStore) -> None:
    budget = Budget(limit=10_000)
    cacher, other = Cacher(PODS, store, budget=budget), Cacher(PODS, store, budget=budget)
    await put(store, pod("ns", "a"))
    await put(store, pod("ns", "b"))
    await cacher.start()
    await other.start()
    once = budget.held
    await put(store, pod("ns", "a", "a-node-with-a-name"))
    grown = budget.held
    await drop(store, "ns", "a")
    await drop(store, "ns", "b")
    assert 0 < once < grown
    assert budget.held == 0
    await put(store, pod("ns", "c"))
    await other.close()
    assert budget.held == sum(len(item.data) for item in cacher.list()[0])
    await cacher.close()
    assert budget.held == 0


async def test_the_budget_counts_messages_kept_beside_objects(store: MemoryStore) -> None:
    budget = Budget(limit=10_000)
    cacher = Cacher(PODS, store, budget=budget)
    await put(store, pod("ns", "a"))
    await cacher.start()
    (item,) = cacher.list()[0]
    plain = budget.held
    message = item.message()
    assert budget.held == plain + len(message)
    assert item.message() is message
    await put(store, pod("ns", "a"))
    assert budget.held == plain, "what was replaced is held by nobody but those who look back"
    assert item.message() == message
    assert item.message() is not message
    assert budget.held == plain
    (item,) = cacher.list()[0]
    item.message()
    await drop(store, "ns", "a")
    assert budget.held == 0
    budget.held = budget.limit + 1
    await put(store, pod("ns", "b"))
    (item,) = cacher.list()[0]
    held = budget.held
    item.message()
    assert budget.held == held
    await cacher.close()


async def test_reading_facts_of_many_objects_takes_turns(store: MemoryStore) -> None:
    for number in range(600):
        await put(store, pod("ns" if number % 2 else "other", f"p{number:03}", app="web"))
    cacher = Cacher(PODS, store)
    await cacher.start()
    await cacher.read_facts("ns")
    read = [item for item in cacher.list()[0] if item.is_read]
    assert {item.namespace for item in read} == {"ns"}
    assert len(read) == 300
    assert read[0].labels is read[1].labels
    assert names(cacher.list("ns", match=lambda item: item.labels == {"app": "web"}, limit=1)[0]) == [
        "ns/p001"
    ]
    await cacher.close()


async def test_a_watchs_first_portions_are_cut_by_what_is_sent_not_by_what_is_held(
    store: MemoryStore,
) -> None:
    cacher = Cacher(PODS, store, budget=Budget(limit=0))
    await cacher.start()
    for number in range(12):
        await put(store, pod("ns", f"p{number:02}", "node-1", app="web" * 100))
    items = cacher.list()[0][4:]
    shortest = min(len(item.data) for item in items)
    assert sum(item.held_bytes for item in items) < 2 * shortest
    assert [len(portion) for portion in portions(items, lambda: 2 * shortest)] == [2, 2, 2, 2]
