"""Whom preemption chooses, by upstream's order; and that room is made, kept and used."""

from __future__ import annotations

import asyncio
from operator import attrgetter
from random import Random
from typing import Any

import pytest

from tests.conftest import eventually
from tests.hurried_clock import HurriedClock
from tests.scheduler.builders import READER, facts, node, pod, world
from tests.scheduler.test_decisions import PROFILE
from tests.scheduler.test_scheduler import make_node, make_pod, messages, scheduled, where
from wherry.api.core.pods import PODS
from wherry.api.scheduling.priority_classes import PRIORITY_CLASSES
from wherry.client.api import Client
from wherry.kit.clock import FakeClock
from wherry.objects.meta import Object
from wherry.scheduler.budgets import Budgets
from wherry.scheduler.decisions import Decisions
from wherry.scheduler.evaluation import Evaluation
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.feed import Feed
from wherry.scheduler.preemption import (
    NEVER,
    TERMINATING,
    Candidate,
    Search,
    ineligible,
    look_at,
)
from wherry.scheduler.queue import PodQueue
from wherry.scheduler.world import World


def placed(name: str, *, cpu: str = "1", priority: int = 0, started: str = "", **more: Any) -> PodFacts:
    time = f"2026-01-01T0{started}:00:00Z" if started else ""
    status = {"startTime": time} if started else None
    return facts(name, requests={"cpu": cpu}, priority=priority, status=status, **more)


def budget(allowed: int, *disrupted: str, labels: dict[str, str] | None = None) -> Object:
    return {
        "metadata": {"name": "b", "namespace": "default"},
        "spec": {"selector": {"matchLabels": labels or {"app": "guarded"}}},
        "status": {"disruptionsAllowed": allowed, "disruptedPods": dict.fromkeys(disrupted, "")},
    }


def best(where: World, incoming: PodFacts, *budgets: Object) -> Candidate | None:
    evaluation = Evaluation(PROFILE, incoming, where)
    read = Budgets()
    for item in budgets:
        read.changed(None, item)
    rows = range(len(where.nodes))
    found = [look_at(evaluation, Search(), row, incoming, where, read) for row in rows]
    return min((one for one in found if one is not None), key=attrgetter("rank"), default=None)


def names(candidate: Candidate | None) -> tuple[str, list[str]]:
    assert candidate is not None
    return candidate.node, [victim.key.removeprefix("default/") for victim in candidate.victims]


GUARDED: dict[str, Any] = {"labels": {"app": "guarded"}}


@pytest.mark.parametrize(
    ("pods", "budgets", "choice"),
    [
        pytest.param(
            {"a": [placed("a1", priority=5)], "b": [placed("b1", priority=3)]}, (), ("b", ["b1"]), id="lowest"
        ),
        pytest.param(
            {"a": [placed("a1", priority=1, **GUARDED)], "b": [placed("b1", priority=7)]},
            (budget(0),),
            ("b", ["b1"]),
            id="budgets before priorities",
        ),
        pytest.param(
            {"a": [placed("a1", priority=1, **GUARDED)], "b": [placed("b1", priority=7)]},
            (budget(0, "a1"),),
            ("a", ["a1"]),
            id="an eviction under way is counted already",
        ),
        pytest.param(
            {
                "a": [placed("a1", cpu="500m", priority=2), placed("a2", cpu="500m", priority=2)],
                "b": [placed("b1", priority=2)],
            },
            (),
            ("b", ["b1"]),
            id="fewest",
        ),
        pytest.param(
            {
                "a": [placed("a1", cpu="500m", priority=2), placed("a2", cpu="500m", priority=1)],
                "b": [placed("b1", cpu="500m", priority=2), placed("b2", cpu="500m", priority=2)],
            },
            (),
            ("a", ["a1", "a2"]),
            id="smallest sum of priorities",
        ),
        pytest.param(
            {
                "a": [placed("a1", started="1")],
                "b": [placed("b1", started="3")],
                "c": [placed("c1", started="2")],
            },
            (),
            ("b", ["b1"]),
            id="latest start",
        ),
        pytest.param(
            {"a": [placed("a1", cpu="500m", priority=1), placed("a2", cpu="500m", priority=4)]},
            (),
            ("a", ["a2", "a1"]),
            id="most important first",
        ),
    ],
)
def test_the_choice(
    pods: dict[str, list[PodFacts]], budgets: tuple[Object, ...], choice: tuple[str, list[str]]
) -> None:
    where = world(*(node(name, cpu="1") for name in pods))
    for name, found in pods.items():
        for one in found:
            where.place(one, name)
    incoming = facts("incoming", requests={"cpu": "1"}, priority=9)
    assert names(best(where, incoming, *budgets)) == choice


