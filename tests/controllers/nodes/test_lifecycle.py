"""Silent nodes: marked, tainted, emptied, and taken back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controllers.bench import Bench, running
from wherry.api.coordination.leases import LEASES
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.controllers.nodes.eviction import TaintEviction
from wherry.controllers.nodes.lifecycle import NodeLifecycle
from wherry.controllers.nodes.plan import is_disrupted, plan_taints
from wherry.controllers.nodes.tolerations import evict_at
from wherry.kit.clock import FakeClock
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, format_micro_time, format_time

READY = {"type": "Ready", "status": "True", "reason": "KubeletReady"}


def node(name: str, ready: str = "True", **spec: Any) -> Object:
    return {"metadata": {"name": name}, "spec": spec, "status": {"conditions": [{**READY, "status": ready}]}}


async def beat(bench: Bench, name: str) -> None:
    spec = {"holderIdentity": name, "renewTime": format_micro_time(bench.clock.now())}
    try:
        await bench.client.patch(LEASES, name, "kube-node-lease", {"spec": spec})
    except ApiError:
        meta = {"name": name, "namespace": "kube-node-lease"}
        await bench.client.create(LEASES, {"metadata": meta, "spec": spec})


async def live(bench: Bench, names: tuple[str, ...], seconds: int) -> None:
    """Let time pass while these nodes renew their leases."""
    for _ in range(seconds // 10):
        for name in names:
            await beat(bench, name)
        await bench.clock.advance(10)


def taints_of(stored: Object) -> list[tuple[str, str]]:
    return [(t["key"].split("/")[1], t["effect"]) for t in stored["spec"].get("taints") or []]


async def test_a_node_that_beats_stays_ready() -> None:
    async with running(NodeLifecycle, before=[(NODES, node("a"))]) as bench:
        await live(bench, ("a",), 200)
        stored = await bench.get(NODES, "a", "")
        assert stored["status"]["conditions"] == [READY]
        assert taints_of(stored) == []


async def test_a_silent_node_is_marked_tainted_and_emptied() -> None:
    tolerations = [
        {
            "key": "node.kubernetes.io/unreachable",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": 300,
        }
    ]
    pods: list[tuple[Any, Object]] = [
        (
            PODS,
            {
                "metadata": {"name": name, "namespace": "default"},
                "spec": {"nodeName": "b", "tolerations": tolerated},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
            },
        )
        for name, tolerated in (("brief", tolerations), ("none", []), ("any", [{"operator": "Exists"}]))
    ]
    before = [(NODES, node("a")), (NODES, node("b")), *pods]
    async with running(NodeLifecycle, TaintEviction, before=before) as bench:
        await live(bench, ("a",), 40)
        assert len(await bench.all(PODS)) == 3
        await live(bench, ("a",), 20)
        stored = await bench.get(NODES, "b", "")
        ready = stored["status"]["conditions"][0]
        assert (ready["status"], ready["reason"], ready["message"]) == (
            "Unknown",
            "NodeStatusUnknown",
            "Kubelet stopped posting node status.",
        )
        assert {c["type"] for c in stored["status"]["conditions"]} == {
            "Ready",
            "MemoryPressure",
            "DiskPressure",
            "PIDPressure",
        }
        assert taints_of(stored) == [("unreachable", "NoSchedule"), ("unreachable", "NoExecute")]
        assert "NodeNotReady: Node b status is now: NodeNotReady" in bench.events()
        assert "TaintManagerEviction: Marking for deletion Pod default/none" in bench.events()
        assert [p["metadata"]["name"] for p in await bench.all(PODS)] == ["any", "brief"]
        assert (await bench.get(PODS, "any"))["status"]["conditions"][0]["status"] == "False"
        await live(bench, ("a",), 280)
        assert len(await bench.all(PODS)) == 2
        await live(bench, ("a",), 20)
        assert [p["metadata"]["name"] for p in await bench.all(PODS)] == ["any"]


async def test_a_node_that_comes_back_loses_its_taints_and_its_pods_stay() -> None:
    pod: Object = {
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {
            "nodeName": "b",
            "tolerations": [{"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}],
        },
    }
    before = [(NODES, node("a")), (NODES, node("b")), (PODS, pod)]
    async with running(NodeLifecycle, TaintEviction, before=before) as bench:
        await live(bench, ("a",), 100)
        assert taints_of(await bench.get(NODES, "b", "")) != []
        back = {**READY, "lastHeartbeatTime": format_time(bench.clock.now())}
        await bench.client.patch(NODES, "b", "", {"status": {"conditions": [back]}}, subresource="status")
        await bench.settle()
        assert taints_of(await bench.get(NODES, "b", "")) == []
        await live(bench, ("a", "b"), 400)
        assert len(await bench.all(PODS)) == 1
        assert "TaintManagerEviction: Cancelling deletion of Pod default/p" in bench.events()


async def test_when_no_node_is_heard_nobody_is_evicted() -> None:
    async with running(NodeLifecycle, before=[(NODES, node("a"))]) as bench:
        await bench.clock.advance(60)
        assert taints_of(await bench.get(NODES, "a", "")) == [("unreachable", "NoSchedule")]


async def test_cordon_and_pressure_become_taints() -> None:
    async with running(NodeLifecycle, before=[(NODES, node("a"))]) as bench:
        await bench.client.patch(NODES, "a", "", {"spec": {"unschedulable": True}})
        await bench.settle()
        assert taints_of(await bench.get(NODES, "a", "")) == [("unschedulable", "NoSchedule")]
        pressure = [READY, {"type": "MemoryPressure", "status": "True"}]
        await bench.client.patch(
            NODES, "a", "", {"spec": {"unschedulable": None}, "status": {"conditions": pressure}}
        )
        await bench.settle()
        assert taints_of(await bench.get(NODES, "a", "")) == [("memory-pressure", "NoSchedule")]


def test_taints_of_others_stay() -> None:
    mine = {"key": "dedicated", "value": "db", "effect": "NoExecute"}
    assert plan_taints(node("a", taints=[mine]), True, FakeClock().now()) == [mine]


@pytest.mark.parametrize(
    ("nodes", "silent", "disrupted"),
    [
        (0, 0, True),
        (1, 1, True),
        (2, 1, False),
        (3, 2, False),
        (5, 3, True),
        (6, 3, False),
        (60, 40, False),
        (60, 60, True),
    ],
)
def test_disruption(nodes: int, silent: int, disrupted: bool) -> None:
    assert is_disrupted(nodes, silent) == disrupted


TAINT = {"key": "k", "value": "v", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("tolerations", "delay_s"),
    [
        ([], 0.0),
        ([{"operator": "Exists"}], None),
        ([{"operator": "Exists", "tolerationSeconds": 60}], 60.0),
        ([{"operator": "Exists", "tolerationSeconds": 60}, {"key": "k", "operator": "Exists"}], 60.0),
        ([{"operator": "Exists", "tolerationSeconds": -1}], 0.0),
    ],
)
def test_evict_at(tolerations: list[Object], delay_s: float | None) -> None:
    now = FakeClock().now()
    due = evict_at([TAINT], tolerations, now)
    assert (None if due is None else (due - now).total_seconds()) == delay_s


async def test_a_thousand_nodes_that_never_report_cost_each_event_the_same() -> None:
    """Nobody asks about every node for every node: what is counted is kept."""
    before = [(NODES, node(f"n{number}", "Unknown")) for number in range(1000)]
    async with running(NodeLifecycle, before=before) as bench:
        (controller,) = bench.controllers.controllers
        listed = 0
        list_all = controller.cache.list

        def counting(*arguments: Any) -> list[Object]:
            nonlocal listed
            listed += 1
            return list_all(*arguments)

        controller.cache.list = counting  # type: ignore[method-assign, assignment]
        for number in range(20):
            stored = await bench.get(NODES, f"n{number}", "")
            await bench.set_status(NODES, stored, conditions=[READY])
        await bench.settle()
        assert listed == 0
        assert isinstance(controller, NodeLifecycle)
        assert len(controller._silent) == 980


async def test_those_still_silent_are_given_up_on_when_a_disruption_ends() -> None:
    before = [(NODES, node(name, "Unknown")) for name in ("a", "b")]
    async with running(NodeLifecycle, before=before) as bench:
        await live(bench, ("a",), 30)
        assert ("unreachable", "NoExecute") not in taints_of(await bench.get(NODES, "b", ""))
        await bench.set_status(NODES, await bench.get(NODES, "a", ""), conditions=[READY])
        await live(bench, ("a",), 30)
        assert ("unreachable", "NoExecute") in taints_of(await bench.get(NODES, "b", ""))
