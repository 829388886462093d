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
from wherry.client.api import Client
from wherry.objects.meta import Object
from wherry.scheduler.decisions import Decisions
from wherry.scheduler.evaluation import Evaluation
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.preemption import (
    NEVER,
    TERMINATING,
    Candidate,
    Search,
    ineligible,
    look_at,
    read_budget,
)
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
    read = [read_budget(item) for item in budgets]
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
