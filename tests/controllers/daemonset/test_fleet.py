"""All nodes of a DaemonSet: the sums are those of looking at every node, and updates follow from them."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from random import Random

import pytest

from tests.controllers.daemonset.sets import NEW, NOW, OLD, daemon_set, node, pod, taint
from wherry.controllers.daemonset.fleet import SPARE_DUES, Fleet
from wherry.controllers.daemonset.judgement import Judge, Stage
from wherry.controllers.daemonset.rollout import Rollout, plan_rollout
from wherry.controllers.daemonset.status import plan_status
from wherry.objects.meta import Object, format_time, name_of


class World:
    """Nodes and the pods on them, by name."""

    def __init__(self) -> None:
        self.nodes: dict[str, Object] = {}
        self.pods: dict[str, list[Object]] = {}
        self.looked = 0

    def find(self, name: str) -> tuple[Object | None, list[Object]]:
        self.looked += 1
        return self.nodes.get(name), self.pods.get(name, [])


async def fleet_of(owner: Object, world: World) -> Fleet:
    fleet = Fleet("uid", (), ())
    fleet.judge_by(1, lambda: Judge(owner, NEW), lambda: [*world.nodes])
    await fleet.catch_up(world.find, NOW)
    return fleet


@pytest.mark.parametrize("surge", [0, 1])
async def test_sums_follow_every_change(surge: int) -> None:
    random, world = Random(3), World()
    owner = daemon_set(surge=surge, unavailable=1 - surge)
    judge = Judge(owner, NEW)
    fleet = await fleet_of(owner, world)
    for _ in range(300):
        name = f"n{random.randrange(12)}"
        if random.random() < 0.3:
            world.nodes.pop(name, None)
        else:
            taints = random.choice([None, [taint("t")], [taint("t", "NoExecute")]])
            world.nodes[name] = node(name, taints=taints)
        world.pods[name] = [
            pod(
                f"{name}-{number}",
                random.choice([OLD, NEW]),
                ready=random.random() < 0.5,
                phase=random.choice(["Running", "Running", "Failed", "Pending"]),
                deleting=random.random() < 0.2,
                scheduled=random.random() < 0.8,
            )
            for number in range(random.randrange(4))
        ]
        fleet.touch(name)
        await fleet.catch_up(world.find, NOW)
        wanted = {n: judge.look(*world.find(n), NOW) for n in {*world.nodes, *world.pods}}
        assert +fleet.counts == Counter(count for found in wanted.values() for count in found.counts)
        assert +fleet.revisions == Counter(each for found in wanted.values() for each in found.revisions)
        assert set(fleet.work) == {n for n, found in wanted.items() if found.has_work}
        for stage in Stage:
            if stage is not Stage.SETTLED:
                assert set(fleet.stages[stage]) == {n for n, found in wanted.items() if found.stage is stage}


async def test_only_what_was_touched_is_looked_at() -> None:
    world = World()
    world.nodes = {f"n{number}": node(f"n{number}") for number in range(3 * SPARE_DUES)}
    fleet = await fleet_of(daemon_set(), world)
    assert len(fleet.work) == 3 * SPARE_DUES
    world.looked = 0
    fleet.touch("n7")
    await fleet.catch_up(world.find, NOW)
    assert not fleet.judge_by(1, lambda: Judge(daemon_set(), OLD), lambda: [*world.nodes])
    await fleet.catch_up(world.find, NOW)
    assert world.looked == 1
    assert fleet.judge_by(2, lambda: Judge(daemon_set(), OLD), lambda: [*world.nodes])
    await fleet.catch_up(world.find, NOW)
    assert world.looked == 1 + 3 * SPARE_DUES


async def test_time_touches_what_waits_for_it() -> None:
    world = World()
    world.nodes = {name: node(name) for name in ("a", "b")}
    world.pods = {
        "a": [pod(since=format_time(NOW))],
        "b": [pod(since=format_time(NOW - timedelta(seconds=5)))],
    }
    fleet = await fleet_of(daemon_set(minReadySeconds=10), world)
    assert fleet.counts["numberAvailable"] == 0
    assert fleet.due_in_s(NOW) == 5
    later = NOW + timedelta(seconds=5)
    await fleet.catch_up(world.find, later)
    assert fleet.counts["numberAvailable"] == 1
    assert fleet.due_in_s(later) == 5
    await fleet.catch_up(world.find, NOW + timedelta(seconds=10))
    assert fleet.counts["numberAvailable"] == 2
    assert fleet.due_in_s(NOW) is None


async def test_what_waits_is_kept_once_however_often_it_changes() -> None:
    world = World()
    world.nodes = {"a": node("a")}
    fleet = await fleet_of(daemon_set(minReadySeconds=2**31 - 1), world)
    for second in range(20 * SPARE_DUES):
        world.pods["a"] = [pod(since=format_time(NOW - timedelta(seconds=second)))]
        fleet.touch("a")
        await fleet.catch_up(world.find, NOW)
    assert len(fleet._dues) < 3 * SPARE_DUES


async def test_a_node_that_could_not_be_judged_is_judged_the_next_time() -> None:
    world = World()
    world.nodes = {"a": node("a"), "b": node("b", taints=["absurd"])}  # type: ignore[list-item]
    fleet = Fleet("uid", (), ())
    fleet.judge_by(1, lambda: Judge(daemon_set(), NEW), lambda: [*world.nodes])
    with pytest.raises(AttributeError):
        await fleet.catch_up(world.find, NOW)
    world.nodes["b"] = node("b")
    await fleet.catch_up(world.find, NOW)
    assert set(fleet.work) == {"a", "b"}


async def rollout(owner: Object, *nodes: list[Object], elsewhere: int = 0) -> tuple[list[str], list[str]]:
    """What an update does next, with these pods on each node; `elsewhere` are the last nodes, tainted."""
    world = World()
    for number, pods in enumerate(nodes):
        name = f"n{number}"
        is_tainted = number >= len(nodes) - elsewhere
        world.nodes[name] = node(name, taints=[taint("t")] if is_tainted else None)
        world.pods[name] = [
            {**p, "metadata": {**p["metadata"], "name": f"{name}-{name_of(p)}"}} for p in pods
        ]
    found: Rollout = plan_rollout(owner, await fleet_of(owner, world), 250)
    return [name_of(gone) for gone in found.delete], found.create


def old(**more: bool) -> list[Object]:
    return [pod("o", OLD, **more)]  # type: ignore[arg-type]


def new(**more: bool) -> list[Object]:
    return [pod("n", NEW, **more)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("unavailable", "nodes", "gone"),
    [
        (1, [old(), old(), old()], ["n0-o"]),
        (2, [old(), old(), old()], ["n0-o", "n1-o"]),
        ("50%", [old(), old(), old()], ["n0-o", "n1-o"]),  # rounded up
        (1, [new(ready=False), old()], []),
        (2, [new(ready=False), old()], ["n1-o"]),
        (1, [[], old()], []),
        # what is of no use goes whatever the limit, and counts
        (1, [old(ready=False), old(ready=False), old()], ["n0-o", "n1-o"]),
        (3, [old(ready=False), old(), old(), old()], ["n0-o", "n1-o", "n2-o"]),
        (1, [new(), new()], []),
        (0, [old(), old()], ["n0-o"]),  # neither: one at a time
    ],
)
async def test_old_pods_make_room(unavailable: int | str, nodes: list[list[Object]], gone: list[str]) -> None:
    owner = daemon_set(unavailable=unavailable)
    assert await rollout(owner, *nodes) == (gone, [])
    owner["spec"]["updateStrategy"] = {"type": "OnDelete"}
    assert await rollout(owner, *nodes) == ([], [])


@pytest.mark.parametrize(
    ("surge", "nodes", "elsewhere", "gone", "made"),
    [
        (1, [old(), old()], 0, [], ["n0"]),
        (2, [old(), old(), old()], 0, [], ["n0", "n1"]),
        ("34%", [old(), old(), old()], 0, [], ["n0", "n1"]),
        (1, [[*old(), *new(ready=False)], old()], 0, [], []),
        (1, [[*old(), *new()], old()], 0, ["n0-o"], ["n1"]),
        # where the old pod is of no use the new one costs nothing
        (1, [old(ready=False), old(ready=False), old()], 0, [], ["n0", "n1", "n2"]),
        # a pod where none should be goes once there are enough where they should
        (1, [new(ready=False), old()], 1, [], []),
        (1, [new(), old()], 1, ["n1-o"], []),
        (1, [new(ready=False), old(ready=False)], 1, ["n1-o"], []),
    ],
)
async def test_new_pods_come_first(
    surge: int | str, nodes: list[list[Object]], elsewhere: int, gone: list[str], made: list[str]
) -> None:
    owner = daemon_set(surge=surge, unavailable=0)
    assert await rollout(owner, *nodes, elsewhere=elsewhere) == (gone, made)


def test_the_status_keeps_what_is_not_counted() -> None:
    owner = daemon_set()
    owner["status"] = {"collisionCount": 3, "conditions": [{"type": "X"}], "numberReady": 9}
    status = plan_status(owner, Counter({"desiredNumberScheduled": 5, "numberAvailable": 3}))
    assert status == {
        "collisionCount": 3,
        "conditions": [{"type": "X"}],
        "desiredNumberScheduled": 5,
        "currentNumberScheduled": 0,
        "numberMisscheduled": 0,
        "numberReady": 0,
        "numberAvailable": 3,
        "numberUnavailable": 2,
        "updatedNumberScheduled": 0,
        "observedGeneration": 2,
    }
