"""Pods found by selectors, kept as both change."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping

import pytest

from tests.controllers import bench as benches
from tests.controllers import samples
from tests.controllers.bench import running
from wherry.api.core.pods import PODS
from wherry.client.cache import Cache
from wherry.controllers import selected_pods
from wherry.controllers.selected_pods import SelectedPods
from wherry.objects.meta import Object, key_of, labels_of, namespace_of
from wherry.objects.selectors import EVERYTHING, NOTHING, Selector, parse_label_selector


def pod(name: str, namespace: str = "default", **labels: str) -> Object:
    made = samples.pod(name, namespace=namespace, labels=labels)
    return {"apiVersion": "v1", "kind": "Pod", **made}


class Bench:
    """A cache of its own beside an API server."""

    def __init__(self, made: benches.Bench) -> None:
        self.client = made.client
        self.cache = Cache(self.client, made.clock)
        self.settle = made.clock.loop.idle
        self.selected = SelectedPods(self.cache)

    async def put(self, obj: Object) -> None:
        known = self.cache.get(PODS, key_of(obj))
        if known is None:
            await self.client.create(PODS, obj)
        else:
            meta = {**known["metadata"], "labels": labels_of(obj)}
            await self.client.update(PODS, {**known, "metadata": meta})
        await self.settle()

    async def drop(self, name: str) -> None:
        await self.client.delete(PODS, name, "default")
        await self.settle()

    async def found(self, key: str) -> set[str]:
        return {key_of(each) for each in await self.selected.pods_of(key)}


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with running() as beside:
        made = Bench(beside)
        await made.cache.start()
        yield made
        await made.cache.close()


SELECTORS = [
    EVERYTHING,
    NOTHING,
    *map(
        parse_label_selector,
        ("app=a", "app=b", "app=a,tier=x", "app in (a,b)", "!tier", "app!=a", "tier=y", "app in (a)"),
    ),
]


async def test_whatever_changes_they_are_those_the_selectors_match(bench: Bench) -> None:
    rng = random.Random(5)
    known: dict[str, Selector] = {}
    there: dict[str, Object] = {}
    for _ in range(300):
        what = rng.random()
        name, key = f"p{rng.randrange(8)}", f"default/k{rng.randrange(4)}"
        if what < 0.5:
            labels = {label: rng.choice("abxy") for label in ("app", "tier") if rng.random() < 0.7}
            there[name] = pod(name, **labels)
            await bench.put(there[name])
        elif what < 0.6 and name in there:
            del there[name]
            await bench.drop(name)
        elif what < 0.8:
            known[key] = rng.choice(SELECTORS)
            bench.selected.follow(key, "default", known[key])
        elif what < 0.85:
            known.pop(key, None)
            bench.selected.forget(key)
        for each, selector in known.items():
            right = {key_of(obj) for obj in there.values() if selector.matches(labels_of(obj))}
            assert await bench.found(each) == right
            assert bench.selected.count(each) == len(right)
        for obj in there.values():
            wanted = {each for each, selector in known.items() if selector.matches(labels_of(obj))}
            assert bench.selected.selecting_pod(obj) == wanted
    for key in known:
        bench.selected.forget(key)
    assert bench.selected._by_place == {}


async def test_only_those_of_the_namespace(bench: Bench) -> None:
    await bench.put(pod("p"))
    bench.selected.follow("other/k", "other", EVERYTHING)
    assert await bench.found("other/k") == set()
    assert bench.selected.selecting_pod(pod("p")) == set()
    assert namespace_of(pod("p", "other")) == "other"
    assert bench.selected.selecting_pod(pod("p", "other")) == {"other/k"}


async def test_an_event_asks_few_selectors_and_a_sync_few_pods(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(200):
        await bench.client.create(PODS, pod(f"p{number}", app=f"a{number}"))
        bench.selected.follow(f"default/k{number}", "default", parse_label_selector(f"app=a{number}"))
    await bench.settle()
    for number in range(200):
        assert await bench.found(f"default/k{number}") == {f"default/p{number}"}
    asked: list[Selector] = []
    matches = Selector.matches

    def counted(self: Selector, labels: Mapping[str, str] | None) -> bool:
        asked.append(self)
        return matches(self, labels)

    monkeypatch.setattr(Selector, "matches", counted)
    await bench.put(pod("p0", app="a1"))
    assert await bench.found("default/k1") == {"default/p0", "default/p1"}
    assert len(asked) < 10


async def test_a_selector_exchanged_while_pods_are_looked_through(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selected_pods, "PORTION", 2)
    for number in range(20):
        await bench.put(pod(f"p{number}", app="ab"[number % 2]))
    bench.selected.follow("default/k", "default", parse_label_selector("app=a"))
    looking = asyncio.ensure_future(bench.selected.pods_of("default/k"))
    await asyncio.sleep(0)  # the first portion
    bench.selected.follow("default/k", "default", parse_label_selector("app=b"))
    assert {labels_of(each)["app"] for each in await looking} == {"b"}
