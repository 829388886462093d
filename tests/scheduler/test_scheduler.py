"""The scheduler's loop against a real API server in memory: bindings, events, conditions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from tests.apiserver.rig import ADMIN, running
from tests.conftest import eventually
from tests.hurried_clock import HurriedClock
from tests.scheduler.builders import node, pod
from wherry.api.core.events import EVENTS
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.resource import Resource
from wherry.client.api import Client
from wherry.client.transport import Transport
from wherry.kit.clock import Clock, FakeClock, settle
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object
from wherry.scheduler.configuration import SchedulerConfiguration, read_configuration
from wherry.scheduler.decisions import Decisions
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.feed import scheduling_view
from wherry.scheduler.profiles import Profile
from wherry.scheduler.scheduler import Scheduler


@asynccontextmanager
async def scheduled(
    clock: Clock,
    make: Callable[[Transport], Client] = Client,
    configuration: SchedulerConfiguration | None = None,
) -> AsyncIterator[tuple[Client, Scheduler]]:
    """A client of an API server whose pods are scheduled, by a scheduler with a client of its own."""
    # Nobody here takes the taint of new nodes off again.
    async with running(clock, listens=False, disable_admission_plugins=("TaintNodesByCondition",)) as rig:
        found = Client(rig.server.local_transport(ADMIN))
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        await found.create(SERVICE_ACCOUNTS, account, "default")
        scheduler = Scheduler(make(rig.server.local_transport(ADMIN)), clock, Random(1), configuration)
        await scheduler.start()
        yield found, scheduler
        await scheduler.close()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client of an API server whose pods are scheduled."""
    async with scheduled(HurriedClock()) as (found, _):
        yield found


def placed(scheduler: Scheduler) -> int:
    """How many pods are accounted to nodes."""
    nodes = scheduler._world.nodes
    return int(nodes.column(nodes.pod_count).sum())


def typed(obj: Object, kind: str) -> Object:
    return {"apiVersion": "v1", "kind": kind, **obj}


async def make_node(client: Client, name: str, **more: Any) -> None:
    await client.create(NODES, typed(node(name, **more), "Node"))


async def make_pod(client: Client, name: str, **more: Any) -> None:
    made = pod(name, **more)
    made["metadata"].pop("uid")
    await client.create(PODS, made)


async def where(client: Client, name: str) -> str:
    found: str = (await client.get(PODS, name, "default"))["spec"].get("nodeName", "")
    return found


async def messages(client: Client, reason: str) -> list[str]:
    events = (await client.list(EVENTS, "default")).items
    return [event["message"] for event in events if event["reason"] == reason]


async def test_a_pod_is_bound_and_told(client: Client) -> None:
    await make_node(client, "a")
    await make_pod(client, "web")

    async def told() -> bool:
        return await messages(client, "Scheduled") == ["Successfully assigned default/web to a"]

    await eventually(told)
    assert await where(client, "web") == "a"


async def test_what_does_not_fit_waits_until_something_changes(client: Client) -> None:
    await make_node(client, "small", cpu="1")
    await make_pod(client, "big", requests={"cpu": "2"})

    async def refused() -> bool:
        found = await client.get(PODS, "big", "default")
        conditions = found["status"].get("conditions", [])
        return any(c["type"] == "PodScheduled" and c.get("reason") == "Unschedulable" for c in conditions)

    async def told() -> bool:
        return bool(await messages(client, "FailedScheduling"))

    await eventually(refused)
    await eventually(told)  # the event may come after the condition
    (message,) = await messages(client, "FailedScheduling")
    assert message.startswith("0/1 nodes are available: 1 Insufficient cpu.")
    await make_node(client, "large", cpu="4")

    async def bound() -> bool:
        return await where(client, "big") == "large"

    await eventually(bound)


async def test_room_is_given_back_when_a_pod_goes(client: Client) -> None:
    await make_node(client, "a", cpu="1")
    await make_pod(client, "first", requests={"cpu": "1"})

    async def first_bound() -> bool:
        return await where(client, "first") == "a"

    await eventually(first_bound)
    await make_pod(client, "second", requests={"cpu": "1"})

    async def second_refused() -> bool:
        return bool(await messages(client, "FailedScheduling"))

    await eventually(second_refused)
    await client.delete(PODS, "first", "default", grace_period_s=0)

    async def second_bound() -> bool:
        return await where(client, "second") == "a"

    await eventually(second_bound)


