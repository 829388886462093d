"""What cannot matter to a pod costs a decision about it nothing, however much of it there is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import numpy as np
import pytest

from tests.growth.meter import steps_of
from tests.scheduler.builders import facts, node, world
from tests.scheduler.test_decisions import PROFILE, affinity, named
from wherry.scheduler.budgets import Budgets
from wherry.scheduler.decisions import Decisions
from wherry.scheduler.evaluation import Evaluation
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Plugin
from wherry.scheduler.interned import Bools, Ints, Rows
from wherry.scheduler.preemption import Search, look_at
from wherry.scheduler.profiles import Chosen, Profile
from wherry.scheduler.world import World

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
HOSTNAME = "kubernetes.io/hostname"
FEW = 40


def apart_from(*selectors: dict[str, Any], **more: Any) -> dict[str, Any]:
    terms = [{"topologyKey": HOSTNAME, "labelSelector": selector, **more} for selector in selectors]
    return {"podAntiAffinity": {REQUIRED: terms}}


def app(name: str) -> dict[str, Any]:
    return {"matchLabels": {"app": name}}


def crowded(count: int, rules: Callable[[int], dict[str, Any]]) -> World:
    """A few nodes with `count` pods that have `rules`, each its own."""
    where = world(*(node(f"n{number}", labels={HOSTNAME: f"n{number}"}) for number in range(4)))
    where.set_namespace("default", {"kubernetes.io/metadata.name": "default"})
    for number in range(count):
        pod = facts(f"p{number}", labels={"app": f"x{number}"}, affinity=rules(number), namespace="others")
        where.place(pod, f"n{number % 4}")
    return where


def decide(pod: PodFacts, where: World) -> None:
    assert Decisions(where, Random(1)).choose(PROFILE, pod)


def assert_flat(call: Callable[[Any], object], make: Callable[[int], Any]) -> None:
    """Four times as much of it takes hardly a step more."""
    call(make(2))
    few, many = (steps_of(partial(call, make(count)))[0] for count in (FEW, 4 * FEW))
    assert many <= few * 1.1 + 10, f"{few} steps for {FEW}, {many} for {4 * FEW}"


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(lambda n: apart_from(app(f"x{n}")), id="of another namespace"),
        pytest.param(
            lambda n: apart_from(app(f"x{n}"), namespaces=["default"]), id="about a label it does not have"
        ),
        pytest.param(
            lambda n: apart_from(
                {"matchLabels": {"app": "web", "number": f"{n}"}}, namespaceSelector={}, namespaces=[]
            ),
            id="about two labels of which it has one",
        ),
        pytest.param(
            lambda n: apart_from(
                {"matchExpressions": [{"key": f"k{n}", "operator": "Exists"}]}, namespaces=["default"]
            ),
            id="about a key it does not have",
        ),
        pytest.param(
            lambda n: apart_from(app("web"), namespaceSelector={"matchLabels": {"team": f"{n}"}}),
            id="about namespaces it is not in",
        ),
        pytest.param(
            lambda n: {"podAntiAffinity": {REQUIRED: [{"topologyKey": f"t{n}", "namespaces": ["default"]}]}},
            id="about nobody",
        ),
        pytest.param(lambda n: apart_from(app("gone"), namespaces=["default"]), id="all the same"),
    ],
)
def test_affinity_terms_of_placed_pods(rules: Callable[[int], dict[str, Any]]) -> None:
    assert_flat(partial(decide, facts("web", labels={"app": "web"})), lambda count: crowded(count, rules))


def test_terms_about_placed_pods() -> None:
    pod = facts("web", labels={"app": "web"}, affinity=apart_from(app("x1"), app("x2")))
    assert_flat(partial(decide, pod), lambda count: crowded(count, lambda n: {}))


def guarded(count: int) -> tuple[World, Budgets]:
    """A full node, and budgets of others, half of them in another namespace."""
    where = world(node("a", cpu="1"))
    where.place(facts("victim", requests={"cpu": "1"}, labels={"app": "web"}), "a")
    budgets = Budgets()
    for number in range(count):
        budgets.changed(
            None,
            {
                "metadata": {"name": f"b{number}", "namespace": "default" if number % 2 else "others"},
                "spec": {"selector": app(f"x{number}" if number % 2 else "web")},
            },
        )
    return where, budgets


def test_budgets_of_others() -> None:
    pod = facts("vital", requests={"cpu": "1"}, priority=9)

    def look(made: tuple[World, Budgets]) -> None:
        where, budgets = made
        found = look_at(Evaluation(PROFILE, pod, where), Search(), 0, pod, where, budgets)
        assert found is not None
        assert found.violations == 0

    assert_flat(look, guarded)


def test_pods_that_hope_for_nodes_cost_those_more_important_nothing() -> None:
    def promised(count: int) -> World:
        where = world(*(node(f"n{number}") for number in range(4)))
        for number in range(count):
            where.place(facts(f"p{number}"), f"n{number % 4}", is_nominated=True)
        where.reserve_from(5)
        return where

    def decide_again(where: World) -> None:
        where.reserve_from(5)
        assert Decisions(where, Random(1)).choose(PROFILE, facts("web", priority=5))

    assert_flat(decide_again, promised)


class Asked(Plugin):
    """Remembers how many rows it was asked about."""

    name = "Asked"

    def __init__(self) -> None:
        self.rows: list[int] = []

    def filter(self, state: Any, world: World, rows: Rows) -> list[Any]:
        self.rows.append(len(np.arange(len(world.nodes))[rows]))
        return []

    def score(self, state: Any, world: World, rows: Rows, feasible: Bools) -> Ints | None:
        self.rows.append(len(np.arange(len(world.nodes))[rows]))
        return None


def test_a_pod_that_names_its_node_looks_at_that_node() -> None:
    asked = Asked()
    profile = Profile("p", [*PROFILE.chosen, Chosen(asked, weight=1)])
    where = world(*(node(f"n{number}") for number in range(50)))
    decisions = Decisions(where, Random(1))
    pod = facts("daemon", affinity=affinity(named("n7"), named("n9")), requests={"cpu": "3"})
    assert decisions.choose(profile, pod) in ("n7", "n9")
    assert asked.rows == [2, 2]
    for name in ("n7", "n9", "n20"):
        where.place(facts(f"at-{name}", requests={"cpu": "3"}), name)
    assert decisions.choose(profile, pod) == ""
    assert max(asked.rows) == 2
    trace = decisions.evaluation(profile, pod).trace()
    assert trace.message().startswith(
        "0/50 nodes are available: 2 Insufficient cpu, 48 node(s) didn't satisfy plugin(s) [NodeAffinity]."
    )
    assert [trace.nodes[int(row)] for row in np.flatnonzero(trace.resolvable_rows())] == ["n7", "n9"]
