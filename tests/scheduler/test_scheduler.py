"""The scheduler's loop against a real API server in memory: bindings, events, conditions."""

from __future__ import annotations

from collections.abc import AsyncIterator
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
from wherry.client.api import Client
from wherry.objects.meta import Object
from wherry.scheduler.scheduler import Scheduler, scheduling_view


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client of an API server whose pods are scheduled."""
    # Nobody here takes the taint of new nodes off again.
    clock = HurriedClock()
    async with running(clock, disable_admission_plugins=("TaintNodesByCondition",)) as rig:
        found = Client(rig.server.local_transport(ADMIN))
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        await found.create(SERVICE_ACCOUNTS, account, "default")
        scheduler = Scheduler(found, clock, Random(1))
        await scheduler.start()
        yield found
        await scheduler.close()


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
