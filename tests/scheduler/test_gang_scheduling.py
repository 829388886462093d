"""Pods of a gang go together, or not at all."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.conftest import eventually
from tests.hurried_clock import HurriedClock
from tests.scheduler.builders import facts, node, world
from tests.scheduler.devices.builders import claim, claims, device, device_class, resource_slice
from tests.scheduler.test_decisions import PROFILE
from tests.scheduler.test_dynamic_resources import make
from tests.scheduler.test_scheduler import make_node, make_pod, messages, scheduled, where
from wherry.api.core.pods import PODS
from wherry.api.resource import Resource
from wherry.api.scheduling.pod_groups import POD_GROUPS
from wherry.api.scheduling.priority_classes import PRIORITY_CLASSES
from wherry.client.api import Client
from wherry.client.transport import Transport
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object
from wherry.scheduler.group_status import INITIALLY_SCHEDULED
from wherry.scheduler.scheduler import Scheduler

ONE = {"cpu": "1"}
ALONE = "no new claims to deallocate, preemption: not eligible due to workload aware preemption enabled"
"""What is said to each pod of a group."""


def group(name: str, least: int = 0, **spec: Any) -> Object:
    """A gang of at least so many, or a group that is none."""
    policy = {"gang": {"minCount": least}} if least else {"basic": {}}
    return {
        "apiVersion": "scheduling.k8s.io/v1beta1",
        "kind": "PodGroup",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"schedulingPolicy": policy, **spec},
    }


async def make_group(client: Client, name: str, least: int = 0, **spec: Any) -> None:
    await client.create(POD_GROUPS, group(name, least, **spec))


def names(gang: str, count: int) -> list[str]:
    return [f"{gang}-{number}" for number in range(count)]


async def make_members(client: Client, gang: str, count: int, **more: Any) -> None:
    for name in names(gang, count):
        await make_member(client, gang, name, **more)


async def make_member(client: Client, gang: str, name: str, **more: Any) -> None:
    await make_pod(client, name, schedulingGroup={"podGroupName": gang}, **{"requests": ONE, **more})


async def bound(client: Client, gang: str, count: int) -> int:
    """How many of a gang's pods have a node."""
    return sum([bool(await where(client, name)) for name in names(gang, count)])


async def condition(client: Client, name: str) -> tuple[str, str, str]:
    found = (await client.get(POD_GROUPS, name, "default")).get("status") or {}
    for one in found.get("conditions") or ():
        if one["type"] == INITIALLY_SCHEDULED:
            return one["status"], one["reason"], one.get("message", "")
    return "", "", ""


def is_bound(client: Client, gang: str, count: int) -> Any:
    async def look() -> bool:
        return await bound(client, gang, count) == count

    return look


def is_told(client: Client, gang: str, *told: str) -> Any:
    async def look() -> bool:
        return (await condition(client, gang))[: len(told)] == told

    return look


async def test_a_gang_waits_for_its_group_and_for_its_pods() -> None:
    async with scheduled(HurriedClock()) as (client, scheduler):
        await make_node(client, "a")
        await make_members(client, "g", 2)

        async def rests() -> bool:
            return bool(scheduler._queue._groups)

        await eventually(rests)
        await make_group(client, "g", 3)
        await eventually(rests)
        assert await bound(client, "g", 2) == 0
        assert await messages(client, "FailedScheduling") == []
        await make_member(client, "g", "g-2")
        await eventually(is_bound(client, "g", 3))
        await eventually(is_told(client, "g", "True", "Scheduled", ""))
        assert await messages(client, "FailedScheduling") == []


