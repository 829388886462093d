"""Room is made for a gang as a whole, and groups that are disrupted as a whole go as a whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from operator import attrgetter
from random import Random
from typing import Any

import pytest

from tests.conftest import eventually
from tests.hurried_clock import HurriedClock
from tests.scheduler.builders import facts, node, world
from tests.scheduler.test_decisions import PROFILE
from tests.scheduler.test_gang_scheduling import (
    ALONE,
    condition,
    is_bound,
    is_told,
    make_group,
    make_members,
    names,
)
from tests.scheduler.test_gang_scheduling import group as make_object
from tests.scheduler.test_preemption import best, budget, placed
from tests.scheduler.test_scheduler import make_node, make_pod, messages, scheduled, where
from wherry.api.core.pods import PODS
from wherry.api.resource import Resource
from wherry.api.scheduling.pod_groups import POD_GROUPS
from wherry.api.scheduling.priority_classes import PRIORITY_CLASSES
from wherry.client.api import Client
from wherry.client.transport import Transport
from wherry.kit.clock import FakeClock
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object
from wherry.scheduler.binding import Binder
from wherry.scheduler.budgets import Budgets
from wherry.scheduler.configuration import read_configuration
from wherry.scheduler.decisions import Decisions
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.group_preemption import NO_VICTIMS, GroupPreemption, Room
from wherry.scheduler.victims import Victim, by_budgets, victims_among
from wherry.scheduler.world import World

FEW = "minCount (2) cannot be satisfied: 0 scheduled, 1 remaining"
HIGH = {"priorityClassName": "high"}


async def make_class(client: Client, **more: Any) -> None:
    kind = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass"}
    await client.create(PRIORITY_CLASSES, {**kind, "metadata": {"name": "high"}, "value": 10, **more})


async def end(client: Client, *gone: str) -> None:
    """Nobody runs here: the end of pods is for their kubelet to say."""
    for name in gone:
        await client.delete(PODS, name, "default", grace_period_s=0)


async def goes(client: Client, name: str) -> bool:
    return "deletionTimestamp" in (await client.get(PODS, name, "default"))["metadata"]


def all_go(client: Client, *expected: str) -> Any:
    async def look() -> bool:
        return all([await goes(client, name) for name in expected])

    return look


async def filled(client: Client, count: int) -> None:
    """So many nodes, each full of one pod of no priority, named like it."""
    for name in "abcd"[:count]:
        await make_node(client, name, cpu="1")
        await make_pod(client, f"on-{name}", requests={"cpu": "1"})
        await eventually(is_at(client, f"on-{name}", name))


def is_at(client: Client, name: str, at: str) -> Any:
    async def look() -> bool:
        return await where(client, name) == at

    return look


async def test_a_gang_takes_the_place_of_lesser_pods_and_of_no_more_than_needed() -> None:
    async with scheduled(HurriedClock()) as (client, _):
        await make_class(client)
        await filled(client, 3)
        await make_group(client, "g", 2, **HIGH)
        await make_members(client, "g", 2, **HIGH)
        said = f"{FEW}, pod group preemption: found a placement for podgroup, preempting 2 victims"
        await eventually(is_told(client, "g", "False", "Unschedulable", said))

        async def two_go() -> bool:
            return [await goes(client, f"on-{name}") for name in "abc"].count(True) == 2

        await eventually(two_go)
        uid = (await client.get(POD_GROUPS, "g", "default"))["metadata"]["uid"]

        async def told() -> bool:
            return await messages(client, "Preempted") == [f"Preempted by podgroup {uid} on node cluster"] * 2

        await eventually(told)
        going = [f"on-{name}" for name in "abc" if await goes(client, f"on-{name}")]
        doom = [
            one["message"]
            for name in going
            for one in (await client.get(PODS, name, "default"))["status"]["conditions"]
            if one["type"] == "DisruptionTarget"
        ]
        assert doom == ["default-scheduler: preempting to accommodate a higher priority podgroup"] * 2
        hopes = [
            (await client.get(PODS, name, "default"))["status"]["nominatedNodeName"] for name in names("g", 2)
        ]
        at = sorted([await where(client, name) for name in going])
        assert sorted(hopes) == at
        assert f"0/3 nodes are available: 3 Insufficient cpu. {ALONE}" in await messages(
            client, "FailedScheduling"
        )
        await end(client, f"on-{hopes[0]}")

        async def told_to_wait() -> bool:
            return "ongoing preemption on nominated nodes" in (await condition(client, "g"))[2]

        await eventually(told_to_wait)
        await end(client, f"on-{hopes[1]}")
        await eventually(is_bound(client, "g", 2))
        assert sorted([await where(client, name) for name in names("g", 2)]) == at
        await eventually(is_told(client, "g", "True"))


async def test_a_gang_that_may_not_or_cannot_make_room_says_so() -> None:
    async with scheduled(HurriedClock()) as (client, _):
        await make_class(client, preemptionPolicy="Never")
        await filled(client, 1)
        await make_group(client, "g", 2, **HIGH)
        await make_members(client, "g", 2, **HIGH)
        never = f"{FEW}, pod group preemption: not eligible due to preemptionPolicy=Never."
        await eventually(is_told(client, "g", "False", "Unschedulable", never))
        await make_group(client, "h", 2)
        await make_members(client, "h", 2)
        nobody = f"{FEW}, pod group preemption: {NO_VICTIMS}"
        await eventually(is_told(client, "h", "False", "Unschedulable", nobody))
        assert not await goes(client, "on-a")


async def test_a_profile_without_preemption_makes_no_room_for_gangs() -> None:
    off = {"plugins": {"postFilter": {"disabled": [{"name": "DefaultPreemption"}]}}}
    kind = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}
    configuration = read_configuration(json.dumps({**kind, "profiles": [off]}))
    async with scheduled(HurriedClock(), configuration=configuration) as (client, _):
        await make_class(client)
        await filled(client, 1)
        await make_group(client, "g", 2, **HIGH)
        await make_members(client, "g", 2, **HIGH)
        off_text = "default preemption plugin is not registered, workload aware preemption is disabled"
        said = f"{FEW}, pod group preemption: {off_text}"
        await eventually(is_told(client, "g", "False", "Unschedulable", said))

        async def told() -> bool:
            failed = await messages(client, "FailedScheduling")
            return "0/1 nodes are available: 1 Insufficient cpu." in failed

        await eventually(told)


async def test_a_gang_for_which_nobody_could_be_evicted_is_tried_again() -> None:
    refusals = [ApiError(500, "InternalError", "no")] * 2

    class Refusing(Client):
        async def delete(self, resource: Resource, name: str, *args: Any, **more: Any) -> Object:
            if name.startswith("on-") and refusals and "uid" in more:
                raise refusals.pop()
            return await super().delete(resource, name, *args, **more)

    def refusing(transport: Transport) -> Client:
        return Refusing(transport)

    async with scheduled(HurriedClock(), refusing) as (client, _):
        await make_class(client)
        await filled(client, 2)
        await make_group(client, "g", 2, **HIGH)
        await make_members(client, "g", 2, **HIGH)
        await eventually(all_go(client, "on-a", "on-b"))
        assert refusals == []
        await end(client, "on-a", "on-b")
        await eventually(is_bound(client, "g", 2))


async def test_pods_of_a_group_that_goes_whole_go_whole_for_a_single_pod() -> None:
    async with scheduled(HurriedClock()) as (client, _):
        await make_class(client)
        for name in "ab":
            await make_node(client, name, cpu="1")
        await make_group(client, "g", 2, disruptionMode={"all": {}})
        await make_members(client, "g", 2)
        await eventually(is_bound(client, "g", 2))
        await make_pod(client, "vital", requests={"cpu": "1"}, **HIGH)
        await eventually(all_go(client, *names("g", 2)))
        await end(client, *names("g", 2))

        async def vital_is_bound() -> bool:
            return bool(await where(client, "vital"))

        await eventually(vital_is_bound)


# Without a server.


def full(cpus: Sequence[int]) -> World:
    """Nodes n0, n1 ... of so many CPUs."""
    return world(*(node(f"n{number}", cpu=str(cpu)) for number, cpu in enumerate(cpus)))


class Nobody:
    """No binding is under way here."""

    def bound(self, pod: PodFacts, node: str) -> None:
        raise AssertionError

    def not_bound(self, pod: PodFacts, why: str) -> None:
        raise AssertionError

    def held_up(self, pod: PodFacts, node: str) -> None:
        raise AssertionError

    def is_there(self, pod: PodFacts) -> bool:
        raise AssertionError


async def find(
    where: World, gang: Object, members: Sequence[PodFacts], *budgets: Object
) -> tuple[Room | None, str]:
    read, client = Budgets(), Client.__new__(Client)
    for item in budgets:
        read.changed(None, item)
    binder = Binder(client, FakeClock(), where, Nobody())
    decisions = Decisions(where, Random(1))
    return await GroupPreemption(where, decisions, read, binder, (), Random(1)).find(
        PROFILE, gang, members, 0
    )


def gang_of(count: int, priority: int, **more: Any) -> tuple[Object, list[PodFacts]]:
    members = [
        facts(
            f"g-{n}", requests={"cpu": "1"}, priority=priority, schedulingGroup={"podGroupName": "g"}, **more
        )
        for n in range(count)
    ]
    return make_object("g", count, priority=priority), members


def going(room: Room | None) -> list[str]:
    assert room is not None
    return sorted(pod.key.removeprefix("default/") for pod in room.victims)


async def test_guarded_pods_and_important_ones_are_spared_before_others() -> None:
    pods = [
        placed("guarded", priority=1, labels={"app": "guarded"}),
        placed("more", priority=2),
        placed("plain", priority=1),
        placed("equal", priority=5),
    ]
    where = full([1, 1, 1, 1])
    for number, pod in enumerate(pods):
        where.place(pod, f"n{number}")
    room, _ = await find(where, *gang_of(1, 5), budget(0))
    # The place is chosen before anybody is spared, as upstream does; nobody is evicted elsewhere.
    assert room is not None
    (at,) = room.nodes.values()
    assert going(room) == [pods[int(at[1:])].key.removeprefix("default/")]
    one = full([4])
    for pod in pods:
        one.place(pod, "n0")
    room, _ = await find(one, *gang_of(2, 5), budget(0))
    assert going(room) == ["more", "plain"], "whose budget would be violated is spared first"
    assert (await find(one, *gang_of(4, 5))) == (
        None,
        "minCount (4) cannot be satisfied: 3 scheduled, 0 remaining",
    )
    assert (await find(one, *gang_of(1, 1)))[1] == NO_VICTIMS


async def test_a_group_that_goes_whole_is_more_important_and_goes_whole() -> None:
    where = full([2, 1])
    where.groups.set_group("default/old", make_object("old", 2, disruptionMode={"all": {}}, priority=1))
    for number in range(2):
        pod = placed(f"old-{number}", priority=1, schedulingGroup={"podGroupName": "old"})
        where.groups.pod_changed(None, pod.pod)
        where.place(pod, f"n{number}")
    where.place(placed("alone", priority=1, started="1"), "n0")
    room, _ = await find(where, *gang_of(1, 5))
    assert going(room) in (["alone"], ["old-0", "old-1"])
    room, _ = await find(where, *gang_of(2, 5))
    assert going(room) in (["alone", "old-0", "old-1"], ["old-0", "old-1"])
    victims = sorted(victims_among(list(where.placed.values()), 5, where), key=attrgetter("order"))
    assert [len(victim.placements) for victim in victims] == [2, 1]


def test_a_single_pod_evicts_a_group_that_goes_whole_as_one() -> None:
    where = full([1, 1])
    where.groups.set_group("default/old", make_object("old", 2, disruptionMode={"all": {}}, priority=1))
    for number in range(2):
        pod = placed(f"old-{number}", priority=1, schedulingGroup={"podGroupName": "old"})
        where.groups.pod_changed(None, pod.pod)
        where.place(pod, f"n{number}")
    found = best(where, facts("vital", requests={"cpu": "1"}, priority=5))
    assert found is not None
    assert sorted(victim.key for victim in found.victims) == ["default/old-0", "default/old-1"]
    assert [int(count) for count in where.nodes.column(where.nodes.pod_count)] == [1, 1]


async def test_anti_affinity_of_lesser_pods_is_made_room_for() -> None:
    where = full([4, 4])
    apart: Object = {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"labelSelector": {"matchLabels": {"app": "g"}}, "topologyKey": "zone"}
            ]
        }
    }
    for number in range(2):
        where.set_node(node(f"n{number}", cpu="4", labels={"zone": "z"}))
    where.place(placed("hermit", priority=1, affinity=apart), "n0")
    where.place(placed("calm", priority=1), "n1")
    room, _ = await find(where, *gang_of(2, 5, labels={"app": "g"}))
    assert going(room) == ["hermit"]


@pytest.mark.parametrize("seed", range(12))
async def test_halves_find_whom_one_by_one_would_find(seed: int) -> None:
    random = Random(seed)
    cpus = [random.randrange(2, 6) for _ in range(6)]
    where = full(cpus)
    for number, cpu in enumerate(cpus):
        left = cpu
        while left > 0:
            size = random.randrange(1, left + 1)
            guarded = {"labels": {"app": "guarded"}} if random.random() < 0.3 else {}
            name = f"p-{number}-{left}"
            pod = placed(
                name, cpu=str(size), priority=random.randrange(4), started=str(random.randrange(9)), **guarded
            )
            where.place(pod, f"n{number}")
            left -= size
    gang, members = gang_of(random.randrange(1, 6), 3)
    room, why = await find(where, gang, members, budget(1))
    if room is None:
        assert "cannot be satisfied" in why
        return
    expected = [pod for victim in greedy(where, room.nodes, budget(1)) for pod in victim.pods]
    assert going(room) == sorted(pod.key.removeprefix("default/") for pod in expected)
    used = where.nodes.resource(where.nodes.requested, "cpu")
    assert [int(n) for n in used] == [1000 * cpu for cpu in cpus], "nothing happened to the world itself"


def greedy(where: World, nodes: dict[str, str], guard: Object) -> list[Victim]:
    """Who has to go when each is given back by itself, by CPUs alone."""
    budgets = Budgets()
    budgets.changed(None, guard)
    victims = sorted(victims_among(list(where.placed.values()), 3, where), key=attrgetter("order"))
    free = dict.fromkeys(where.nodes.names, 0)
    for victim in victims:
        free[victim.placements[0].node] += victim.placements[0].pod.template.requests["cpu"]
    for name in nodes.values():
        free[name] -= 1000
    left = []
    violating, others = by_budgets(victims, budgets)
    for victim in (*violating, *others):
        (one,) = victim.placements
        size = one.pod.template.requests["cpu"]
        if one.node not in nodes.values() or free[one.node] >= size:
            free[one.node] -= size
        else:
            left.append(victim)
    return left
