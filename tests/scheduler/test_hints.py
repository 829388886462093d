"""Which changes may help a pod that was rejected: those, and no others (upstream's queueing hints)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import eventually
from tests.hurried_clock import HurriedClock
from tests.scheduler.builders import facts, node, world
from tests.scheduler.test_decisions import PROFILE
from tests.scheduler.test_scheduler import make_node, make_pod, scheduled, where
from wherry.scheduler.evaluation import Evaluation
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Change, Kind
from wherry.scheduler.world import World

ZONE = "topology.kubernetes.io/zone"
TAINT = {"key": "a", "effect": "NoSchedule"}


def near(app: str) -> dict[str, Any]:
    term = {"topologyKey": ZONE, "labelSelector": {"matchLabels": {"app": app}}}
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def apart(app: str) -> dict[str, Any]:
    return {"podAntiAffinity": near(app)["podAffinity"]}


def spread(app: str) -> list[dict[str, Any]]:
    selector = {"matchLabels": {"app": app}}
    return [
        {"topologyKey": ZONE, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector}
    ]


def helps(pod: PodFacts, change: Change, where: World) -> bool:
    """Whether any plugin that rejected the pod is concerned."""
    rejecting = [PROFILE.plugins[name] for name in Evaluation(PROFILE, pod, where).trace().rejecting()]
    return any(change.kind in p.changes and p.concerned(pod, change, where) for p in rejecting)


def on_node(name: str) -> Change:
    return Change(Kind.NODE, {name: None}, {})


def of_pod(kind: Kind, pod: PodFacts, name: str = "a") -> Change:
    return Change(kind, {name: None}, {pod.uid: pod})


@pytest.mark.parametrize(
    ("pod", "first", "then", "is_helped"),
    [
        pytest.param(facts(requests={"cpu": "8"}), node("a"), node("b"), False, id="as small"),
        pytest.param(facts(requests={"cpu": "8"}), node("a"), node("b", cpu="8"), True, id="large enough"),
        pytest.param(facts(requests={"cpu": "8"}), node("a"), node("a", cpu="8"), True, id="has grown"),
        pytest.param(facts(), node("a", taints=[TAINT]), node("b", taints=[TAINT]), False, id="tainted too"),
        pytest.param(facts(), node("a", taints=[TAINT]), node("a"), True, id="untainted"),
        pytest.param(facts(), node("a", unschedulable=True), node("a"), True, id="uncordoned"),
        pytest.param(
            facts(nodeSelector={"x": "y"}), node("a"), node("b", labels={"x": "z"}), False, id="label"
        ),
        pytest.param(
            facts(nodeSelector={"x": "y"}), node("a"), node("b", labels={"x": "y"}), True, id="labelled"
        ),
        pytest.param(
            facts(topologySpreadConstraints=spread("x")), node("a"), node("b"), False, id="no domain either"
        ),
        pytest.param(
            facts(topologySpreadConstraints=spread("x")),
            node("a"),
            node("b", labels={ZONE: "z"}),
            True,
            id="zone",
        ),
    ],
)
def test_nodes(pod: PodFacts, first: Any, then: Any, is_helped: bool) -> None:
    where = world(first)
    rejecting = [PROFILE.plugins[n] for n in Evaluation(PROFILE, pod, where).trace().rejecting()]
    assert rejecting
    where.set_node(then)
    change = on_node(then["metadata"]["name"])
    assert any(p.concerned(pod, change, where) for p in rejecting if Kind.NODE in p.changes) == is_helped


@pytest.mark.parametrize(
    ("pod", "kind", "other", "is_helped"),
    [
        pytest.param(
            facts(affinity=near("db")),
            Kind.POD_PLACED,
            facts("db", labels={"app": "db"}),
            True,
            id="a friend came",
        ),
        pytest.param(
            facts(affinity=near("db")),
            Kind.POD_PLACED,
            facts("x", labels={"app": "x"}),
            False,
            id="a stranger came",
        ),
        pytest.param(
            facts(affinity=near("db")),
            Kind.POD_LABELS,
            facts("db", labels={"app": "db"}),
            True,
            id="now a friend",
        ),
        pytest.param(
            facts(requests={"cpu": "8"}), Kind.POD_PLACED, facts("x"), False, id="it wants room, and one came"
        ),
    ],
)
def test_pods(pod: PodFacts, kind: Kind, other: PodFacts, is_helped: bool) -> None:
    where = world(node("a", labels={ZONE: "z"}))
    assert helps(pod, of_pod(kind, other), where) == is_helped


def test_a_pod_that_went() -> None:
    where = world(node("a", cpu="2", labels={ZONE: "z"}), node("b", cpu="1", labels={ZONE: "y"}))
    small, loud = facts("small", requests={"cpu": "1"}), facts("loud", labels={"app": "loud"})
    where.place(small, "a")
    where.place(facts("big", requests={"cpu": "1"}), "a")
    where.place(facts("other", requests={"cpu": "1"}), "b")
    waiting = facts("waiting", requests={"cpu": "2"})
    where.displace(small.uid)
    assert not helps(waiting, of_pod(Kind.POD_GONE, small), where), "half of what it wants"
    where.displace("uid-big")
    rejecting = PROFILE.plugins["NodeResourcesFit"]
    assert rejecting.concerned(waiting, of_pod(Kind.POD_GONE, facts("big")), where)
    lonely = facts("lonely", affinity=apart("loud"))
    affinity = PROFILE.plugins["InterPodAffinity"]
    assert affinity.concerned(lonely, of_pod(Kind.POD_GONE, loud), where)
    assert not affinity.concerned(lonely, of_pod(Kind.POD_GONE, small), where)


async def test_whoever_waits_for_a_friend_goes_when_the_friend_has_come() -> None:
    async with scheduled(HurriedClock()) as (client, scheduler):
        await make_node(client, "a", labels={ZONE: "z"})
        await make_pod(client, "waiting", affinity=near("db"))

        async def rests() -> bool:
            return bool(scheduler._queue._groups)

        await eventually(rests)
        await make_pod(client, "db", labels={"app": "db"})

        async def bound() -> bool:
            return await where(client, "waiting") == "a"

        await eventually(bound)
