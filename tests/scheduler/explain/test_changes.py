"""The smallest change that makes a pod fit: each constraint alone, several together, none that would do."""

from __future__ import annotations

import asyncio
import dataclasses
from random import Random
from typing import Any

import pytest

from tests.growth.meter import steps_of
from tests.scheduler.builders import READER, facts, node, world
from tests.scheduler.test_decisions import PROFILE, affinity, expression, named
from tests.timing import least_awaited, spent
from wherry.objects.meta import Object
from wherry.scheduler.decisions import Decisions
from wherry.scheduler.explain import changes as changes_module
from wherry.scheduler.explain.changes import MOST_TRIALS, Changes, shown
from wherry.scheduler.explain.constraints import _READERS, MOST, constraints_of, without
from wherry.scheduler.explain.explainer import Explainer
from wherry.scheduler.facts import PodFacts, PodReader, Template, read_changed
from wherry.scheduler.world import World

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
ZONE = "topology.kubernetes.io/zone"
DB = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
OLD = {"key": "old", "effect": "NoExecute"}


async def changes(pod: PodFacts, where: World) -> list[Object] | None:
    return await Changes(where, PROFILE, pod).find()


def texts(found: list[Object] | None) -> list[list[str]]:
    assert found is not None
    return [[step["change"] for step in change["steps"]] for change in found]


def pods(rules: str, key: str, name: str) -> dict[str, Any]:
    term = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": name}}}
    return {rules: {REQUIRED: [term]}}


SPREAD = {
    "topologyKey": ZONE,
    "maxSkew": 1,
    "whenUnsatisfiable": "DoNotSchedule",
    "labelSelector": {"matchLabels": {"app": "web"}},
}


@pytest.mark.parametrize(
    ("pod", "nodes", "change", "instead"),
    [
        pytest.param(
            facts(requests={"cpu": "2"}),
            [node("a", cpu="1"), node("b", cpu="1500m")],
            "lower containers[0].resources.requests.cpu from 2 to 1500m",
            "add a node with 2 of cpu",
            id="cpu",
        ),
        pytest.param(
            facts(requests={"memory": "3Gi"}),
            [node("a", memory="2500000Ki")],
            "lower containers[0].resources.requests.memory from 3Gi to 2441Mi",
            "add a node with 3Gi of memory",
            id="memory, in whole mebibytes",
        ),
        pytest.param(
            facts(requests={"example.com/gpu": "2"}),
            [node("a", more={"example.com/gpu": "1"})],
            "lower containers[0].resources.requests.example.com/gpu from 2 to 1",
            "add a node with 2 of example.com/gpu",
            id="an extended resource",
        ),
        pytest.param(
            facts(),
            [node("a", taints=[DB])],
            "tolerate the taint dedicated=db:NoSchedule",
            "kubectl taint node a dedicated:NoSchedule-",
            id="a taint",
        ),
        pytest.param(
            facts(),
            [node("a", taints=[DB, OLD])],
            "tolerate the taints dedicated=db:NoSchedule and old:NoExecute",
            "kubectl taint node a dedicated:NoSchedule- old:NoExecute-",
            id="two taints",
        ),
        pytest.param(
            facts(),
            [node("a", unschedulable=True)],
            "tolerate the taint node.kubernetes.io/unschedulable:NoSchedule",
            "kubectl uncordon a",
            id="a cordoned node",
        ),
        pytest.param(
            facts(nodeSelector={"disk": "ssd"}),
            [node("a")],
            "remove disk=ssd from the nodeSelector",
            "kubectl label node a disk=ssd",
            id="a node selector",
        ),
        pytest.param(
            facts(nodeSelector={"kubernetes.io/hostname": "b"}),
            [node("a")],
            "remove kubernetes.io/hostname=b from the nodeSelector",
            "",
            id="a node selector of a label that is the system's",
        ),
        pytest.param(
            facts(affinity=affinity(expression("disk", "In", "ssd", "nvme"))),
            [node("a")],
            "remove the required node affinity",
            "",
            id="node affinity",
        ),
        pytest.param(
            facts(affinity=affinity(named("gone"))),
            [node("a")],
            "remove the required node affinity",
            "",
            id="a node that is not there",
        ),
        pytest.param(
            facts(affinity=pods("podAffinity", ZONE, "db")),
            [node("a")],
            f"remove the required affinity to pods with app=db in one {ZONE}",
            "",
            id="pod affinity",
        ),
        pytest.param(
            facts(labels={"app": "web"}, topologySpreadConstraints=[SPREAD]),
            [node("a")],
            f"let the spreading over {ZONE} be ScheduleAnyway",
            "",
            id="spreading",
        ),
    ],
)
async def test_one_change(pod: PodFacts, nodes: list[Object], change: str, instead: str) -> None:
    found = await changes(pod, world(*nodes))
    assert texts(found) == [[change]]
    assert found is not None
    assert found[0]["steps"][0].get("instead", "") == instead