async def test_other_schedulers_pods_are_left_alone(client: Client) -> None:
    await make_node(client, "a")
    await make_pod(client, "theirs", schedulerName="somebody-else")
    await make_pod(client, "ours")

    async def ours_bound() -> bool:
        return await where(client, "ours") == "a"

    await eventually(ours_bound)
    assert await where(client, "theirs") == ""


def test_a_heartbeat_is_no_change() -> None:
    before = node("a")
    after = {**before, "status": {**before["status"], "conditions": [{"type": "Ready", "status": "True"}]}}
    assert scheduling_view(before) == scheduling_view(after)
    assert scheduling_view(before) != scheduling_view(node("a", cpu="8"))


def binding_by(before: Callable[[Object], Awaitable[None]]) -> Callable[[Transport], Client]:
    """Clients that do `before` with each binding they are to send; what it raises goes to the scheduler."""

    class Binding(Client):
        async def create_subresource(
            self, resource: Resource, name: str, namespace: str, subresource: str, body: Object
        ) -> Object:
            if subresource == "binding":
                await before(body)
            return await super().create_subresource(resource, name, namespace, subresource, body)

    return Binding


@pytest.mark.parametrize("error", [ApiError(403, "Forbidden", "denied"), RuntimeError("broken")])
async def test_a_refused_binding_is_tried_again_later_each_time(error: Exception) -> None:
    clock = FakeClock()
    tries: list[float] = []

    async def refuse(body: Object) -> None:
        tries.append(clock.monotonic())
        if len(tries) < 4:
            raise error

    async with scheduled(clock, binding_by(refuse)) as (client, scheduler):
        await make_node(client, "a")
        await make_pod(client, "web")
        for _ in range(100):
            await settle()
            await clock.advance(0.1)
        waits = [later - sooner for sooner, later in pairwise(tries)]
        assert waits == [pytest.approx(s, abs=0.2) for s in (1.0, 2.0, 4.0)]
        assert await where(client, "web") == "a"
        assert placed(scheduler) == 1
        assert len(scheduler._queue) == 0


async def test_a_failed_binding_takes_back_nothing_the_watch_confirmed() -> None:
    """Another scheduler is faster: the pod is bound, and that was seen, before ours is refused."""
    seen = asyncio.Event()
    clients: list[Client] = []

    async def overtake(body: Object) -> None:
        other = "b" if body["target"]["name"] == "a" else "a"
        theirs = {**body, "target": {"kind": "Node", "name": other}}
        await clients[0].create_subresource(PODS, "web", "default", "binding", theirs)
        await seen.wait()

    def look(_: Object | None, new: Object | None) -> None:
        if new is not None and new["spec"].get("nodeName"):
            seen.set()

    async with scheduled(HurriedClock(), binding_by(overtake)) as (client, scheduler):
        clients.append(client)
        scheduler._cache.on(PODS, look)
        for name in "ab":
            await make_node(client, name, cpu="1")
        await make_pod(client, "web", requests={"cpu": "1"})

        async def answered() -> bool:
            return seen.is_set() and len(scheduler._tasks) == 1  # the loop itself

        await eventually(answered)
        assert placed(scheduler) == 1
        assert len(scheduler._queue) == 0


async def test_a_fault_about_one_pod_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = ["default/odd"]

    choose = Decisions.choose

    def sometimes(decisions: Decisions, profile: Profile, pod: PodFacts) -> str:
        if pod.key in failures:
            failures.remove(pod.key)
            raise RuntimeError("a fault")
        return choose(decisions, profile, pod)

    monkeypatch.setattr(Decisions, "choose", sometimes)
    async with scheduled(HurriedClock()) as (client, _):
        await make_node(client, "a")
        await make_pod(client, "odd")
        await make_pod(client, "fine")

        async def both() -> bool:
            return [await where(client, name) for name in ("odd", "fine")] == ["a", "a"]

        await eventually(both)
        assert failures == []


async def test_pods_of_a_node_that_comes_again_are_accounted_to_it() -> None:
    async with scheduled(HurriedClock()) as (client, scheduler):
        await make_node(client, "a", cpu="2")
        for name in ("one", "two"):
            await make_pod(client, name, requests={"cpu": "1"})

        async def both() -> bool:
            return placed(scheduler) == 2

        await eventually(both)
        await client.delete(NODES, "a")

        async def none() -> bool:
            return placed(scheduler) == 0

        await eventually(none)
        await make_node(client, "a", cpu="2")
        await eventually(both)
        assert scheduler._world._homeless == {}