async def test_of_two_gangs_that_fit_one_at_a_time_one_is_bound_whole() -> None:
    async with scheduled(HurriedClock()) as (client, _):
        for name in "abcd":
            await make_node(client, name, cpu="1")
        for gang in ("g", "h"):
            await make_group(client, gang, 3)
        for number in range(3):
            for gang in ("g", "h"):
                await make_member(client, gang, f"{gang}-{number}")

        async def one_is_whole() -> bool:
            return sorted([await bound(client, gang, 3) for gang in ("g", "h")]) == [0, 3]

        await eventually(one_is_whole)
        first, second = ("g", "h") if await bound(client, "g", 3) else ("h", "g")
        await eventually(is_told(client, second, "False", "Unschedulable"))
        assert sorted([await bound(client, gang, 3) for gang in (first, second)]) == [0, 3]
        for name in names(first, 3):
            await client.delete(PODS, name, "default", grace_period_s=0)
        await eventually(is_bound(client, second, 3))
        await eventually(is_told(client, second, "True"))


async def test_a_gang_waits_untold_for_the_claims_of_its_pods() -> None:
    async with scheduled(HurriedClock()) as (client, scheduler):
        await make_node(client, "a")
        await make(
            client, device_class(), resource_slice("s", [device("d0"), device("d1")], "a"), claim("c0")
        )
        await make_group(client, "g", 2)
        for number in range(2):
            await make_member(client, "g", f"g-{number}", resourceClaims=claims(f"c{number}"))

        async def both_rest() -> bool:
            return sum(len(group.next(9)) for group in scheduler._queue._groups.values()) == 2

        await eventually(both_rest)
        assert await bound(client, "g", 2) == 0
        await make(client, claim("c1"))
        await eventually(is_bound(client, "g", 2))
        assert await messages(client, "FailedScheduling") == []


async def test_a_gang_larger_than_the_cluster_is_told_and_keeps_nobody_waiting() -> None:
    async with scheduled(HurriedClock()) as (client, _):
        await make_node(client, "a", cpu="2")
        await make_group(client, "g", 3)
        await make_members(client, "g", 3)
        nobody = "No preemption victims found for incoming preemptor"
        few = "minCount (3) cannot be satisfied: 2 scheduled, 0 remaining"
        text = f"{few}, pod group preemption: {nobody}"
        await eventually(is_told(client, "g", "False", "Unschedulable", text))

        async def told() -> bool:
            found = set(await messages(client, "FailedScheduling"))
            return found == {text, f"0/1 nodes are available: 1 Insufficient cpu. {ALONE}"}

        await eventually(told)
        await make_pod(client, "other", requests={"cpu": "2"})

        async def other() -> bool:
            return await where(client, "other") == "a"

        await eventually(other)
        await make_node(client, "b", cpu="3")
        await eventually(is_bound(client, "g", 3))


async def test_a_gang_that_is_made_smaller_is_tried_again() -> None:
    async with scheduled(HurriedClock()) as (client, _):
        await make_node(client, "a", cpu="2")
        await make_group(client, "g", 3)
        await make_members(client, "g", 3)
        await eventually(is_told(client, "g", "False", "Unschedulable"))
        smaller = {"spec": {"schedulingPolicy": {"gang": {"minCount": 2}}}}
        await client.patch(POD_GROUPS, "g", "default", smaller)

        async def two() -> bool:
            return await bound(client, "g", 3) == 2

        await eventually(two)
        await eventually(is_told(client, "g", "True"))


async def test_a_member_that_goes_while_the_gang_waits_is_waited_for() -> None:
    async with scheduled(HurriedClock()) as (client, _):
        await make_node(client, "a", cpu="2")
        await make_group(client, "g", 3)
        await make_members(client, "g", 3)
        await eventually(is_told(client, "g", "False", "Unschedulable"))
        await client.delete(PODS, "g-0", "default", grace_period_s=0)
        await make_node(client, "b", cpu="2")
        await make_pod(client, "other", requests=ONE)

        async def other() -> bool:
            return bool(await where(client, "other"))

        await eventually(other)
        assert [await where(client, name) for name in ("g-1", "g-2")] == ["", ""]
        await make_member(client, "g", "g-0")
        await eventually(is_bound(client, "g", 3))


