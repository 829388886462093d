"""Absurd but valid pods: told so, and nobody else is kept waiting."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from tests.conftest import eventually
from tests.hurried_clock import HurriedClock
from tests.scheduler.builders import facts, node, world
from tests.scheduler.test_decisions import PROFILE, choice, message
from tests.scheduler.test_scheduler import make_node, make_pod, messages, scheduled, where
from tests.timing import least, thread_seconds
from wherry.api.core.pods import PODS
from wherry.scheduler.decisions import Decisions
from wherry.scheduler.facts import LARGEST_AMOUNT, MOST_REQUIREMENTS, MOST_TERMS

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
HOSTNAME = "kubernetes.io/hostname"


def terms(count: int) -> dict[str, Any]:
    found = [
        {"topologyKey": HOSTNAME, "labelSelector": {"matchLabels": {"app": f"a{number}"}}}
        for number in range(count)
    ]
    return {"podAntiAffinity": {REQUIRED: found}}


async def test_ten_thousand_terms() -> None:
    async with scheduled(HurriedClock()) as (client, _):
        await make_node(client, "a")
        await make_pod(client, "absurd", affinity=terms(10_000))
        await make_pod(client, "plain")

        async def told() -> bool:
            return await where(client, "plain") == "a" and bool(await messages(client, "FailedScheduling"))

        await eventually(told)
        text = f"spec.affinity: 10000 terms about pods, of which {MOST_TERMS} at most are looked at"
        assert await messages(client, "FailedScheduling") == [text]

        async def has_condition() -> bool:
            conditions = (await client.get(PODS, "absurd", "default"))["status"].get("conditions") or ()
            return any(c["reason"] == "SchedulerError" and c["message"] == text for c in conditions)

        await eventually(has_condition)


def on_nodes(count: int, kind: str) -> dict[str, Any]:
    found = [
        {"matchExpressions": [{"key": HOSTNAME, "operator": "Lt", "values": [str(number)]}]}
        for number in range(count)
    ]
    preferred = [{"weight": 1, "preference": term} for term in found]
    return {"nodeAffinity": {kind: {"nodeSelectorTerms": found} if kind == REQUIRED else preferred}}


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            {"affinity": on_nodes(10_000, REQUIRED)},
            "spec.affinity.nodeAffinity: 10000 requirements on nodes, of which 200 at most are looked at",
        ),
        (
            {"affinity": on_nodes(10_000, "preferredDuringSchedulingIgnoredDuringExecution")},
            "spec.affinity.nodeAffinity: 10000 requirements on nodes, of which 200 at most are looked at",
        ),
        (
            {"tolerations": [{"key": f"k{number}", "operator": "Exists"} for number in range(20_000)]},
            "spec.tolerations: 20000 of them, of which 500 at most are looked at",
        ),
        ({"affinity": on_nodes(MOST_REQUIREMENTS, REQUIRED)}, ""),
    ],
    ids=["required", "preferred", "tolerations", "as many as are looked at"],
)
def test_what_is_asked_of_nodes_has_a_bound(spec: dict[str, Any], text: str) -> None:
    assert facts("absurd", **spec).template.trouble == text


def test_as_many_terms_as_are_looked_at_hold_nobody_up() -> None:
    where = world(*(node(f"n{number}", labels={HOSTNAME: f"n{number}"}) for number in range(500)))
    for number in range(100):
        where.place(facts(f"p{number}", labels={"app": f"a{number}"}), f"n{number}")
    pod = facts("many", affinity=terms(MOST_TERMS))

    def choose() -> None:
        assert Decisions(where, Random(1)).choose(PROFILE, pod) not in {f"n{number}" for number in range(100)}

    assert least(lambda: thread_seconds(choose), 0.5) < 0.5, "it takes some ten milliseconds"


def test_a_topology_nobody_has() -> None:
    constraint = {
        "topologyKey": "nobody/has-it",
        "maxSkew": 1,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {},
        "minDomains": 2**31 - 1,
    }
    nodes = [node("a"), node("b")]
    assert message(facts(topologySpreadConstraints=[constraint]), world(*nodes)).startswith(
        "0/2 nodes are available: 2 node(s) didn't match pod topology spread constraints "
        "(missing required label)."
    )
    soft = {**constraint, "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 2**31 - 1}
    soft.pop("minDomains")
    assert choice(facts(topologySpreadConstraints=[soft]), world(*nodes)) in ("a", "b")


@pytest.mark.parametrize("cpu", ["9223372036854775807", "1e30", "123456789E"])
def test_amounts_beyond_all_numbers(cpu: str) -> None:
    where = world(node("a"), node("huge", cpu=cpu, memory="9E"))
    pod = facts(requests={"cpu": cpu})
    assert pod.template.requests["cpu"] == LARGEST_AMOUNT
    for number in range(3):
        where.place(facts(f"p{number}", requests={"cpu": cpu}), "huge")
    assert choice(facts("one", requests={"cpu": "1"}), where) == "a"
    assert "Insufficient cpu" in message(facts("two", requests={"cpu": cpu}), where)


def test_weights_as_large_as_they_may_be() -> None:
    preferences = [
        {"weight": 100, "preference": {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}}
        for _ in range(1000)
    ]
    rules = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferences}}
    assert choice(facts(affinity=rules), world(node("a"), node("b", labels={"disk": "x"}))) == "b"
