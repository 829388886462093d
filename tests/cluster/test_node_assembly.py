"""A node's parts together: its network comes with the range the API gives it, and goes with another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.apiserver.rig import Rig, running
from tests.conftest import eventually
from tests.kubelet.paper import PaperLand
from tests.kubelet.rig import IMAGE, NODE, FakeMounts, FakeProber, make_parts
from tests.timing import PATIENCE_S
from wherry.api.core.nodes import NODES
from wherry.cluster.node_assembly import NodeParts
from wherry.controllers.config import ControllerConfig
from wherry.controllers.node_ipam import NodeIpam
from wherry.kit.clock import FakeClock
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.runtimes.fake import FakeRuntime
from wherry.kubelet.runtimes.sandboxes import SandboxSpec
from wherry.network.tool import NetworkFailure
from wherry.objects.conditions import find_condition
from wherry.objects.meta import Object

CLUSTER = "10.77.0.0/16"


@dataclass
class World:
    rig: Rig
    clock: FakeClock
    runtime: FakeRuntime
    land: PaperLand
    parts: NodeParts

    async def node(self) -> Object:
        return await self.rig.admin.get(NODES, NODE)

    async def readiness(self) -> tuple[str, str]:
        conditions = (await self.node())["status"]["conditions"]
        found = find_condition(conditions, "Ready") or {}
        return str(found.get("status")), str(found.get("message"))


@asynccontextmanager
async def world(tmp_path: Path, before: str = "", *, gives_ranges: bool = True) -> AsyncIterator[World]:
    clock, ranges = FakeClock(), ControllerConfig(cluster_cidr=CLUSTER)
    kinds = (NodeIpam,) if gives_ranges else ()
    async with running(clock, kinds=kinds, controllers=ranges, listens=False) as rig:
        runtime = FakeRuntime(clock, [IMAGE])
        uninitialized = "Network plugin returns error: cni plugin not initialized"
        runtime.current_status = replace(runtime.current_status, network_ready=False, message=uninitialized)
        land = PaperLand(runtime, before)
        config = KubeletConfig(
            node_name=NODE,
            node_ip="192.0.2.1",
            root_dir=tmp_path / "kubelet",
            log_dir=tmp_path / "logs",
            cgroup_mount=tmp_path / "cgroup",
        )
        parts = make_parts(rig, config, runtime, clock, FakeMounts(), FakeProber(), land=land)
        try:
            yield World(rig, clock, runtime, land, parts)
        finally:
            await parts.close()


async def test_a_node_is_ready_once_it_was_given_its_range(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await made.parts.prepare()
        assert made.land.done == [], "there was no network before"
        await asyncio.wait_for(made.parts.start(), PATIENCE_S)
        assert made.land.done == ["lay 10.77.0.0/24", "seen"]
        assert (await made.node())["spec"]["podCIDR"] == "10.77.0.0/24"
        assert (await made.readiness())[0] == "True"


async def test_until_then_it_says_what_is_missing(tmp_path: Path) -> None:
    async with world(tmp_path, gives_ranges=False) as made:
        starting = asyncio.ensure_future(made.parts.start())

        async def told() -> bool:
            nodes = (await made.rig.admin.list(NODES)).items
            return bool(nodes) and (await made.readiness())[1] == (
                "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
                "message:Network plugin returns error: cni plugin not initialized"
            )

        await eventually(told)
        assert made.land.done == []
        await made.rig.admin.patch(NODES, NODE, "", {"spec": {"podCIDR": "10.77.9.0/24"}})
        await asyncio.wait_for(starting, PATIENCE_S)
        assert made.land.done == ["lay 10.77.9.0/24", "seen"]


async def test_what_was_there_before_is_there_without_the_api(tmp_path: Path) -> None:
    async with world(tmp_path, "10.77.0.0/24") as made:
        await made.parts.prepare()
        assert made.land.done == ["lay 10.77.0.0/24"]
        await asyncio.wait_for(made.parts.start(), PATIENCE_S)
        assert made.land.done == ["lay 10.77.0.0/24", "seen"], "the range is still the same"


async def test_with_another_range_pods_get_new_addresses(tmp_path: Path) -> None:
    async with world(tmp_path, "10.0.0.0/24") as made:  # of which the fake runtime gives
        await made.parts.prepare()
        ids = [
            await made.runtime.run_sandbox(
                SandboxSpec(name=name, namespace="default", uid=name, host_network=name == "kept")
            )
            for name in ("kept", "moved")
        ]
        await asyncio.wait_for(made.parts.start(), PATIENCE_S)
        await eventually(lambda: made.land.before == "10.77.0.0/24")
        ready = {sandbox.id: sandbox.ready for sandbox in await made.runtime.sandboxes()}
        assert made.runtime.calls["stop_sandbox"] >= 1
        assert not ready.get(ids[1], False)


async def test_a_network_that_cannot_be_laid_is_told_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        made.land.failures.append(
            NetworkFailure("the kernel has no br_netfilter; run: modprobe br_netfilter")
        )
        with pytest.raises(NetworkFailure, match="modprobe br_netfilter"):
            await asyncio.wait_for(made.parts.start(), PATIENCE_S)


async def test_a_later_failure_is_tried_again(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await asyncio.wait_for(made.parts.start(), PATIENCE_S)
        await made.rig.admin.delete(NODES, NODE)
        made.land.failures.append(NetworkFailure("xtables lock"))
        made.land.done.clear()
        taken = {"metadata": {"name": "other"}, "spec": {"podCIDR": "10.77.0.0/24"}}
        await made.rig.admin.create(NODES, {"apiVersion": "v1", "kind": "Node", **taken})

        async def is_laid() -> bool:
            await made.clock.advance(11)  # it registers again, and the failure is tried again
            return "lay 10.77.1.0/24" in made.land.done

        await eventually(is_laid)
        assert made.land.failures == []
