"""The bench of tests that do not run beside a real API server yet (`tests/controllers/bench.py`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from tests.client.fake_transport import FakeTransport
from wherry.api.core.pods import PODS
from wherry.api.resource import Resource
from wherry.client.api import Client
from wherry.cluster.assembly import make_controllers
from wherry.controllers.base import Controller
from wherry.controllers.config import ControllerConfig
from wherry.controllers.controllers import Controllers
from wherry.kit.clock import FakeClock, settle
from wherry.objects.meta import Object, is_deleting, name_of

READY = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
"""The condition of a pod that has long been ready."""


class Bench:
    """What a test holds."""

    def __init__(self, controllers: Controllers, server: FakeTransport, clock: FakeClock) -> None:
        self.controllers = controllers
        self.server = server
        self.clock = clock
        self.client = Client(server)

    async def create(self, resource: Resource, obj: Object) -> Object:
        """Create, with kind and apiVersion filled in, and let the controllers react."""
        made = await self.client.create(
            resource, {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        )
        await self.settle()
        return made

    async def get(self, resource: Resource, name: str, namespace: str = "default") -> Object:
        return await self.client.get(resource, name, namespace)

    async def all(self, resource: Resource, namespace: str = "") -> list[Object]:
        return (await self.client.list(resource, namespace)).items

    async def set_status(self, resource: Resource, obj: Object, **status: Any) -> None:
        """Merge into the object's status, as whoever reports it would."""
        namespace = obj["metadata"].get("namespace", "")
        await self.client.patch(resource, name_of(obj), namespace, {"status": status}, subresource="status")

    async def run_all(self) -> None:
        """Let every pod become ready, as often as that makes more of them."""
        for _ in range(20):
            waiting = [pod for pod in await self.all(PODS) if not pod.get("status") and not is_deleting(pod)]
            if not waiting:
                return
            for pod in waiting:
                await self.set_status(PODS, pod, phase="Running", conditions=[READY])
            await self.settle()

    async def settle(self) -> None:
        """Let everything happen that needs no time; failures' first back-offs pass, too."""
        for _ in range(4):
            await settle(200)
            await self.clock.advance(0.01)

    def events(self) -> list[str]:
        """What was said, as "Reason: message"."""
        found = [o for (collection, _, _), o in self.server.objects.items() if collection.endswith("/events")]
        return [f"{event['reason']}: {event['message']}" for event in found]


@asynccontextmanager
async def running(
    *kinds: type[Controller],
    config: ControllerConfig | None = None,
    before: Sequence[tuple[Resource, Object]] = (),
) -> AsyncIterator[Bench]:
    """Run controllers of these kinds; the objects of `before` are there when they start."""
    server, clock = FakeTransport(), FakeClock()
    client = Client(server)
    for resource, obj in before:
        await client.create(resource, {"apiVersion": resource.api_version, "kind": resource.kind, **obj})
    controllers = make_controllers(lambda _: server, clock, Random(0), config or ControllerConfig(), kinds)
    await controllers.start()
    bench = Bench(controllers, server, clock)
    await bench.settle()
    try:
        yield bench
    finally:
        await controllers.close()
