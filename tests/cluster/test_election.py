"""Two sets of controllers and two schedulers in simulated time: one of each acts, the other takes over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any

import pytest

from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.coordination.leases import LEASES
from wherry.api.core.pods import PODS
from wherry.apiserver.user import AUTHENTICATED, User
from wherry.client.api import Client
from wherry.client.election import Elected, ElectionConfig, LeaderElection, Part
from wherry.client.transport import JSON, Transport, WatchEvent
from wherry.cluster.assembly import SCHEDULER, controller_user, make_controllers, make_scheduler
from wherry.controllers.catalog import CONTROLLERS
from wherry.controllers.config import ControllerConfig
from wherry.kit.simulated_loop import SimulatedLoop
from wherry.objects.errors import service_unavailable
from wherry.objects.meta import Object
from wherry.testing.settings import NONE, Settings
from wherry.testing.world import World

MANAGER_LEASE, SCHEDULER_LEASE = "kube-controller-manager", "kube-scheduler"
FREE_OF_LEADING = ("/leases", "/events")


class Watched:
    """A process's way to the API server, which notes each write and who led when it was made."""

    def __init__(self, process: Process, inner: Transport) -> None:
        self._process, self._inner = process, inner

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | list[Any] | None = None,
        content_type: str = JSON,
    ) -> Object:
        if self._process.is_killed:
            raise service_unavailable("the process is gone")
        if method != "GET" and not any(part in path for part in FREE_OF_LEADING):
            await self._process.check(f"{method} {path}")
        return await self._inner.call(method, path, query, body, content_type)

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[WatchEvent]:
        async for event in self._inner.watch(path, query):
            yield event

    async def close(self) -> None:
        await self._inner.close()


class Process:
    """Controllers or a scheduler, that stand for election."""

    def __init__(self, world: World, name: str, lease: str) -> None:
        self.name, self.lease = name, lease
        self.is_killed = False
        self.writes: list[str] = []
        self.usurped: list[str] = []
        self._world = world
        self._admin = world.running.client("kubernetes-admin", (AUTHENTICATED, "system:masters"))
        user = SCHEDULER if lease == SCHEDULER_LEASE else controller_user("").name
        election = LeaderElection(
            self.client(User(user, (AUTHENTICATED,))),
            world.clock,
            Random(len(name)),
            ElectionConfig(name=lease, identity=name),
        )
        self.elected = Elected(election, self._make)

    def transport(self, user: User) -> Watched:
        return Watched(self, self._world.running.api.local_transport(user))

    def client(self, user: User) -> Client:
        return Client(self.transport(user))

    def _make(self) -> Part:
        world = self._world
        if self.lease == SCHEDULER_LEASE:
            return make_scheduler(self.transport, world.clock, Random(1))
        resources = world.running.api.core.registry.resources
        config = ControllerConfig(cluster_ca_pem="PEM", resources=resources)
        return make_controllers(self.transport, world.clock, Random(1), config, CONTROLLERS)

    async def check(self, what: str) -> None:
        """Note a write that is about to be made, and whether the lease is another's."""
        spec = (await self._admin.get(LEASES, self.lease, "kube-system"))["spec"]
        renewed = datetime.fromisoformat(spec["renewTime"])
        is_ours = spec["holderIdentity"] == self.name
        if not is_ours or (self._world.clock.now() - renewed).total_seconds() >= spec["leaseDurationSeconds"]:
            self.usurped.append(f"{what} by {self.name} under {spec}")
        self.writes.append(what)


def deployment(name: str) -> Object:
    labels = {"app": name}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": pod}
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


class Rig:
    """A cluster without controllers, to which two processes of each kind were started."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.admin = world.running.client("kubernetes-admin", (AUTHENTICATED, "system:masters"))
        self.processes = [
            Process(world, name, lease) for lease in (MANAGER_LEASE, SCHEDULER_LEASE) for name in ("a", "bb")
        ]

    @property
    def leaders(self) -> list[Process]:
        return [process for process in self.processes if process.elected.is_leader]

    async def roll_out(self, name: str) -> None:
        """Make a Deployment, and see its pods bound within a minute."""
        await self.admin.create(DEPLOYMENTS, deployment(name))
        await self.world.loop.advance(60)
        pods = (await self.admin.list(PODS, "default", label_selector=f"app={name}")).items
        assert [bool(pod["spec"].get("nodeName")) for pod in pods] == [True, True]

    async def close(self) -> None:
        for process in self.processes:
            await process.elected.close()
        assert [usurped for process in self.processes for usurped in process.usurped] == []


def simulated(scenario: Callable[[Rig], Coroutine[Any, Any, None]]) -> None:
    """Run `scenario` in a loop of simulated time."""
    loop = SimulatedLoop()

    async def run() -> None:
        settings = replace(Settings(), nodes=2, controllers=NONE)
        world = World(settings, loop)
        await world.open()
        rig = Rig(world)
        for process in rig.processes:
            await process.elected.start()
        await loop.advance(10)
        try:
            await scenario(rig)
        finally:
            await rig.close()
            await world.close()

    try:
        loop.run_until_complete(run())
    finally:
        loop.close()


def take_leads(rig: Rig) -> tuple[list[Process], list[Process]]:
    leading = rig.leaders
    assert sorted(process.lease for process in leading) == [MANAGER_LEASE, SCHEDULER_LEASE]
    return leading, [process for process in rig.processes if process not in leading]


@pytest.mark.parametrize("is_released", [False, True], ids=["killed", "released"])
def test_another_takes_over(is_released: bool) -> None:
    async def scenario(rig: Rig) -> None:
        leading, waiting = take_leads(rig)
        await rig.roll_out("first")
        assert all(process.writes for process in leading)
        assert [process.writes for process in waiting] == [[], []]
        for process in leading:
            if is_released:
                await process.elected.close()
            else:
                process.is_killed = True
        # A released lease is taken at the next try, one that runs out after its 15 seconds.
        await rig.world.loop.advance(5 if is_released else 20)
        assert take_leads(rig)[0] == waiting
        before = [len(process.writes) for process in leading]
        await rig.roll_out("second")
        assert [len(process.writes) for process in leading] == before
        for process in waiting:
            assert process.writes
            lease = await rig.admin.get(LEASES, process.lease, "kube-system")
            assert lease["spec"]["holderIdentity"] == process.name
            assert lease["spec"]["leaseTransitions"] == 1

    simulated(scenario)


def test_who_is_cut_off_gives_up_before_another_begins() -> None:
    async def scenario(rig: Rig) -> None:
        leading, waiting = take_leads(rig)
        for process in leading:
            process.is_killed = True
        await rig.world.loop.advance(12)
        assert rig.leaders == []
        await rig.world.loop.advance(8)
        assert rig.leaders == waiting
        before = [len(process.writes) for process in leading]
        for process in leading:
            process.is_killed = False
        await rig.roll_out("first")
        assert rig.leaders == waiting
        assert [len(process.writes) for process in leading] == before

    simulated(scenario)