async def test_other_pods_are_in_the_way() -> None:
    where = world(node("a", cpu="4", labels={ZONE: "x"}))
    where.place(facts("loud", labels={"app": "loud"}, port=80, requests={"cpu": "3"}), "a")
    quiet = facts("quiet", affinity=pods("podAntiAffinity", ZONE, "loud"))
    assert texts(await changes(quiet, where)) == [
        [f"remove the required anti-affinity to pods with app=loud in one {ZONE}"]
    ]
    assert texts(await changes(facts("port", port=80), where)) == [["do without the host ports 80/TCP"]]
    found = await changes(facts("cpu", requests={"cpu": "2"}), where)
    assert texts(found) == [["lower containers[0].resources.requests.cpu from 2 to 1"]]
    assert found is not None
    assert found[0]["steps"][0]["instead"] == "free 1 of cpu on a"
    where.place(facts("shy", affinity=pods("podAntiAffinity", ZONE, "web")), "a")
    assert texts(await changes(facts("web", labels={"app": "web"}), where)) == [
        ["have other labels than those that placed pods want to be apart from"]
    ]


async def test_the_change_that_opens_most_nodes_comes_first() -> None:
    nodes = [node("a", taints=[DB]), *(node(f"n{number}", cpu="1") for number in range(3))]
    found = await changes(facts(requests={"cpu": "2"}), world(*nodes))
    assert found is not None
    assert [change["count"] for change in found] == [3, 1]


async def test_several_together_and_no_more_than_are_needed() -> None:
    nodes = [node("a", cpu="1", taints=[DB]), node("b", cpu="1", taints=[DB], unschedulable=True)]
    found = await changes(facts(requests={"cpu": "2"}, nodeSelector={"disk": "ssd"}), world(*nodes))
    assert [sorted(one) for one in texts(found)] == [
        [
            "lower containers[0].resources.requests.cpu from 2 to 1",
            "remove disk=ssd from the nodeSelector",
            "tolerate the taint dedicated=db:NoSchedule",
        ]
    ]


async def test_what_comes_to_light_behind_a_named_node() -> None:
    """Of nodes that are not looked at nobody knows yet what else is wrong with them."""
    pod = facts(requests={"cpu": "2"}, affinity=affinity(named("gone")))
    assert [sorted(one) for one in texts(await changes(pod, world(node("a", cpu="1"))))] == [
        ["lower containers[0].resources.requests.cpu from 2 to 1", "remove the required node affinity"]
    ]


async def test_nothing_the_pod_could_do() -> None:
    assert await changes(facts(), world(node("a", pods="0"))) == []
    assert await changes(facts(), world()) == []
    assert await changes(facts(), world(node("a"))) is None


async def test_one_requirement_of_several_is_enough() -> None:
    term = {
        "matchExpressions": [
            {"key": "disk", "operator": "In", "values": ["ssd"]},
            {"key": "gpu", "operator": "Exists"},
        ]
    }
    found = texts(await changes(facts(affinity=affinity(term)), world(node("a", labels={"disk": "ssd"}))))
    assert ["remove the requirement gpu Exists from the required node affinity"] in found
    both = texts(await changes(facts(affinity=affinity(term)), world(node("a"))))
    assert both == [["remove the required node affinity"]]


async def test_looking_changes_nothing() -> None:
    where = world(node("a", cpu="1", taints=[DB]))
    where.place(facts("other", requests={"cpu": "500m"}), "a")
    before = (where.moment, where.era, int(where.nodes.requested["cpu"][0]))
    pod = facts(requests={"cpu": "2"}, tolerations=[{"key": "x", "operator": "Exists"}])
    copy = repr(pod.pod)
    assert await changes(pod, where)
    assert (where.moment, where.era, int(where.nodes.requested["cpu"][0])) == before
    assert repr(pod.pod) == copy


