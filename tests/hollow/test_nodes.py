"""Simulated nodes: made, kept alive, lost and found, and taken over by whoever starts next."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.apiserver.rig import ALICE
from tests.apiserver.rig import running as api_running
from tests.hollow.rig import HOLLOW, ready, simulated
from wherry.api.coordination.leases import LEASES
from wherry.api.core.nodes import NODES
from wherry.api.rbac.cluster_roles import CLUSTER_ROLES
from wherry.api.resource import Resource
from wherry.client.leases import NODE_LEASE_NAMESPACE
from wherry.hollow.documents import StageError
from wherry.hollow.hollow import HollowNodes
from wherry.hollow.machines import NodeTemplate, read_template, read_template_file
from wherry.hollow.outcomes import Outcome
from wherry.hollow.rights import USER, ensure_rights
from wherry.kit.clock import FakeClock, settle
from wherry.objects.conditions import find_condition
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, name_of

POOL = NodeTemplate(
    pool="big",
    count=3,
    name="big-{index}",
    capacity={"cpu": "8", "memory": "16Gi", "pods": "20"},
    allocatable={"cpu": "7"},
    labels={"tier": "gold"},
    annotations={"note": "x"},
    taints=[{"key": "only", "value": "this", "effect": "NoSchedule"}],
    region="r",
    zones=["a", "b"],
)


async def test_nodes_are_made_of_the_template() -> None:
    async with simulated(POOL) as s:
        assert s.hollow.names == ["big-0", "big-1", "big-2"]
        nodes = (await s.client.list(NODES)).items
        zones = [node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in nodes]
        assert zones == ["a", "b", "a"]
        first = nodes[0]
        assert first["metadata"]["labels"]["tier"] == "gold"
        assert first["metadata"]["labels"]["kubernetes.io/hostname"] == "big-0"
        assert first["metadata"]["annotations"] == {"note": "x", "kwok.x-k8s.io/node": "fake"}
        assert {"key": "only", "value": "this", "effect": "NoSchedule"} in first["spec"]["taints"]
        assert first["status"]["capacity"]["cpu"] == "8"
        assert first["status"]["allocatable"] == {"cpu": "7", "memory": "16Gi", "pods": "20"}
        assert ready(first["status"]) == "True"
        assert first["status"]["nodeInfo"]["kubeletVersion"] == "v1.37.0"
        addresses = {node["status"]["addresses"][0]["address"] for node in nodes}
        assert addresses == {"198.18.0.1", "198.18.0.2", "198.18.0.3"}


async def test_nodes_are_added_and_removed() -> None:
    async with simulated(POOL) as s:
        assert await s.hollow.add(2) == ["big-3", "big-4"]
        await s.hollow.remove("big-1")
        await s.settle()
        assert s.hollow.names == ["big-0", "big-2", "big-3", "big-4"]
        assert await s.hollow.add() == ["big-1"]
        with pytest.raises(ApiError, match='nodes "nope" not found among the simulated nodes'):
            await s.hollow.remove("nope")


async def test_leases_are_renewed_every_ten_seconds() -> None:
    async with simulated() as s:
        lease = await s.client.get(LEASES, "hollow-0", NODE_LEASE_NAMESPACE)
        assert lease["spec"] == {
            "holderIdentity": "hollow-0",
            "leaseDurationSeconds": 40,
            "renewTime": "2026-01-01T00:00:00.000000Z",
        }
        (owner,) = lease["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"]) == ("Node", (await s.node())["metadata"]["uid"])
        for _ in range(60):
            await s.advance(1)
        assert s.hollow.heartbeats.renewed == 7
        lease = await s.client.get(LEASES, "hollow-0", NODE_LEASE_NAMESPACE)
        assert lease["spec"]["renewTime"] >= "2026-01-01T00:00:50"


async def test_a_single_node_wakes_nobody_between_its_renewals() -> None:
    async with simulated() as s:
        turns = {s.hollow.heartbeats._turn_due}
        for _ in range(600):
            await s.advance(1)
            turns.add(s.hollow.heartbeats._turn_due)
        assert 58 <= len(turns) <= 62
        assert s.hollow.heartbeats.renewed == 61


async def test_a_lease_somebody_else_wrote_or_removed_is_renewed_all_the_same() -> None:
    async with simulated() as s:
        lease = await s.client.get(LEASES, "hollow-0", NODE_LEASE_NAMESPACE)
        await s.client.update(LEASES, {**lease, "metadata": {**lease["metadata"], "labels": {"a": "b"}}})
        await s.advance(25)
        lease = await s.client.get(LEASES, "hollow-0", NODE_LEASE_NAMESPACE)
        assert lease["spec"]["renewTime"] >= "2026-01-01T00:00:20"
        assert lease["metadata"]["labels"] == {"a": "b"}
        await s.client.delete(LEASES, "hollow-0", NODE_LEASE_NAMESPACE)
        await s.advance(25)
        lease = await s.client.get(LEASES, "hollow-0", NODE_LEASE_NAMESPACE)
        assert lease["spec"]["renewTime"] >= "2026-01-01T00:00:40"


async def test_an_unchanged_status_is_written_anew_every_five_minutes() -> None:
    async with simulated() as s:

        def heartbeat(node: Object) -> str:
            condition = find_condition(node["status"]["conditions"], "Ready") or {}
            return str(condition["lastHeartbeatTime"])

        await s.advance(260)
        assert heartbeat(await s.node()) == "2026-01-01T00:00:00Z"
        await s.advance(80)
        node = await s.node()
        assert "2026-01-01T00:04:30Z" <= heartbeat(node) <= "2026-01-01T00:05:30Z"
        condition = find_condition(node["status"]["conditions"], "Ready") or {}
        assert condition["lastTransitionTime"] == "2026-01-01T00:00:00Z"


async def test_a_lost_node_is_silent_and_so_are_its_pods_until_it_is_found() -> None:
    async with simulated(outcomes=[Outcome(starts_after_s=5)]) as s:
        await s.pod("before")
        await s.hollow.lose("hollow-0")
        await s.settle()
        renewed = s.hollow.heartbeats.renewed
        await s.pod("after")
        await s.advance(400)
        assert s.hollow.heartbeats.renewed == renewed
        assert "podIP" not in await s.status("before")
        assert "podIP" not in await s.status("after")
        node = await s.node()
        heartbeat = (find_condition(node["status"]["conditions"], "Ready") or {})["lastHeartbeatTime"]
        assert heartbeat == "2026-01-01T00:00:00Z"
        unknown = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}
        await s.client.patch(
            NODES,
            "hollow-0",
            "",
            {"status": {"conditions": [unknown]}},
            content_type="application/strategic-merge-patch+json",
            subresource="status",
        )
        await s.settle()
        assert ready((await s.node())["status"]) == "Unknown"
        await s.hollow.recover("hollow-0")
        await s.settle()
        await s.advance(5)
        assert s.hollow.heartbeats.renewed > renewed
        assert ready((await s.node())["status"]) == "True"
        assert (await s.status("before"))["phase"] == "Running"
        assert (await s.status("after"))["phase"] == "Running"


async def test_a_node_somebody_else_makes_is_simulated_when_it_says_so() -> None:
    async with simulated(NodeTemplate()) as s:
        meta = {"name": "mine", "annotations": {"kwok.x-k8s.io/node": "fake"}}
        await s.client.create(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": meta})
        await s.settle()
        assert s.hollow.names == ["mine"]
        status = (await s.node("mine"))["status"]
        assert ready(status) == "True"
        assert status["allocatable"]["pods"] == "110"
        assert status["addresses"][0] == {"type": "InternalIP", "address": "198.18.0.1"}
        await s.pod(nodeName="mine")
        assert (await s.status())["phase"] == "Running"


async def test_whoever_starts_next_goes_on_where_the_one_before_stood() -> None:
    slow = [Outcome(completes_after_s=100)]
    async with simulated(NodeTemplate(count=2), outcomes=slow) as s:
        await s.pod("a", restartPolicy="Never")
        await s.pod("b")
        address = (await s.status("a"))["podIP"]
        await s.hollow.lose("hollow-1")
        await s.settle()
        await s.hollow.close()
        await s.advance(60)
        await s.pod("meanwhile")
        client = s.api.client(HOLLOW)
        s.hollow = HollowNodes(client, s.clock, Random(2), NodeTemplate(count=2), outcomes=slow)
        await s.hollow.start()
        await s.settle()
        assert s.hollow.names == ["hollow-0"]
        assert (await s.status("meanwhile"))["phase"] == "Running"
        found = {(await s.status(name))["podIP"] for name in ("a", "b", "meanwhile")}
        assert address in found
        assert len(found) == 3
        lease = await s.client.get(LEASES, "hollow-0", NODE_LEASE_NAMESPACE)
        assert lease["spec"]["renewTime"] >= "2026-01-01T00:01:00"
        assert [name_of(node) for node in (await s.client.list(NODES)).items] == ["hollow-0", "hollow-1"]
        await s.advance(39)
        assert (await s.status("a"))["phase"] == "Running"
        await s.advance(1)
        assert (await s.status("a"))["phase"] == "Succeeded", "measured from when its container began"


async def test_when_the_api_refuses_nothing_is_left_running() -> None:
    async with api_running(FakeClock()) as api:
        before = asyncio.all_tasks()
        hollow = HollowNodes(api.client(ALICE), FakeClock(), Random(1), NodeTemplate(count=1))
        starting = asyncio.create_task(hollow.start())
        await settle()
        assert not starting.done(), "the informers wait until they may"
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert not asyncio.all_tasks() - before
        readers = {"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["list", "watch"]}
        leases = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["list"]}
        await ensure_rights(api.admin)
        role = await api.admin.get(CLUSTER_ROLES, USER)
        await api.admin.update(CLUSTER_ROLES, {**role, "rules": [readers, leases]})
        hollow = HollowNodes(api.client(HOLLOW), FakeClock(), Random(1), NodeTemplate(count=1))
        with pytest.raises(ApiError, match='cannot create resource "nodes"'):
            await hollow.start()
        await settle()
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert not {name for name in names if name.startswith(("cache/", "simulated "))}


def test_templates_are_read(tmp_path: Path) -> None:
    file = tmp_path / "nodes.yaml"
    file.write_text(
        """\