async def test_profiles_by_scheduler_name() -> None:
    """One scheduler with two profiles; the pods of a third name are left alone."""
    packed = read_configuration(
        """
        apiVersion: kubescheduler.config.k8s.io/v1
        kind: KubeSchedulerConfiguration
        profiles:
        - schedulerName: default-scheduler
        - schedulerName: packer
          pluginConfig:
          - name: NodeResourcesFit
            args: {scoringStrategy: {type: MostAllocated}}
          plugins: {score: {disabled: [{name: NodeResourcesBalancedAllocation}]}}
        """
    )
    async with scheduled(HurriedClock(), configuration=packed) as (client, _):
        for name in "ab":
            await make_node(client, name)
        await make_pod(client, "first", requests={"cpu": "1"})

        async def bound(*names: str) -> bool:
            return all([await where(client, name) for name in names])

        await eventually(lambda: bound("first"))
        other = {"a": "b", "b": "a"}[await where(client, "first")]
        await make_pod(client, "packed", requests={"cpu": "1"}, schedulerName="packer")
        await make_pod(client, "theirs", schedulerName="nobody")
        await eventually(lambda: bound("packed"))
        assert await where(client, "packed") == await where(client, "first")
        await make_pod(client, "spread", requests={"cpu": "1"})
        await eventually(lambda: bound("spread"))
        assert await where(client, "spread") == other
        assert await where(client, "theirs") == ""
        sources = {event["source"]["component"] for event in (await client.list(EVENTS, "default")).items}
        assert sources == {"default-scheduler", "packer"}


async def test_two_schedulers_beside_each_other_bind_each_pod_once() -> None:
    """Both want all pods; each loses some races, and in the end both know the same."""
    async with scheduled(HurriedClock()) as (client, one):
        other = Scheduler(Client(client.transport), HurriedClock(), Random(2))
        await other.start()
        for number in range(8):
            await make_node(client, f"n{number}", cpu="2")
        bindings: set[tuple[str, str]] = set()

        async def count() -> None:
            async for event in client.watch(PODS, "default", resource_version="0"):
                node_name = event.object["spec"].get("nodeName")
                if node_name:
                    bindings.add((event.object["metadata"]["name"], node_name))

        counting = asyncio.create_task(count())
        await asyncio.gather(*(make_pod(client, f"p{n}", requests={"cpu": "1"}) for n in range(16)))

        async def settled() -> bool:
            pods = (await client.list(PODS, "default")).items
            is_done = all(pod["spec"].get("nodeName") for pod in pods)
            return is_done and placed(one) == placed(other) == 16 and not one._queue and not other._queue

        await eventually(settled)
        counting.cancel()
        assert len(bindings) == 16, "bound once each"
        for item in (await client.list(PODS, "default")).items:
            (condition,) = (c for c in item["status"]["conditions"] if c["type"] == "PodScheduled")
            assert condition["status"] == "True", "whoever lost the race says nothing against it"
        for scheduler in (one, other):
            assert not [placement for placement in scheduler._world.placed.values() if placement.is_assumed]
            used = scheduler._world.nodes.requested["cpu"][:8]
            assert int(used.sum()) == 16_000
        assert (one._world.nodes.requested["cpu"][:8] == other._world.nodes.requested["cpu"][:8]).all()
        await other.close()


async def test_a_gated_pod_waits_for_its_gates() -> None:
    async with scheduled(HurriedClock()) as (client, _):
        await make_node(client, "a")
        await make_pod(client, "gated", schedulingGates=[{"name": "example.com/gate"}])
        await make_pod(client, "free")

        async def is_bound(name: str) -> bool:
            return await where(client, name) == "a"

        await eventually(lambda: is_bound("free"))
        assert await where(client, "gated") == ""
        assert "gated" not in str(await messages(client, "FailedScheduling"))
        (condition,) = (await client.get(PODS, "gated", "default"))["status"]["conditions"]
        assert condition["reason"] == "SchedulingGated"
        assert condition["message"] == "Scheduling is blocked due to non-empty scheduling gates"
        await client.patch(PODS, "gated", "default", {"spec": {"schedulingGates": None}})
        await eventually(lambda: is_bound("gated"))
