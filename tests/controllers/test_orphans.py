"""Many orphans before many owners of one selector: one adopts, and no more is written than orphans need."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from tests.client.nowhere import Nowhere
from tests.controllers import samples
from tests.controllers.bench import Bench, running
from wherry.api.apps.replica_sets import REPLICA_SETS
from wherry.api.apps.stateful_sets import STATEFUL_SETS
from wherry.api.core.pods import PODS
from wherry.api.resource import Resource
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.controllers.adoptions import Adoptions
from wherry.controllers.base import Controller
from wherry.controllers.daemonset.controller import DaemonSets
from wherry.controllers.job.controller import Jobs
from wherry.controllers.ownership import PASSED_OVER_S, claim_place
from wherry.controllers.replicas.controller import ReplicaSets
from wherry.controllers.statefulset.controller import StatefulSets
from wherry.kit.clock import FakeClock
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, controller_of

LABELS = {"app": "web"}
MANY = 10


def orphan(number: int, name: str = "") -> Object:
    return samples.pod(name or f"o{number}", labels=LABELS, finalizers=["x/y"])


def owner(number: int, replicas: int = MANY) -> Object:
    return samples.workload(f"s{number}", LABELS, replicas=replicas)


def owner_of_kind(kind: type[Controller], number: int) -> Object:
    """One that wants one pod, as that kind says it."""
    if kind is Jobs:
        selector, template = {"matchLabels": LABELS}, samples.template(LABELS, restartPolicy="Never")
        return samples.job(f"s{number}", manualSelector=True, selector=selector, template=template)
    return owner(number, 1)


def calls(bench: Bench, method: str) -> Counter[str]:
    return Counter(
        call.path for call in bench.requests.calls if call.method == method and "/pods/" in call.path
    )


async def test_orphans_that_were_there_first_are_written_once_each() -> None:
    before: list[tuple[Resource, Object]] = [(PODS, orphan(number)) for number in range(MANY)]
    before += [(REPLICA_SETS, owner(number)) for number in range(MANY)]
    async with running(ReplicaSets, before=before) as bench:
        await bench.clock.advance(60)
        await bench.settle()
        patched = calls(bench, "PATCH")
        assert set(patched.values()) == {1}
        assert len(patched) == MANY
        pods = {pod["metadata"]["name"]: controller_of(pod) for pod in await bench.all(PODS)}
        assert all(pods.values())
        assert len(pods) == MANY * MANY  # the other sets have made their own


async def test_orphans_that_come_later_are_written_once_each() -> None:
    before: list[tuple[Resource, Object]] = [(REPLICA_SETS, owner(number, 0)) for number in range(MANY)]
    async with running(ReplicaSets, before=before) as bench:
        for number in range(MANY):
            await bench.make(PODS, orphan(number))
        await bench.settle()
        assert set(calls(bench, "PATCH").values()) == {1}


async def test_owners_of_two_kinds_share_one_view_of_who_adopts() -> None:
    before: list[tuple[Resource, Object]] = [(PODS, orphan(0, "s0-0"))]
    before += [(REPLICA_SETS, owner(0, 1)), (STATEFUL_SETS, owner(0, 1))]
    async with running(ReplicaSets, StatefulSets, before=before) as bench:
        await bench.settle()
        assert calls(bench, "PATCH") == {"/api/v1/namespaces/default/pods/s0-0": 1}


@pytest.mark.parametrize("kind", [ReplicaSets, StatefulSets, DaemonSets, Jobs])
async def test_whoever_passed_an_orphan_over_adopts_it_when_the_other_could_not(
    monkeypatch: pytest.MonkeyPatch, kind: type[Controller]
) -> None:
    """The set that comes first is refused for ever; the other looks again."""
    patch = kind.patch

    async def refusing(self: Controller, key: str, resource: Resource, *args: Any, **more: Any) -> Object:
        if resource is PODS and key == "default/s0":
            raise ApiError(403, "Forbidden", "not you")
        return await patch(self, key, resource, *args, **more)

    monkeypatch.setattr(kind, "patch", refusing)
    owners = [(kind.primary, owner_of_kind(kind, number)) for number in range(2)]
    # a StatefulSet takes those of its own names alone, so of these only one can
    name = "s1-0" if kind is StatefulSets else "o0"
    async with running(kind, before=[*owners, (PODS, orphan(0, name))]) as bench:
        for _ in range(2):
            await bench.clock.advance(PASSED_OVER_S + 1)
            await bench.settle()
        adopted = controller_of(await bench.get(PODS, name))
        assert adopted is not None
        assert adopted["name"] == "s1"


async def test_what_is_taken_is_free_again_in_another_version_or_given_back() -> None:
    async with running(ReplicaSets) as bench:
        cache = bench.controllers.cache
        adoptions = Adoptions(cache)
        await bench.create(PODS, orphan(0))
        first = cache.get(PODS, "default/o0")
        assert first is not None
        assert adoptions.take(PODS, first)
        assert not adoptions.take(PODS, first)
        adoptions.give_back(PODS, first)
        assert adoptions.take(PODS, first)
        await bench.client.patch(PODS, "o0", "default", {"metadata": {"labels": {"v": "2"}}})
        await bench.settle()
        second = cache.get(PODS, "default/o0")
        assert second is not None
        assert adoptions.take(PODS, second)
        assert not adoptions.take(PODS, first)  # taken in the version the cache shows


async def test_what_is_over_is_forgotten() -> None:
    async with running(ReplicaSets) as bench:
        adoptions = Adoptions(bench.controllers.cache)
        for number in range(3):
            await bench.create(PODS, orphan(number))
            pod = bench.controllers.cache.get(PODS, f"default/o{number}")
            assert pod is not None
            assert adoptions.take(PODS, pod)
            await bench.client.patch(PODS, f"o{number}", "default", {"metadata": {"labels": {"v": "2"}}})
            await bench.settle()
        adoptions._forget_what_is_over()
        assert len(adoptions) == 0


def selected(**selector: Any) -> Object:
    return {"kind": "ReplicaSet", "metadata": {"namespace": "n"}, "spec": {"selector": selector}}


@pytest.mark.parametrize(
    ("selector", "place"),
    [
        ({"matchLabels": {"b": "1", "a": "2"}}, ["n/a=2"]),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, ["n/"]),
        ({"matchExpressions": [{"key": "a", "operator": "Nonsense"}]}, []),
        ({}, []),
    ],
)
def test_owners_are_found_by_a_pair_their_selector_demands(selector: Object, place: list[str]) -> None:
    assert claim_place(selected(**selector)) == place


def test_an_object_nobody_knows_is_not_taken() -> None:
    cache = Cache(Client(Nowhere()), FakeClock(), random=Random(0))
    cache.add(PODS)
    assert not Adoptions(cache).take(PODS, {"metadata": {"name": "x", "namespace": "default", "uid": "u"}})
