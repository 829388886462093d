"""Silent nodes: marked, tainted, emptied, and taken back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controllers import samples
from tests.controllers.bench import Bench, Made, running
from wherry.api.coordination.leases import LEASES
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.controllers.base import Controller
from wherry.controllers.config import ControllerConfig
from wherry.controllers.node_ipam import NodeIpam
from wherry.controllers.nodes.eviction import TaintEviction
from wherry.controllers.nodes.lifecycle import NodeLifecycle
from wherry.controllers.nodes.plan import Driving, plan_taints, says_more
from wherry.controllers.nodes.tolerations import evict_at
from wherry.kit.clock import FakeClock
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, format_micro_time, format_time, parse_time

READY = {"type": "Ready", "status": "True", "reason": "KubeletReady"}


def node(name: str, ready: str = "True", zone: str = "", **spec: Any) -> Object:
    meta = {"name": name, "labels": {"topology.kubernetes.io/zone": zone} if zone else {}}
    return {"metadata": meta, "spec": spec, "status": {"conditions": [{**READY, "status": ready}]}}


async def beat(bench: Bench, name: str) -> None:
    spec = {"holderIdentity": name, "renewTime": format_micro_time(bench.clock.now())}
    try:
        await bench.client.patch(LEASES, name, "kube-node-lease", {"spec": spec})
    except ApiError:
        meta = {"name": name, "namespace": "kube-node-lease"}
        await bench.make(LEASES, {"metadata": meta, "spec": spec})


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


@pytest.mark.parametrize("kind", [NodeLifecycle, NodeIpam])
async def test_a_node_that_only_lives_is_not_looked_at_with_each_heartbeat(
    kind: type[Controller], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    sync = kind.sync

    async def noted(self: Controller, key: str) -> float | None:
        nonlocal looks
        looks += 1
        return await sync(self, key)

    monkeypatch.setattr(kind, "sync", noted)
    config = ControllerConfig(cluster_cidr="10.1.0.0/23")
    async with running(kind, config=config, before=[(NODES, node("a"))]) as bench:
        await live(bench, ("a",), 20)
        assert looks
        looks = 0
        for _ in range(12):
            now = format_time(bench.clock.now())
            patch = {"status": {"conditions": [{**READY, "lastHeartbeatTime": now}]}}
            await bench.client.patch(NODES, "a", "", patch, subresource="status")
            await bench.clock.advance(10)
        assert looks <= 120 / config.node_monitor_grace_s + 1, "when it could be silent"
        looks = 0
        silent = {"status": {"conditions": [{**READY, "status": "False"}]}}
        await bench.client.patch(NODES, "a", "", silent, subresource="status")
        await bench.clock.advance(1)
        assert (looks > 0) == (kind is NodeLifecycle)


NEW = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


async def test_a_new_node_is_given_addresses_and_taints_without_a_conflict() -> None:
    config = ControllerConfig(cluster_cidr="10.1.0.0/23")
    nodes = [(NODES, node(name, taints=[NEW])) for name in ("a", "b")]
    async with running(NodeLifecycle, NodeIpam, config=config, before=nodes) as bench:
        await live(bench, ("a", "b"), 10)
        for name in ("a", "b"):
            stored = await bench.get(NODES, name, "")
            assert stored["spec"]["podCIDR"]
            assert taints_of(stored) == []
        assert ("PATCH", 409) not in bench.rig.server.core.local_calls.counts


async def test_taints_somebody_else_writes_meanwhile_stay() -> None:
    async with running(NodeLifecycle, before=[(NODES, node("a", taints=[NEW]))]) as bench:
        (controller,) = bench.controllers.controllers
        assert isinstance(controller, NodeLifecycle)
        stale = await bench.get(NODES, "a", "")
        stale["spec"]["taints"] = [NEW]
        other: Object = {"key": "example.com/mine", "effect": "NoSchedule"}
        await bench.client.patch(NODES, "a", "", {"spec": {"taints": [other]}})
        with pytest.raises(ApiError) as refused:
            await controller._exchange_taints("a", stale, [NEW], [])
        assert refused.value.code == 409
        assert taints_of(await bench.get(NODES, "a", "")) == [("mine", "NoSchedule")]


def test_what_says_more_than_a_heartbeat() -> None:
    old = node("a", spec={"podCIDR": "10.0.0.0/24"})
    later = {**old, "metadata": {**old["metadata"], "resourceVersion": "9", "managedFields": [{}]}}
    later["status"] = {"conditions": [{**READY, "lastHeartbeatTime": "2026-01-01T00:00:00Z"}]}
    assert not says_more(old, later)
    meta = later["metadata"]
    others: list[Object] = [
        {"metadata": {**meta, "labels": {"a": "b"}}},
        {"metadata": {**meta, "deletionTimestamp": "2026-01-01T00:00:00Z"}},
        {"metadata": {**meta, "uid": "another"}},
        {"spec": {"unschedulable": True}},
        {"status": {"conditions": [{**READY, "status": "False"}]}},
        {"status": {}},
    ]
    for other in others:
        assert says_more(old, {**later, **other})


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
                **samples.pod(name, spec={"nodeName": "b", "tolerations": tolerated}),
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
            },
        )
        for name, tolerated in (
            ("brief", tolerations),
            ("none", [{**tolerations[0], "tolerationSeconds": 0}]),
            ("any", [{"operator": "Exists"}]),
        )
    ]
    before = [(NODES, node("a")), (NODES, node("b")), *pods]
    async with running(NodeLifecycle, TaintEviction, before=before) as bench:
        await live(bench, ("a",), 40)
        assert len(await bench.lasting(PODS)) == 3
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
        assert [p["metadata"]["name"] for p in await bench.lasting(PODS)] == ["any", "brief"]
        assert (await bench.get(PODS, "any"))["status"]["conditions"][0]["status"] == "False"
        await live(bench, ("a",), 280)
        assert len(await bench.lasting(PODS)) == 2
        await live(bench, ("a",), 20)
        assert [p["metadata"]["name"] for p in await bench.lasting(PODS)] == ["any"]


async def test_a_node_that_comes_back_loses_its_taints_and_its_pods_stay() -> None:
    tolerations = [{"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}]
    pod = samples.pod("p", spec={"nodeName": "b", "tolerations": tolerations})
    before = [(NODES, node("a")), (NODES, node("b")), (PODS, pod)]
    async with running(NodeLifecycle, TaintEviction, before=before) as bench:
        await live(bench, ("a",), 100)
        assert taints_of(await bench.get(NODES, "b", "")) != []
        back = {**READY, "lastHeartbeatTime": format_time(bench.clock.now())}
        await bench.client.patch(NODES, "b", "", {"status": {"conditions": [back]}}, subresource="status")
        await bench.settle()
        assert taints_of(await bench.get(NODES, "b", "")) == []
        await live(bench, ("a", "b"), 400)
        assert len(await bench.lasting(PODS)) == 1
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
        await bench.client.patch(NODES, "a", "", {"spec": {"unschedulable": None}})
        await bench.set_status(NODES, await bench.get(NODES, "a"), conditions=pressure)
        await bench.settle()
        assert taints_of(await bench.get(NODES, "a", "")) == [("memory-pressure", "NoSchedule")]


def test_taints_of_others_stay() -> None:
    mine = {"key": "dedicated", "value": "db", "effect": "NoExecute"}
    assert plan_taints(node("a", taints=[mine]), Driving.ADD, FakeClock().now()) == [mine]


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


async def test_many_nodes_that_never_report_cost_each_event_the_same() -> None:
    """Nobody asks about every node for every node: what is counted is kept."""
    before = [(NODES, node(f"n{number}", "Unknown")) for number in range(200)]
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
        assert len(controller._zones.silent()) == 180


async def test_those_still_silent_are_given_up_on_when_a_disruption_ends() -> None:
    before = [(NODES, node(name, "Unknown")) for name in ("a", "b")]
    async with running(NodeLifecycle, before=before) as bench:
        await live(bench, ("a",), 30)
        assert ("unreachable", "NoExecute") not in taints_of(await bench.get(NODES, "b", ""))
        await bench.set_status(NODES, await bench.get(NODES, "a", ""), conditions=[READY])
        await live(bench, ("a",), 30)
        assert ("unreachable", "NoExecute") in taints_of(await bench.get(NODES, "b", ""))


def emptied(nodes: list[Object]) -> set[str]:
    driven = ("unreachable", "NoExecute")
    return {stored["metadata"]["name"] for stored in nodes if driven in taints_of(stored)}


async def test_each_zone_gives_up_on_its_nodes_one_after_the_other() -> None:
    before = [(NODES, node(f"{zone}{number}", zone=zone)) for zone in "ab" for number in range(4)]
    async with running(NodeLifecycle, before=before) as bench:
        await live(bench, ("a0", "a1", "b0", "b1"), 50)
        assert {name[0] for name in emptied(await bench.all(NODES))} == {"a", "b"}
        assert len(emptied(await bench.all(NODES))) == 2
        await live(bench, ("a0", "a1", "b0", "b1"), 10)
        assert emptied(await bench.all(NODES)) == {"a2", "a3", "b2", "b3"}


async def test_in_a_small_disrupted_zone_nobody_is_given_up_on_until_it_is_better() -> None:
    before = [(NODES, node(name, zone="z")) for name in "abcde"] + [(NODES, node("o", zone="other"))]
    async with running(NodeLifecycle, before=before) as bench:
        await live(bench, ("a", "b", "o"), 200)  # three of five
        first = emptied(await bench.all(NODES))
        assert len(first) <= 1  # the first was given up on before the others were known to be silent
        await beat(bench, "e")
        back = {**READY, "lastHeartbeatTime": format_time(bench.clock.now())}
        await bench.client.patch(NODES, "e", "", {"status": {"conditions": [back]}}, subresource="status")
        await live(bench, ("a", "b", "e", "o"), 30)
        assert emptied(await bench.all(NODES)) == {"c", "d"}


async def test_a_zone_without_any_ready_node_is_emptied_while_another_lives() -> None:
    before = [(NODES, node(name, zone="z")) for name in "abc"] + [(NODES, node("o", zone="other"))]
    async with running(NodeLifecycle, before=before) as bench:
        await live(bench, ("o",), 100)
        assert emptied(await bench.all(NODES)) == {"a", "b", "c"}


async def test_when_all_fall_silent_taints_go_and_come_only_after_a_new_grace_period() -> None:
    before = [(NODES, node(name)) for name in "abc"]
    async with running(NodeLifecycle, before=before) as bench:
        await live(bench, ("b", "c"), 60)
        assert emptied(await bench.all(NODES)) == {"a"}
        await bench.clock.advance(70)
        assert emptied(await bench.all(NODES)) == set()
        assert taints_of(await bench.get(NODES, "a", "")) == [("unreachable", "NoSchedule")]
        back = {**READY, "lastHeartbeatTime": format_time(bench.clock.now())}
        await bench.client.patch(NODES, "b", "", {"status": {"conditions": [back]}}, subresource="status")
        await live(bench, ("b",), 30)
        assert emptied(await bench.all(NODES)) == {"a", "c"}


async def test_a_node_that_speaks_again_and_is_not_ready_changes_its_taint_at_once() -> None:
    before = [(NODES, node(name)) for name in ("a", "b", "c", "d")]
    async with running(NodeLifecycle, before=before) as bench:
        await live(bench, ("c", "d"), 50)
        (first,) = emptied(await bench.all(NODES))
        unready = {**READY, "status": "False", "lastHeartbeatTime": format_time(bench.clock.now())}
        await bench.set_status(NODES, await bench.get(NODES, first, ""), conditions=[unready])
        await bench.settle()
        stored = await bench.get(NODES, first, "")
        assert taints_of(stored) == [("not-ready", "NoSchedule"), ("not-ready", "NoExecute")]


async def test_nodes_that_come_and_go_are_told_of_and_get_the_labels_of_old() -> None:
    async def long_ago(bench: Bench) -> None:
        with bench.clock.at("2020-01-01T00:00:00Z"):
            await bench.make(NODES, {"metadata": {"name": "old"}})

    async with running(NodeLifecycle, before=long_ago) as bench:
        labels = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64", "beta.kubernetes.io/arch": "x"}
        await bench.create(NODES, {"metadata": {"name": "n", "labels": labels}})
        stored = (await bench.get(NODES, "n", ""))["metadata"]["labels"]
        assert stored["beta.kubernetes.io/os"] == "linux"
        assert stored["beta.kubernetes.io/arch"] == "arm64"
        await bench.client.delete(NODES, "n")
        await bench.settle()
        told = [event for event in bench.events() if "Controller" in event]
        assert told == [
            "RegisteredNode: Node n event: Registered Node n in Controller",
            "RemovingNode: Node n event: Removing Node n from Controller",
        ]


async def test_a_pod_that_came_after_the_taint_has_its_time_from_then_on() -> None:
    taint = {**TAINT, "timeAdded": "2020-01-01T00:00:00Z"}
    tolerations = [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}]
    async with running(TaintEviction, before=[(NODES, node("a", taints=[taint]))]) as bench:
        scheduled = {"type": "PodScheduled", "status": "True"}
        scheduled["lastTransitionTime"] = format_time(bench.clock.now())
        pod = samples.pod("p", spec={"nodeName": "a", "tolerations": tolerations})
        await bench.create(PODS, {**pod, "status": {"conditions": [scheduled]}})
        await bench.clock.advance(50)
        assert len(await bench.lasting(PODS)) == 1
        await bench.clock.advance(15)
        assert await bench.lasting(PODS) == []


def ready_pod(name: str, node_name: str) -> Object:
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    return {**samples.pod(name, spec={"nodeName": node_name}), "status": status}


async def is_in_service(bench: Bench, name: str) -> bool:
    conditions = (await bench.get(PODS, name))["status"]["conditions"]
    return [one["status"] for one in conditions if one["type"] == "Ready"] == ["True"]


async def test_pods_of_a_node_that_says_itself_it_is_not_ready_stay_in_service() -> None:
    """Its kubelet lives, and knows best how its pods are."""
    before: list[tuple[Any, Object]] = [(NODES, node("a")), (NODES, node("b", "False"))]
    async with running(NodeLifecycle, before=[*before, (PODS, ready_pod("p", "b"))]) as bench:
        await live(bench, ("a", "b"), 60)
        await bench.client.patch(NODES, "b", "", {"metadata": {"labels": {"x": "y"}}})
        for status in ("True", "False"):
            word = {**READY, "status": status, "lastHeartbeatTime": format_time(bench.clock.now())}
            await bench.set_status(NODES, await bench.get(NODES, "b", ""), conditions=[word])
            await live(bench, ("a", "b"), 20)
        assert ("not-ready", "NoSchedule") in taints_of(await bench.get(NODES, "b", ""))
        assert await is_in_service(bench, "p")
        await live(bench, ("a",), 60)  # now it falls silent, but was not in service before: no turn of ours
        assert await is_in_service(bench, "p")


async def test_a_pod_that_comes_to_a_node_that_is_not_ready_is_not_in_service() -> None:
    before: list[tuple[Any, Object]] = [(NODES, node("a")), (NODES, node("b", "False"))]
    async with running(NodeLifecycle, before=[*before, (PODS, ready_pod("there", "b"))]) as bench:
        await bench.store(PODS, ready_pod("new", "b"))
        await bench.store(PODS, ready_pod("other", "a"))
        assert [await is_in_service(bench, name) for name in ("there", "new", "other")] == [True, False, True]
        assert "NodeNotReady: Node is not ready" in bench.events()


async def test_pods_of_a_node_given_up_on_before_a_restart_are_still_taken_out_of_service() -> None:
    before: list[tuple[Any, Object]] = [(NODES, node("a")), (NODES, node("b", "Unknown"))]
    async with running(NodeLifecycle, before=[*before, (PODS, ready_pod("p", "b"))]) as bench:
        assert not await is_in_service(bench, "p")


async def test_a_pod_that_changes_while_it_is_marked_is_marked_again() -> None:
    before: list[tuple[Any, Object]] = [(NODES, node("a")), (NODES, node("b"))]
    async with running(NodeLifecycle, before=[*before, (PODS, ready_pod("p", "b"))]) as bench:
        refused: list[Made] = []

        def refuse_once(made: Made) -> Exception | None:
            if refused or not made.path.endswith("/pods/p/status"):
                return None
            refused.append(made)
            return ApiError(409, "Conflict", "changed meanwhile")

        bench.requests.refuse = refuse_once
        await live(bench, ("a",), 60)
        assert refused
        assert not await is_in_service(bench, "p")
        assert bench.events().count("NodeNotReady: Node is not ready") == 1


def test_a_taint_that_comes_later_puts_nothing_off() -> None:
    later = {**TAINT, "key": "later", "timeAdded": "2026-01-01T00:01:59Z"}
    for_ever = {"key": "later", "operator": "Exists"}
    brief = {"key": "k", "operator": "Exists", "tolerationSeconds": 60}
    sixty_s = parse_time("2026-01-01T00:01:00Z")
    assert evict_at([TAINT, later], [brief, for_ever], FakeClock().now()) == sixty_s
    longer = {**for_ever, "tolerationSeconds": 300}
    assert evict_at([TAINT, later], [brief, longer], FakeClock().now()) == sixty_s
    shorter = {**for_ever, "tolerationSeconds": 10}
    brief["tolerationSeconds"] = 300
    assert evict_at([TAINT, later], [brief, shorter], sixty_s) == parse_time("2026-01-01T00:02:09Z")


async def test_the_time_a_pod_has_goes_on_when_its_node_falls_silent_after_it_was_not_ready() -> None:
    pod = samples.pod("p", spec={"nodeName": "b"})  # tolerates either for 300 seconds, by admission
    async with running(
        NodeLifecycle, TaintEviction, before=[(NODES, node("a")), (NODES, node("b", "False")), (PODS, pod)]
    ) as bench:
        await live(bench, ("a", "b"), 200)
        assert ("not-ready", "NoExecute") in taints_of(await bench.get(NODES, "b"))
        await live(bench, ("a",), 90)
        assert ("unreachable", "NoExecute") in taints_of(await bench.get(NODES, "b"))
        assert len(await bench.lasting(PODS)) == 1
        await live(bench, ("a",), 20)
        assert await bench.lasting(PODS) == []


async def test_a_taint_that_does_not_say_when_it_was_set_counts_from_when_it_was_seen() -> None:
    undated = {"key": "k", "effect": "NoExecute"}
    pod = samples.pod("p", spec={"nodeName": "a", "tolerations": [{"key": "k", "tolerationSeconds": 60}]})
    pod["spec"]["tolerations"][0]["operator"] = "Exists"
    pod["spec"]["tolerations"][0]["effect"] = "NoExecute"
    async with running(TaintEviction, before=[(NODES, node("a")), (PODS, pod)]) as bench:
        await bench.client.patch(NODES, "a", "", {"spec": {"taints": [undated]}})
        await bench.clock.advance(30)
        await bench.client.patch(PODS, "p", "default", {"metadata": {"labels": {"x": "y"}}})
        other = {"key": "other", "effect": "NoSchedule"}
        await bench.client.patch(NODES, "a", "", {"spec": {"taints": [undated, other]}})
        await bench.clock.advance(25)
        assert len(await bench.lasting(PODS)) == 1
        await bench.clock.advance(10)
        assert await bench.lasting(PODS) == []


async def test_nobody_is_given_up_on_while_the_watch_of_leases_is_behind() -> None:
    names = ("a", "b", "c")
    async with running(NodeLifecycle, before=[(NODES, node(name)) for name in names]) as bench:
        (controller,) = bench.controllers.controllers
        cache = controller.cache
        await live(bench, names, 20)
        await cache._running[LEASES].close()  # a connection that is half open tells nobody that it stalls
        asked = len(bench.requests.calls)
        await live(bench, names, 120)
        assert {taint for stored in await bench.all(NODES) for taint in taints_of(stored)} == set()
        reads = [
            call for call in bench.requests.calls[asked:] if "/leases/" in call.path and call.method == "GET"
        ]
        assert len(reads) == 1, "one answer is enough for all"
        cache._run(cache.informer(LEASES))
        await live(bench, ("a", "b"), 60)
        assert taints_of(await bench.get(NODES, "a", "")) == []
        assert ("unreachable", "NoExecute") in taints_of(await bench.get(NODES, "c", ""))