def test_as_many_as_possible_are_spared_the_most_important_first() -> None:
    where = world(node("a", cpu="4"))
    for one in (
        placed("low", priority=1),
        placed("mid", priority=2),
        placed("high", priority=3),
        placed("own", priority=9),
    ):
        where.place(one, "a")
    assert names(best(where, facts("incoming", requests={"cpu": "2"}, priority=9))) == ("a", ["mid", "low"])
    assert best(where, facts("equal", requests={"cpu": "2"}, priority=1)) is None
    assert best(where, facts("too-big", requests={"cpu": "4"}, priority=9)) is None


def test_guarded_pods_are_spared_before_others() -> None:
    where = world(node("a", cpu="2"))
    where.place(placed("plain", priority=5), "a")
    where.place(placed("guarded", priority=1, **GUARDED), "a")
    incoming = facts("incoming", requests={"cpu": "1"}, priority=9)
    assert names(best(where, incoming, budget(0))) == ("a", ["plain"])
    assert names(best(where, incoming, budget(1))) == ("a", ["guarded"])


def test_anti_affinity_is_made_room_for() -> None:
    term = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "loud"}}}
    rules = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    where = world(node("a", labels={"zone": "x"}), node("b"))
    where.place(placed("loud", labels={"app": "loud"}), "a")
    where.place(placed("quiet"), "a")
    assert names(best(where, facts("incoming", priority=9, affinity=rules))) == ("a", ["loud"])


def test_who_may_not_preempt() -> None:
    where = world(node("a", cpu="1"))
    victim = placed("victim")
    where.place(victim, "a")
    never = facts("never", requests={"cpu": "1"}, priority=9, preemptionPolicy="Never")
    assert ineligible(never, Evaluation(PROFILE, never, where).trace(), where) == NEVER
    waiting = facts("waiting", requests={"cpu": "1"}, priority=9, status={"nominatedNodeName": "a"})
    trace = Evaluation(PROFILE, waiting, where).trace()
    assert ineligible(waiting, trace, where) == ""
    condition = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
    going = pod("victim", requests={"cpu": "1"}, status={"conditions": [condition]})
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    where.place(READER.read(going), "a")
    assert ineligible(waiting, trace, where) == TERMINATING


def test_room_that_is_promised_is_kept_from_others_of_its_priority() -> None:
    where = world(node("a", cpu="1"))
    decisions = Decisions(where, Random(1))
    promised = facts("promised", requests={"cpu": "1"}, priority=5, status={"nominatedNodeName": "a"})
    where.place(promised, "a", is_nominated=True)
    assert decisions.choose(PROFILE, facts("other", requests={"cpu": "1"}, priority=5)) == ""
    assert [one.pod.uid for one in where.nominated_below(6)] == [promised.uid]
    assert where.nominated_below(5) == []
    where.displace(promised.uid)
    assert decisions.choose(PROFILE, promised) == "a"


def test_lesser_pods_take_room_again_when_lesser_ones_are_tried() -> None:
    where = world(node("a", cpu="3"), node("b"))
    for name, priority in (("low", 1), ("mid", 5), ("high", 9)):
        where.place(facts(name, requests={"cpu": "1"}, priority=priority), "a", is_nominated=True)
    for priority, used in ((0, 3), (5, 2), (10, 0), (9, 1), (1, 3), (2, 2)):
        where.reserve_from(priority)
        assert where.nodes.pod_count[0] == used
    low = where.nomination("uid-low")
    assert low is not None
    assert (low.node, where.is_nominated("uid-low"), "uid-low" in where.placed) == ("a", True, False)
    assert sorted(pod.uid for pod in where.nominated_on("a")) == ["uid-high", "uid-low", "uid-mid"]
    where.place(low.pod, "b")  # it was bound meanwhile
    assert not where.is_nominated("uid-low")
    where.reserve_from(10)
    where.displace("uid-mid")  # it is gone
    where.reserve_from(0)
    assert [int(count) for count in where.nodes.pod_count[:2]] == [1, 1]


async def priority_pod(client: Client, name: str, priority_class: str, **more: Any) -> None:
    await make_pod(client, name, priorityClassName=priority_class, **more)