apiVersion: hollow.wherry.dev/v1
kind: Nodes
metadata: {name: big}
spec:
  count: 3
  name: big-{index}
  capacity: {cpu: 8, memory: 16Gi}
  allocatable: {cpu: 7500m}
  labels: {tier: gold}
  annotations: {note: x}
  taints: [{key: only, value: this, effect: NoSchedule}]
  region: r
  zones: [a, b]
  leaseDuration: 80s
  statusEvery: 10m
"""
    )
    assert read_template_file(file) == NodeTemplate(
        pool="big",
        count=3,
        name="big-{index}",
        capacity={"cpu": "8", "ephemeral-storage": "1Ti", "memory": "16Gi", "pods": "110"},
        allocatable={"cpu": "7500m"},
        labels={"tier": "gold"},
        annotations={"note": "x"},
        taints=[{"key": "only", "value": "this", "effect": "NoSchedule"}],
        region="r",
        zones=["a", "b"],
        lease_s=80,
        status_s=600,
    )


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            "{nodes: 3}",
            "f.yaml: spec.nodes: unknown field; known: allocatable, annotations, capacity, count,",
        ),
        ("{count: -1}", "f.yaml: spec.count: must be between 0 and 100000, not -1"),
        ("{count: many}", "f.yaml: spec.count: must be a whole number, not str (many)"),
        ("{name: big}", "f.yaml: spec.name: name 'big': must contain {index}"),
        ("{capacity: {cpu: lots}}", "f.yaml: spec.capacity.cpu: "),
        (
            "{taints: [{key: a, effect: Never}]}",
            "f.yaml: spec.taints[0].effect: unknown value 'Never'; known: No",
        ),
        ("{taints: [{effect: NoSchedule}]}", "f.yaml: spec.taints[0].key: is required"),
        ("{leaseDuration: 1500ms}", "f.yaml: spec.leaseDuration: must be whole seconds, but is 1.5 s"),
        ("{leaseDuration: 0s, statusEvery: 0s}", "f.yaml: spec.statusEvery: is 0, as is leaseDuration, so"),
    ],
)
def test_what_is_wrong_with_a_template_is_one_line(spec: str, said: str) -> None:
    with pytest.raises(StageError) as caught:
        read_template(f"apiVersion: hollow.wherry.dev/v1\nkind: Nodes\nspec: {spec}", "f.yaml")
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"lease_s": 0, "status_s": 0},
            "lease_s and status_s are both 0, so that nothing would say that nodes",
        ),
        ({"lease_s": -1}, "lease_s -1: is negative; use 0 or more seconds"),
        ({"status_s": -0.5}, "status_s -0.5: is negative; use 0 or more seconds"),
    ],
)
def test_nodes_nobody_could_hear_of_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        NodeTemplate(**given)


async def test_a_few_nodes_renew_their_leases_in_one_turn() -> None:
    async with simulated(replace(POOL, count=5)) as s:
        turns = []
        beat = s.hollow.heartbeats._client.beat

        async def counted(resource: Resource, objects: Sequence[Object]) -> Sequence[Object | None]:
            turns.append(len(objects))
            return await beat(resource, objects)

        s.hollow.heartbeats._client.beat = counted  # type: ignore[method-assign]
        for _ in range(60):
            await s.advance(1)
        assert turns == [5] * 6
