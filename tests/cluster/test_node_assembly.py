"""A node's parts together: its network comes with the range the API gives it, and goes with another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import pytest

from tests.apiserver.rig import Rig, running
from tests.conftest import eventually
from tests.kubelet.rig import IMAGE, MACHINE, NODE, PLENTY, FakeMounts, FakeProber
from tests.timing import PATIENCE_S
from wherry.api.core.nodes import NODES
from wherry.apiserver.user import User
from wherry.client.api import Client
from wherry.cluster.identities import PROXY
from wherry.cluster.node_assembly import NodeClients, NodeParts, NodePartsConfig
from wherry.controllers.config import ControllerConfig
from wherry.controllers.controllers import Controllers
from wherry.controllers.node_ipam import NodeIpam
from wherry.kit.clock import FakeClock
from wherry.kit.disk import DirectDisk
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.host import Host
from wherry.kubelet.runtimes.base import SandboxSpec
from wherry.kubelet.runtimes.fake import FakeRuntime
from wherry.network.tool import NetworkFailure
from wherry.objects.conditions import find_condition
from wherry.objects.meta import Object
from wherry.proxy.model import ServicePort

CLUSTER = "10.77.0.0/16"


class PaperBackend:
    """Rules of services on paper."""

    async def apply(self, model: Sequence[ServicePort]) -> None:
        pass

    async def is_intact(self) -> bool:
        return True

    async def remove(self) -> None:
        pass


@dataclass
class PaperLand:
    """A network on paper: with it the runtime is networked."""

    runtime: FakeRuntime
    before: str = ""
    done: list[str] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    def laid(self) -> str:
        return self.before

    async def lay(self, pod_cidr: str) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.before = pod_cidr
        self.done.append(f"lay {pod_cidr}")
        self.runtime.current_status = replace(self.runtime.current_status, network_ready=True, message="")

    async def until_seen(self) -> None:
        self.done.append("seen")

    async def close(self) -> None:
        self.done.append("closed")


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
    clock = FakeClock()
    async with running(clock) as rig:
        runtime = FakeRuntime(clock, [IMAGE])
        uninitialized = "Network plugin returns error: cni plugin not initialized"
        runtime.current_status = replace(runtime.current_status, network_ready=False, message=uninitialized)
        land = PaperLand(runtime, before)
        user = User(f"system:node:{NODE}", ("system:nodes", "system:authenticated"))
        config = KubeletConfig(
            node_name=NODE,
            node_ip="192.0.2.1",
            root_dir=tmp_path / "kubelet",
            log_dir=tmp_path / "logs",
            cgroup_mount=tmp_path / "cgroup",
        )
        host = Host(
            mounts=FakeMounts(),
            prober=FakeProber(),
            machine=MACHINE,
            look=lambda *_: dict(PLENTY),
            disk=DirectDisk(),
        )
        clients = NodeClients(
            kubelet=Client(rig.server.local_transport(user)),
            proxy=Client(rig.server.local_transport(User(PROXY.user, ("system:authenticated",)))),
        )

        def make_land(_: Callable[[], None]) -> PaperLand:
            return land

        parts = NodeParts(
            NodePartsConfig(kubelet=config),
            clients,
            runtime,
            make_land,
            PaperBackend(),
            clock,
            Random(1),
            host,
        )
        controllers = Controllers(
            lambda _: rig.admin, clock, Random(2), ControllerConfig(cluster_cidr=CLUSTER), (NodeIpam,)
        )
        if gives_ranges:
            await controllers.start()
        try:
            yield World(rig, clock, runtime, land, parts)
        finally:
            await parts.close()
            await controllers.close()


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