async def test_thousands_of_nodes_hold_nobody_up() -> None:
    where = world(*(node(f"n{number}", labels={ZONE: f"z{number % 3}"}) for number in range(2000)))
    pod = facts(nodeSelector={f"k{number}": "v" for number in range(30)})
    held = [0.0]

    async def others() -> None:
        while True:
            with spent() as took:
                await asyncio.sleep(0)
            held[0] = max(held[0], took.thread_s)

    async def longest_s() -> float:
        held[0] = 0.0
        beside = asyncio.create_task(others())
        explainer = Explainer(where, Decisions(where, Random(1)), {PROFILE.name: PROFILE}, READER.read)
        status = await explainer.what_if(pod.pod)
        beside.cancel()
        assert [change["count"] for change in status["changes"]] == [2000]
        return held[0]

    assert await least_awaited(longest_s, 0.1) < 0.1, "it takes some three milliseconds"


async def test_so_much_is_tried_and_no_more() -> None:
    """Requirements that only together keep it from the node: not all that are needed are found out."""
    selector = {f"k{number}": "v" for number in range(MOST - 1)}
    wanted = {f"example.com/r{number}": "1" for number in range(30)}
    pod = facts(nodeSelector=selector, requests=wanted)
    search = Changes(world(node("a")), PROFILE, pod)
    found = await search.find()
    assert found is not None
    assert len(found[0]["steps"]) > 30
    assert search.stopped == f"stopped looking after {MOST_TRIALS} trials"
    explainer = Explainer(
        world(node("a")), Decisions(world(), Random(1)), {PROFILE.name: PROFILE}, READER.read
    )
    assert (await explainer.what_if(pod.pod))["changesNote"] == search.stopped


async def test_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes_module, "MOST_WORK_S", 0.0)
    search = Changes(world(node("a")), PROFILE, facts(nodeSelector={"disk": "ssd"}))
    assert await search.find() == []
    assert search.stopped == "stopped looking after 0 s of work and 1 trials"


EVERYTHING = facts(
    labels={"app": "web"},
    port=80,
    requests={"cpu": "2", "example.com/gpu": "1"},
    nodeSelector={"disk": "ssd", "x": "y"},
    tolerations=[{"key": "x", "operator": "Exists"}],
    overhead={"cpu": "1"},
    topologySpreadConstraints=[SPREAD],
    affinity={**affinity(expression("disk", "In", "ssd", "nvme")), **pods("podAntiAffinity", ZONE, "db")},
)


def test_what_is_not_read_again_is_as_if_it_were() -> None:
    where = world(node("a", taints=[DB]), node("b", unschedulable=True))
    before = repr(EVERYTHING.pod)
    known = constraints_of(EVERYTHING, _READERS.keys(), where)
    assert len({one.field for one in known}) > 8
    for left_out in [(), known, *((one,) for one in known)]:
        pod = without(EVERYTHING.pod, left_out)
        again, whole = read_changed(EVERYTHING, pod), PodReader().read(pod)
        for part in dataclasses.fields(Template):
            assert getattr(again.template, part.name) == getattr(whole.template, part.name), part.name
        assert (again.claims, again.node_name, again.pod) == (whole.claims, whole.node_name, pod)
    assert repr(EVERYTHING.pod) == before


def test_a_trial_costs_what_is_changed_of_the_pod() -> None:
    """Not what its containers weigh."""

    def steps(size: int) -> int:
        containers = [{"name": f"c{number}", "image": "i"} for number in range(size)]
        pod = facts(containers=containers, nodeSelector={"disk": "ssd"})
        (constraint,) = (c for c in constraints_of(pod, {"NodeAffinity"}, world()) if "disk" in c.change)
        return steps_of(lambda: read_changed(pod, without(pod.pod, (constraint,))))[0]

    assert steps(200) == steps(2)


def test_there_is_a_bound() -> None:
    pod = facts(nodeSelector={f"k{number}": "v" for number in range(200)})
    assert len(constraints_of(pod, {"NodeAffinity"}, world())) == MOST


@pytest.mark.parametrize(
    ("resource", "amount", "text"),
    [("cpu", 1500, "1500m"), ("cpu", 2000, "2"), ("memory", 3 << 29, "1536Mi"), ("example.com/gpu", 3, "3")],
)
def test_amounts(resource: str, amount: int, text: str) -> None:
    assert shown(resource, amount) == text
