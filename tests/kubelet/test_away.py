"""The API server, the clock and the runtime go away or change, and pods run on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import eventually
from tests.kubelet.rig import NODE, Node, node, waiting
from wherry.api.coordination.leases import LEASES
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.client.transport import Transport, WatchEvent
from wherry.kubelet.runtimes.containers import ContainerSpec, Phase
from wherry.kubelet.runtimes.runtime import HandlerFeatures
from wherry.objects.errors import service_unavailable
from wherry.objects.meta import Object

HOUR = timedelta(hours=1)


class Line:
    """A transport that can be cut: calls are refused then, and watches end."""

    def __init__(self, through: Transport) -> None:
        self._through = through
        self._cut = asyncio.Event()
        self.refused = 0

    @property
    def is_cut(self) -> bool:
        return self._cut.is_set()

    def cut(self) -> None:
        self._cut.set()

    def mend(self) -> None:
        self._cut.clear()

    async def call(self, *args: Any, **more: Any) -> Object:
        if self.is_cut:
            self.refused += 1
            raise service_unavailable("the API server is away")
        return await self._through.call(*args, **more)

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[WatchEvent]:
        if self.is_cut:
            self.refused += 1
            raise service_unavailable("the API server is away")
        events = self._through.watch(path, query)
        cut = asyncio.ensure_future(self._cut.wait())
        try:
            while True:
                upcoming = asyncio.ensure_future(anext(events, None))
                await asyncio.wait([upcoming, cut], return_when=asyncio.FIRST_COMPLETED)
                if not upcoming.done():
                    upcoming.cancel()
                    await asyncio.wait([upcoming])
                    return
                event = upcoming.result()
                if event is None:
                    return
                yield event
        finally:
            cut.cancel()

    async def close(self) -> None:
        await self._through.close()


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path) as running:
        yield running


async def in_time(made: Node, name: str, count: int) -> Object:
    """The pod's status once its container was restarted `count` times, while seconds pass."""

    async def look() -> bool:
        await made.clock.advance(1)
        statuses = (await made.status(name)).get("containerStatuses") or [{}]
        return bool(statuses[0].get("restartCount", 0) >= count and statuses[0].get("ready"))

    await eventually(look)
    return await made.status(name)


async def test_ten_minutes_without_the_api_server(tmp_path: Path) -> None:
    async with node(tmp_path, starts=False) as made:
        client = made.kubelet._client
        line = Line(client.transport)
        client.transport = line
        await made.kubelet.start()
        for name in ("steady", "crashes", "deleted"):
            await made.create(name)
            await made.ready(name)
        before = {c.id for c in await made.runtime.containers() if c.phase is Phase.RUNNING}
        crashing = next(c for c in await made.runtime.containers() if _pod_of(made, c.id) == "crashes")
        line.cut()
        made.runtime.finish(crashing.id, 1)
        for _ in range(60):
            await made.clock.advance(10)
        assert line.refused < 600, "it asks now and then"
        running = {c.id for c in await made.runtime.containers() if c.phase is Phase.RUNNING}
        assert len(running) == 3, "it was started again by policy"
        assert len(before & running) == 2
        assert made.runtime.stopped == []
        assert (await made.status("crashes"))["containerStatuses"][0]["restartCount"] == 0
        await made.create("late")
        await made.admin.delete(PODS, "deleted", "default", grace_period_s=0)
        line.mend()
        status = await in_time(made, "crashes", 1)
        assert status["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 1
        await made.ready_in_time("late")

        async def caught_up() -> bool:
            await made.clock.advance(1)
            return made.runtime.names() == ["web"] * 3

        await eventually(caught_up)
        lease = await made.admin.get(LEASES, NODE, "kube-node-lease")
        await made.clock.advance(20)
        later = await made.admin.get(LEASES, NODE, "kube-node-lease")
        assert later["spec"]["renewTime"] > lease["spec"]["renewTime"]


@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["forward", "back"])
async def test_a_clock_that_is_set_by_an_hour_kills_nothing(made: Node, step: timedelta) -> None:
    await made.create("steady", {"livenessProbe": {"exec": {"command": ["x"]}}})
    await made.ready("steady")
    await made.create("crashes")
    await made.ready("crashes")
    lease = await made.admin.get(LEASES, NODE, "kube-node-lease")
    crashing = next(c for c in await made.runtime.containers() if _pod_of(made, c.id) == "crashes")
    for times in (1, 2):  # the second one waits for ten seconds
        made.runtime.finish(crashing.id, 1)
        if times == 2:
            made.clock.set_wall(made.clock.now() + step)
        for _ in range(30):
            await made.clock.advance(1)
        status = await in_time(made, "crashes", times)
        crashing = made.runtime.find("web")
    assert status["containerStatuses"][0]["restartCount"] == 2, "it waited no hour"
    assert made.runtime.stopped == []
    assert (await made.status("steady"))["containerStatuses"][0]["restartCount"] == 0
    renewed = (await made.admin.get(LEASES, NODE, "kube-node-lease"))["spec"]["renewTime"]
    assert renewed != lease["spec"]["renewTime"]
    assert (renewed > lease["spec"]["renewTime"]) is (step > timedelta()), "by the clock as it is now"
    await made.create("late")
    await made.ready_in_time("late")
    conditions = (await made.admin.get(NODES, NODE))["status"]["conditions"]
    assert {c["type"]: c["status"] for c in conditions}["Ready"] == "True"


