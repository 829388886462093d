"""Simulated nodes over a real API server in memory, in simulated time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.apiserver.rig import Rig, account
from tests.apiserver.rig import running as api_running
from wherry.api.core.events import EVENTS
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.apiserver.user import AUTHENTICATED, User
from wherry.client.api import Client
from wherry.hollow.hollow import HollowNodes
from wherry.hollow.machines import NodeTemplate
from wherry.hollow.outcomes import NodeOutcome, Outcome
from wherry.hollow.rights import USER, ensure_rights
from wherry.hollow.stages import Stage
from wherry.kit.clock import FakeClock, settle
from wherry.objects.meta import Object, name_of

HOLLOW = User(USER, (AUTHENTICATED,))
ONE_NODE = NodeTemplate(count=1)


@dataclass
class Simulation:
    """What a test holds."""

    api: Rig
    clock: FakeClock
    hollow: HollowNodes

    @property
    def client(self) -> Client:
        return self.api.admin

    async def settle(self) -> None:
        """Let everything happen that needs no time."""
        await settle(50)
        while not self.hollow.is_idle:
            await settle(50)
        await settle(50)

    async def advance(self, seconds: float) -> None:
        """Let time pass, and everything happen that falls due."""
        await self.clock.advance(seconds)
        await self.settle()

    async def pod(self, name: str = "web", **spec: Any) -> Object:
        """Create a pod on the first node (unless `nodeName` says otherwise), and let it begin."""
        meta = spec.pop("metadata", {})
        containers = spec.pop("containers", [{"name": "web", "image": "nginx:1.27"}])
        made = await self.client.create(
            PODS,
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": "default", **meta},
                "spec": {"containers": containers, "nodeName": "hollow-0", **spec},
            },
        )
        await self.settle()
        return made

    async def get(self, name: str = "web") -> Object:
        return await self.client.get(PODS, name, "default")

    async def status(self, name: str = "web") -> Any:
        return (await self.get(name))["status"]

    async def node(self, name: str = "hollow-0") -> Object:
        return await self.client.get(NODES, name)

    async def pod_names(self) -> list[str]:
        return [name_of(pod) for pod in (await self.client.list(PODS, "default")).items]

    async def events(self) -> list[str]:
        """What was said, as "Reason: message"."""
        found = (await self.client.list(EVENTS, "default")).items
        return [f"{event['reason']}: {event['message']}" for event in found]


def ready(status: Any) -> str:
    """The status of the Ready condition."""
    found: str = next(c["status"] for c in status["conditions"] if c["type"] == "Ready")
    return found


@asynccontextmanager
async def simulated(
    template: NodeTemplate = ONE_NODE,
    *,
    stages: Sequence[Stage] = (),
    outcomes: Sequence[Outcome | NodeOutcome] = (),
    seed: int = 1,
    client_as: Callable[[str], Client] | None = None,
    listens: bool = False,
) -> AsyncIterator[Simulation]:
    """An API server with simulated nodes, which act under their own user."""
    clock = FakeClock()
    async with api_running(clock, listens=listens) as api:
        await ensure_rights(api.admin, stages)
        await api.admin.create(SERVICE_ACCOUNTS, account())
        hollow = HollowNodes(
            api.client(HOLLOW), clock, Random(seed), template, stages, outcomes, client_as=client_as
        )
        await hollow.start()
        simulation = Simulation(api, clock, hollow)
        await simulation.settle()
        try:
            yield simulation
        finally:
            await hollow.close()
