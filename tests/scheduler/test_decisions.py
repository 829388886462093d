"""Where pods go, and what is said when they go nowhere: the plugins through the decision."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from tests.scheduler.builders import facts, node, world
from wherry.objects.meta import Object
from wherry.scheduler.budgets import Budgets
from wherry.scheduler.catalog import default_profile
from wherry.scheduler.decisions import Decisions
from wherry.scheduler.evaluation import Evaluation
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.preemption import Search, look_at, reasons_on, rows_to_try
from wherry.scheduler.trace import preemption_text
from wherry.scheduler.world import World

PROFILE = default_profile()


def choice(pod: PodFacts, where: World) -> str:
    return Decisions(where, Random(1)).choose(PROFILE, pod)


def message(pod: PodFacts, where: World) -> str:
    """What a pod that fits nowhere is told, after nobody was found to be evicted."""
    evaluation, search = Evaluation(PROFILE, pod, where), Search()
    trace = evaluation.trace()
    rows = rows_to_try(trace, search, Random(1))
    assert not [row for row in rows if look_at(evaluation, search, row, pod, where, Budgets())]
    counts = reasons_on(search, [where.nodes.names[row] for row in rows])
    return trace.message(preemption_text(len(where.nodes), counts))


GPU = {"key": "gpu", "effect": "NoSchedule", "value": "yes"}
SSD = node("ssd", labels={"disk": "ssd", "size": "10"})
HDD = node("hdd", labels={"disk": "hdd"})


def affinity(*terms: dict[str, Any]) -> dict[str, Any]:
    return {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    }


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


def named(name: str) -> dict[str, Any]:
    return {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]}


@pytest.mark.parametrize(
    ("pod", "nodes", "goes_to"),
    [
        pytest.param(facts(), [node("a")], "a", id="anywhere"),
        pytest.param(facts(nodeSelector={"disk": "ssd"}), [SSD, HDD], "ssd", id="node selector"),
        pytest.param(
            facts(affinity=affinity(expression("disk", "NotIn", "ssd"))), [SSD, HDD], "hdd", id="NotIn"
        ),
        pytest.param(facts(affinity=affinity(expression("size", "Gt", "5"))), [SSD, HDD], "ssd", id="Gt"),
        pytest.param(
            facts(affinity=affinity(expression("size", "DoesNotExist"))), [SSD, HDD], "hdd", id="absent"
        ),
        pytest.param(
            facts(affinity=affinity(expression("disk", "In", "no"), expression("disk", "In", "hdd"))),
            [SSD, HDD],
            "hdd",
            id="terms are alternatives",
        ),
        pytest.param(
            facts(
                affinity=affinity(
                    {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["hdd"]}]}
                )
            ),
            [SSD, HDD],
            "hdd",
            id="by field",
        ),
        pytest.param(facts(), [node("t", taints=[GPU]), node("free")], "free", id="taint"),
        pytest.param(
            facts(tolerations=[{"key": "gpu", "operator": "Exists"}]),
            [node("t", taints=[GPU])],
            "t",
            id="tolerated",
        ),
        pytest.param(
            facts(),
            [node("a", taints=[{"key": "x", "effect": "PreferNoSchedule"}]), node("b")],
            "b",
            id="soft taint",
        ),
        pytest.param(facts(), [node("a", unschedulable=True), node("b")], "b", id="cordoned"),
        pytest.param(facts(requests={"cpu": "2"}), [node("a", cpu="1"), node("b", cpu="2")], "b", id="fits"),
        pytest.param(
            facts(requests={"cpu": "1"}), [node("a", cpu="2"), node("b", cpu="16")], "b", id="least allocated"
        ),
    ],
)
def test_goes_to(pod: PodFacts, nodes: list[Object], goes_to: str) -> None:
    assert choice(pod, world(*nodes)) == goes_to


NOT_HELPFUL = (
    "no new claims to deallocate, preemption: 0/{0} nodes are available: "
    "{0} Preemption is not helpful for scheduling."
)


@pytest.mark.parametrize(
    ("pod", "nodes", "text"),
    [
        pytest.param(facts(), [], "no nodes available to schedule pods", id="no nodes"),
        pytest.param(
            facts(requests={"cpu": "8", "memory": "64Gi"}),
            [node("a")],
            "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. " + NOT_HELPFUL.format(1),
            id="too big for any",
        ),
        pytest.param(
            facts(),
            [node("a", pods="0")],
            "0/1 nodes are available: 1 Too many pods. no new claims to deallocate, preemption: "
            "0/1 nodes are available: 1 No preemption victims found for incoming pod.",
            id="too many pods",
        ),
        pytest.param(
            facts(affinity=affinity(named("a"))),
            [node("a", unschedulable=True), node("b"), node("c", taints=[GPU])],
            "0/3 nodes are available: 1 node(s) were unschedulable, "
            "2 node(s) didn't satisfy plugin(s) [NodeAffinity]. " + NOT_HELPFUL.format(3),
            id="a node that is named",
        ),
        pytest.param(
            facts(
                affinity=affinity({"matchFields": [*named("a")["matchFields"], *named("b")["matchFields"]]})
            ),
            [node("a"), node("b")],
            "0/2 nodes are available: pod affinity terms conflict. " + NOT_HELPFUL.format(2),
            id="two nodes at once",
        ),
        pytest.param(
            facts(requests={"example.com/gpu": "1"}),
            [node("a"), node("b", taints=[GPU]), node("c", unschedulable=True)],
            "0/3 nodes are available: 1 Insufficient example.com/gpu, 1 node(s) had untolerated taint(s), "
            "1 node(s) were unschedulable. " + NOT_HELPFUL.format(3),
            id="each its own reason",
        ),
        pytest.param(
            facts(nodeSelector={"disk": "tape"}),
            [SSD, HDD],
            "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. "
            + NOT_HELPFUL.format(2),
            id="selector",
        ),
    ],
)
def test_nowhere(pod: PodFacts, nodes: list[Object], text: str) -> None:
    assert choice(pod, world(*nodes)) == ""
    assert message(pod, world(*nodes)) == text


def test_host_ports_collide_on_one_node_only() -> None:
    where = world(node("a"), node("b"))
    where.place(facts("first", port=80), "a")
    assert choice(facts("second", port=80), where) == "b"
    where.place(facts("second", port=80), "b")
    assert message(facts("third", port=80), where).startswith(
        "0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports."
    )


def test_pods_spread_over_equal_nodes() -> None:
    where = world(*(node(name) for name in "abc"))
    decisions = Decisions(where, Random(1))
    for index in range(9):
        pod = facts(f"p{index}", requests={"cpu": "100m"})
        where.place(pod, decisions.choose(PROFILE, pod))
    assert [int(count) for count in where.nodes.column(where.nodes.pod_count)] == [3, 3, 3]
