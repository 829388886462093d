"""Where pods go, and what is said when they go nowhere: the plugins through the decision."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from tests.scheduler.builders import facts, node, table
from wherry.objects.meta import Object
from wherry.scheduler.catalog import FILTERS, SCORES
from wherry.scheduler.cycle import Decision, decide
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.table import NodeTable


def decision(pod: PodFacts, nodes: NodeTable) -> Decision:
    return decide(pod, nodes, FILTERS, SCORES, Random(1))


GPU = {"key": "gpu", "effect": "NoSchedule", "value": "yes"}
SSD = node("ssd", labels={"disk": "ssd", "size": "10"})
HDD = node("hdd", labels={"disk": "hdd"})


def affinity(*terms: dict[str, Any]) -> dict[str, Any]:
    return {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    }


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


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
    assert decision(pod, table(*nodes)).node == goes_to


NOT_HELPFUL = (
    "no new claims to deallocate, preemption: 0/{0} nodes are available: "
    "{0} Preemption is not helpful for scheduling."
)


@pytest.mark.parametrize(
    ("pod", "nodes", "message"),
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
def test_nowhere(pod: PodFacts, nodes: list[Object], message: str) -> None:
    found = decision(pod, table(*nodes))
    assert found.node == ""
    assert found.message() == message


def test_host_ports_collide_on_one_node_only() -> None:
    nodes = table(node("a"), node("b"))
    nodes.add_pod("a", facts("first", port=80))
    assert decision(facts("second", port=80), nodes).node == "b"
    nodes.add_pod("b", facts("second", port=80))
    assert (
        decision(facts("third", port=80), nodes)
        .message()
        .startswith("0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports.")
    )


def test_pods_spread_over_equal_nodes() -> None:
    nodes = table(*(node(name) for name in "abc"))
    for index in range(9):
        pod = facts(f"p{index}", requests={"cpu": "100m"})
        nodes.add_pod(decision(pod, nodes).node, pod)
    assert [int(count) for count in nodes.column(nodes.pod_count)] == [3, 3, 3]