async def test_a_pod_takes_the_place_of_lesser_ones() -> None:
    async with scheduled(HurriedClock()) as (client, _):
        await make_node(client, "a", cpu="1")
        await make_pod(client, "small", requests={"cpu": "1"})

        async def small_is_bound() -> bool:
            return await where(client, "small") == "a"

        await eventually(small_is_bound)
        conditions: list[Object] = []

        async def watch() -> None:
            async for event in client.watch(PODS, "default"):
                if event.object["metadata"]["name"] == "small":
                    conditions.extend(event.object["status"].get("conditions") or ())

        watching = asyncio.create_task(watch())
        await priority_pod(
            client, "vital", "system-node-critical", requests={"cpu": "1"}, namespace="default"
        )

        async def is_nominated() -> bool:
            status = (await client.get(PODS, "vital", "default")).get("status") or {}
            return status.get("nominatedNodeName") == "a"

        await eventually(is_nominated)
        vital = await client.get(PODS, "vital", "default")

        async def told() -> bool:
            return await messages(client, "Preempted") == [
                f"Preempted by pod {vital['metadata']['uid']} on node a"
            ]

        await eventually(told)
        # Nobody runs here: the victim's end is for its kubelet to say.
        await client.delete(PODS, "small", "default", grace_period_s=0)

        async def vital_is_bound() -> bool:
            return await where(client, "vital") == "a"

        await eventually(vital_is_bound)
        watching.cancel()
        doom = next(c for c in conditions if c["type"] == "DisruptionTarget")
        assert doom["reason"] == "PreemptionByScheduler"
        assert doom["message"] == "default-scheduler: preempting to accommodate a higher priority pod"
        failed = await messages(client, "FailedScheduling")
        assert failed == ["0/1 nodes are available: 1 Insufficient cpu."]


async def nominate(client: Client, name: str, node_name: str | None) -> None:
    await client.patch(
        PODS, name, "default", {"status": {"nominatedNodeName": node_name}}, subresource="status"
    )


async def nominated(client: Client, name: str) -> str:
    found = await client.get(PODS, name, "default")
    return (found.get("status") or {}).get("nominatedNodeName") or ""


@pytest.mark.parametrize(
    "hopeless",
    [
        pytest.param({"nodeSelector": {"nobody": "has"}}, id="fits nowhere"),
        pytest.param(
            {"nodeSelector": {"nobody": "has"}, "priority_class": "polite", "preemptionPolicy": "Never"},
            id="never preempts",
        ),
        pytest.param(
            {"tolerations": [{"key": f"k{n}", "operator": "Exists"} for n in range(501)]}, id="asks too much"
        ),
    ],
)
async def test_a_node_named_by_others_is_kept_for_no_pod_that_does_not_fit(hopeless: dict[str, Any]) -> None:
    async with scheduled(HurriedClock()) as (client, _):
        await make_node(client, "a", cpu="1")
        polite = {"metadata": {"name": "polite"}, "value": 9, "preemptionPolicy": "Never"}
        await client.create(PRIORITY_CLASSES, polite)
        await priority_pod(
            client,
            "squatter",
            **{"priority_class": "system-node-critical", **hopeless},
            requests={"cpu": "1"},
        )

        async def told() -> bool:
            return bool(await messages(client, "FailedScheduling"))

        await eventually(told)
        await nominate(client, "squatter", "a")

        async def given_back() -> bool:
            return not await nominated(client, "squatter")

        await eventually(given_back)
        await make_pod(client, "web", requests={"cpu": "1"})

        async def web_is_bound() -> bool:
            return await where(client, "web") == "a"

        await eventually(web_is_bound)


async def test_a_node_named_by_others_is_tried_at_once() -> None:
    found = World()
    found.set_node(node("a"))
    queue = PodQueue(FakeClock(), lambda *_: False)
    feed = Feed(found, queue, {"default-scheduler"})
    feed._pod_changed(None, pod("web"))
    assert [one.uid for one in await queue.pop()] == ["uid-web"]
    queue.failed("uid-web", "key", (), frozenset())
    feed._pod_changed(pod("web"), pod("web", status={"nominatedNodeName": "a"}))
    assert [one.nominated_node for one in await queue.pop()] == ["a"]


def test_whoever_takes_its_nomination_back_frees_the_node() -> None:
    found = World()
    found.set_node(node("a", cpu="1"))
    queue = PodQueue(FakeClock(), lambda *_: False)
    feed = Feed(found, queue, {"default-scheduler"})
    asks: dict[str, Any] = {"requests": {"cpu": "1"}, "priority": 9}
    plain, named = pod("web", **asks), pod("web", status={"nominatedNodeName": "a"}, **asks)
    feed._pod_changed(None, plain)
    feed._pod_changed(plain, named)
    assert found.is_nominated("uid-web")
    feed._pod_changed(named, {**plain})
    assert not found.is_nominated("uid-web")
    assert found.nodes.pod_count[0] == 0
    # What is set aside against more important pods is no news either.
    feed._pod_changed(plain, named)
    found.reserve_from(10)
    changes = queue.changes
    feed._pod_changed(named, {**named, "metadata": {**named["metadata"], "annotations": {"a": "b"}}})
    assert (queue.changes, found.nodes.pod_count[0]) == (changes, 0)
    feed._pod_changed(named, {**plain})
    assert not found.is_nominated("uid-web")
    # One of the scheduler's own stays, though its status does not say so yet.
    found.place(facts("web", **asks), "a", is_nominated=True)
    feed._pod_changed(plain, {**plain, "metadata": {**plain["metadata"], "annotations": {"a": "b"}}})
    assert found.is_nominated("uid-web")