async def test_a_scheduler_that_is_killed_between_bindings_is_followed_by_one_that_binds_the_rest() -> None:
    left = [True]

    class Dying(Client):
        async def create_subresource(
            self, resource: Resource, name: str, namespace: str, subresource: str, body: Object
        ) -> Object:
            if subresource == "binding":
                if not left:
                    raise ApiError(503, "ServiceUnavailable", "gone")
                left.pop()
            return await super().create_subresource(resource, name, namespace, subresource, body)

    def dying(transport: Transport) -> Client:
        return Dying(transport)

    async with scheduled(HurriedClock(), dying) as (client, first):
        await make_node(client, "a", cpu="3")
        await make_group(client, "g", 3)
        await make_members(client, "g", 3)

        async def one() -> bool:
            return await bound(client, "g", 3) == 1

        await eventually(one)
        await first.close()
        second = Scheduler(Client(client.transport), HurriedClock(), Random(2))
        await second.start()
        await eventually(is_bound(client, "g", 3))
        await second.close()


async def test_pods_beyond_the_least_go_when_there_is_room() -> None:
    async with scheduled(HurriedClock()) as (client, _):
        await make_node(client, "a", cpu="2")
        await make_group(client, "g", 2)
        await make_members(client, "g", 3)

        async def two() -> bool:
            return await bound(client, "g", 3) == 2

        await eventually(two)
        await eventually(is_told(client, "g", "True"))
        await make_node(client, "b")
        await eventually(is_bound(client, "g", 3))


async def test_pods_of_a_group_that_is_no_gang_go_alone() -> None:
    async with scheduled(HurriedClock()) as (client, _):
        await make_node(client, "a", cpu="1")
        await make_group(client, "g")
        await make_members(client, "g", 2)

        async def one() -> bool:
            return await bound(client, "g", 2) == 1

        await eventually(one)
        await eventually(is_told(client, "g", "True"))


async def test_pods_of_another_priority_than_the_groups_are_told() -> None:
    async with scheduled(HurriedClock()) as (client, _):
        await make_node(client, "a")
        meta = {"metadata": {"name": "high"}, "value": 10}
        kind = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass"}
        await client.create(PRIORITY_CLASSES, {**kind, **meta})
        await make_group(client, "g", 2, priorityClassName="high")
        await make_members(client, "g", 2)
        what = "the same priority as the pod group's priority, got 0 and 10"
        text = f"all pods in a single pod group should have {what}"
        await eventually(is_told(client, "g", "False", "SchedulerError", text))
        assert await bound(client, "g", 2) == 0


async def test_a_large_gang_is_one_try() -> None:
    async with scheduled(HurriedClock()) as (client, scheduler):
        for number in range(10):
            await make_node(client, f"n{number}", cpu="10")
        await make_group(client, "g", 101)
        await make_members(client, "g", 101)
        await eventually(is_told(client, "g", "False", "Unschedulable"))
        assert await bound(client, "g", 101) == 0
        assert int(scheduler._world.nodes.column(scheduler._world.nodes.pod_count).sum()) == 0
        assert len(scheduler._queue._groups) == 1
        await make_node(client, "more", cpu="1")
        await eventually(is_bound(client, "g", 101))


# Without a server.


def test_what_a_pod_waits_for() -> None:
    plugin, where_ = PROFILE.plugins["GangScheduling"], world(node("a"))
    members = [facts(f"p{n}", schedulingGroup={"podGroupName": "g"}) for n in range(2)]
    assert plugin.gate(facts(), where_) == ""
    waiting = 'waiting for pod\'s pod group "g" to appear in scheduling queue'
    assert plugin.gate(members[0], where_) == waiting
    where_.groups.set_group("default/g", group("g", 2))
    where_.groups.pod_changed(None, members[0].pod)
    too_few = "waiting for minCount pods from a gang to appear in scheduling queue"
    assert plugin.gate(members[0], where_) == too_few
    where_.groups.pod_changed(None, members[1].pod)
    assert plugin.gate(members[0], where_) == ""
    gone = {**members[1].pod, "metadata": {**members[1].pod["metadata"], "deletionTimestamp": "2026"}}
    where_.groups.pod_changed(members[1].pod, gone)
    assert plugin.gate(members[0], where_) == too_few
    for one in members:
        where_.groups.pod_changed(one.pod, None)
    assert where_.groups._pods == {}