async def test_another_runtime_in_the_place_of_the_former(made: Node) -> None:
    """containerd is stopped and another version answers at its socket, knowing what the former ran."""
    await made.create("web")
    await made.ready("web")
    (before,) = await made.runtime.containers()
    handlers = {"": HandlerFeatures(recursive_read_only=True, user_namespaces=True)}
    made.runtime.current_status = replace(
        made.runtime.current_status, version="2.1.0", handlers=handlers, strict_groups=True
    )
    await made.runtime.close()  # its events end

    async def told() -> bool:
        await made.clock.advance(5)
        info = (await made.admin.get(NODES, NODE))["status"]["nodeInfo"]
        return bool(info["containerRuntimeVersion"] == "containerd://2.1.0")

    await eventually(told)
    status = (await made.admin.get(NODES, NODE))["status"]
    assert status["runtimeHandlers"][0]["features"]["userNamespaces"] is True
    assert [c.id for c in await made.runtime.containers()] == [before.id]
    assert made.runtime.stopped == []
    made.runtime.finish(before.id, 1)
    await in_time(made, "web", 1)
    await made.create("own", hostUsers=False)
    await made.ready_in_time("own")


async def test_thirty_pods_that_crash_all_the_time(made: Node) -> None:
    def start(spec: ContainerSpec) -> int | None:
        return 1 if spec.name == "crash" else None

    made.runtime.on_start = start
    for number in range(30):
        await made.create(f"crash-{number}", {"name": "crash"})
    for _ in range(70):
        await made.clock.advance(10)
    await made.create("good")
    await made.ready_in_time("good")
    starts = made.runtime.calls["start_container"]
    assert starts <= 30 * 8 + 1, "after 0, 10, 20, 40, 80, 160 and 300 seconds"
    assert starts >= 30 * 6
    left = [c for c in await made.runtime.containers() if c.name == "crash"]
    assert len(left) <= 30 * 2, "what ended before the last time is removed"
    for number in range(30):
        status = await made.status(f"crash-{number}")
        assert waiting(status) == "CrashLoopBackOff"
        assert status["containerStatuses"][0]["restartCount"] >= 5


def _pod_of(made: Node, container_id: str) -> str:
    container = made.runtime._containers[container_id]
    return made.runtime._sandboxes[container.sandbox_id].name
