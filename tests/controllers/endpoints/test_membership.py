"""Who is in which service, through any order of changes, and what an event costs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.client.nowhere import Nowhere
from tests.controllers.bench import running
from wherry.api.core.pods import PODS
from wherry.api.core.services import SERVICES
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.controllers.catalog import CONTROLLERS
from wherry.controllers.endpoints.membership import Membership
from wherry.controllers.endpoints.service_controller import ServiceController
from wherry.controllers.selected_pods import PORTION
from wherry.kit.clock import FakeClock
from wherry.objects.meta import Object, name_of


def pod(name: str, **labels: str) -> Object:
    return {"metadata": {"name": name, "namespace": "n", "labels": labels, "uid": name}}


def service(name: str, **selector: str) -> Object:
    return {"metadata": {"name": name, "namespace": "n", "uid": name}, "spec": {"selector": selector}}


class Shelves:
    """A cache whose objects a test puts there itself."""

    def __init__(self) -> None:
        self.cache = Cache(Client(Nowhere()), FakeClock())
        self.members = Membership(self.cache)
        self._revision = 0

    def put(self, resource: Any, obj: Object) -> None:
        self._revision += 1
        meta = {**obj["metadata"], "resourceVersion": str(self._revision)}
        self.cache.add(resource).shelf.put({**obj, "metadata": meta})

    def remove(self, resource: Any, obj: Object) -> None:
        self.cache.add(resource).shelf.remove(obj)

    async def of(self, name: str) -> list[str]:
        found = self.cache.get(SERVICES, f"n/{name}")
        return sorted(name_of(p) for p in await self.members.pods_of(found)) if found is not None else []


LABELS = st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"), max_size=2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pod"), st.sampled_from("123"), LABELS),
        st.tuples(st.just("service"), st.sampled_from("123"), LABELS),
        st.tuples(st.sampled_from(["no pod", "no service"]), st.sampled_from("123"), st.just({})),
        st.tuples(st.just("look"), st.sampled_from("123"), st.just({})),
    ),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_it_is_what_looking_through_all_pods_would_give(steps: list[tuple[str, str, dict[str, str]]]) -> None:
    async def run() -> None:
        shelves = Shelves()
        pods: dict[str, dict[str, str]] = {}
        services: dict[str, dict[str, str]] = {}
        for what, name, labels in steps:
            if what == "pod":
                pods[name] = labels
                shelves.put(PODS, pod(name, **labels))
            elif what == "service":
                services[name] = labels
                shelves.put(SERVICES, service(name, **labels))
            elif what == "look":
                await shelves.of(name)
            elif what == "no pod":
                pods.pop(name, None)
                shelves.remove(PODS, pod(name))
            else:
                services.pop(name, None)
                shelves.remove(SERVICES, service(name))
        for name, selector in services.items():
            wanted = [p for p in pods if selector and selector.items() <= pods[p].items()]
            assert await shelves.of(name) == sorted(wanted)
        for name, labels in pods.items():
            wanted_by = {f"n/{s}" for s in services if services[s] and services[s].items() <= labels.items()}
            assert shelves.members.services_of(pod(name, **labels)) == wanted_by

    asyncio.run(run())


async def test_neither_pods_nor_services_are_looked_through_per_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shelves = Shelves()
    for number in range(300):
        shelves.put(SERVICES, service(f"s{number}", app=f"a{number}"))
        shelves.put(PODS, pod(f"p{number}", app=f"a{number}"))
    assert await shelves.of("s7") == ["p7"]

    def fail(*_: Any) -> list[Object]:
        raise AssertionError("everything was looked at")

    monkeypatch.setattr(shelves.cache, "list", fail)
    shelves.put(PODS, pod("new", app="a7"))
    assert shelves.members.services_of(pod("new", app="a7")) == {"n/s7"}
    assert await shelves.of("s7") == ["new", "p7"]


async def test_a_new_selector_is_held_against_the_namespace_in_portions() -> None:
    shelves = Shelves()
    for number in range(2 * PORTION):
        shelves.put(PODS, pod(f"p{number}", app="a"))
    shelves.put(SERVICES, service("s", app="a"))
    found = shelves.cache.get(SERVICES, "n/s")
    assert found is not None
    looking = asyncio.create_task(shelves.members.pods_of(found))
    await asyncio.sleep(0)
    assert not looking.done()
    shelves.remove(PODS, pod("p0", app="a"))
    shelves.remove(PODS, pod(f"p{2 * PORTION - 1}", app="a"))
    shelves.put(PODS, pod("new", app="a"))
    names = {name_of(p) for p in await looking}
    assert len(names) == 2 * PORTION - 1
    assert "new" in names


async def test_a_pod_relabelled_while_the_namespace_is_looked_through_is_judged_as_it_is() -> None:
    shelves = Shelves()
    for number in range(2 * PORTION):
        shelves.put(PODS, pod(f"p{number}", app="a" if number else "b"))
    shelves.put(SERVICES, service("s", app="a"))
    found = shelves.cache.get(SERVICES, "n/s")
    assert found is not None
    looking = asyncio.create_task(shelves.members.pods_of(found))
    await asyncio.sleep(0)
    shelves.put(PODS, pod(f"p{2 * PORTION - 1}", app="other"))
    shelves.put(PODS, pod("p0", app="a"))
    assert not looking.done()
    names = {name_of(p) for p in await looking}
    assert names == {f"p{number}" for number in range(2 * PORTION - 1)}


async def test_a_selector_that_changes_while_it_is_looked_for_is_looked_for_anew() -> None:
    shelves = Shelves()
    for number in range(2 * PORTION):
        shelves.put(PODS, pod(f"p{number}", app="b"))
    shelves.put(SERVICES, service("s", app="a"))
    found = shelves.cache.get(SERVICES, "n/s")
    assert found is not None
    looking = asyncio.create_task(shelves.members.pods_of(found))
    await asyncio.sleep(0)
    shelves.put(SERVICES, service("s", app="b"))
    assert len(await looking) == 2 * PORTION


async def test_a_pod_that_went_with_other_labels_and_came_back_is_judged_anew() -> None:
    shelves = Shelves()
    shelves.put(SERVICES, service("s", app="a"))
    shelves.put(PODS, pod("p", app="a"))
    assert await shelves.of("s") == ["p"]
    shelves.remove(PODS, pod("p"))
    shelves.put(PODS, pod("p"))
    assert await shelves.of("s") == []
    assert shelves.members.count("n/s") == 0


async def test_the_controllers_of_endpoints_share_one() -> None:
    async with running(*(kind for kind in CONTROLLERS if issubclass(kind, ServiceController))) as bench:
        kept = {id(controller.members) for controller in bench.controllers.controllers}  # type: ignore[attr-defined]
        assert (len(bench.controllers.controllers), len(kept)) == (2, 1)
