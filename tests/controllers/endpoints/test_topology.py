"""Endpoints shared out among zones by the processors of each."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from tests.controllers.bench import Bench, running
from tests.controllers.endpoints.test_endpoints import pod, service, slices
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.core.services import SERVICES
from wherry.controllers.endpoints.sharing import (
    NO_NODES,
    NO_ZONE,
    TOO_FEW,
    TOO_UNEVEN,
    Shared,
    is_overloaded,
    share_out,
)
from wherry.controllers.endpoints.slice_controller import EndpointSlices
from wherry.controllers.endpoints.zone_shares import ZONE, ZoneShares
from wherry.objects.meta import Object

EVEN = {"a": 0.5, "b": 0.5}


def entry(zone: str, meant: str = "", *, ready: bool = True) -> Object:
    made: Object = {"addresses": ["10.0.0.1"], "conditions": {"ready": ready}}
    if zone:
        made["zone"] = zone
    if meant:
        made["hints"] = {"forZones": [{"name": meant}]}
    return made


def piece(*entries: Object, name: str = "s") -> Object:
    return {"metadata": {"name": name}, "endpoints": [*entries]}


def meant(shared: Shared) -> str:
    """For which zone each endpoint is, "-" for none."""
    entries = [one for found in shared.slices for one in found["endpoints"]]
    return "".join(one["hints"]["forZones"][0]["name"] if "hints" in one else "-" for one in entries)


@pytest.mark.parametrize(
    ("zones", "shares", "hints"),
    [
        ("ab", EVEN, "ab"),
        ("aaab", EVEN, "baab"),
        ("aaaa", EVEN, "bbaa"),
        ("aaaaaabbb", {"a": 2 / 3, "b": 1 / 3}, "aaaaaabbb"),
        ("aaabbc", EVEN, "aaabbc"),  # no node of c counts, and nobody has too many
        ("aaaabb", {"a": 0.25, "b": 0.75}, "bbaabb"),  # half an endpoint does not move
    ],
)
def test_a_zone_with_too_few_takes_of_others(zones: str, shares: dict[str, float], hints: str) -> None:
    shared = share_out([piece(*map(entry, zones), entry("a", "a", ready=False))], [], shares)
    assert meant(shared) == f"{hints}-"
    assert shared.counts == Counter(hints)


@pytest.mark.parametrize(
    ("entries", "shares", "problem"),
    [
        ([entry("a"), entry("b")], None, NO_NODES),
        ([entry("a"), entry("b", ready=False)], EVEN, f"{TOO_FEW} (1 endpoints, 2 zones)"),
        ([entry("a"), entry("b")], {"a": 0.9, "b": 0.1}, f"{TOO_UNEVEN} (2 endpoints, 2 zones)"),
        ([entry("a"), entry("")], EVEN, NO_ZONE),
    ],
)
def test_where_it_cannot_be_there_are_no_hints(
    entries: list[Object], shares: dict[str, float] | None, problem: str
) -> None:
    hinted = piece(entry("a", "a"), name="other")
    others = [hinted, piece(name="bare")] if problem == NO_NODES else []
    shared = share_out([piece(*entries)], others, shares)
    assert shared.problem == problem
    assert set(meant(shared)) == {"-"}
    assert [found["metadata"]["name"] for found in shared.slices] == ["s", "other"][: 1 + bool(others)]


def test_slices_that_are_right_are_left_alone() -> None:
    right, bare = piece(entry("a", "a"), entry("a", "b"), name="right"), piece(entry("b"), name="bare")
    shared = share_out([piece(entry("a"))], [right, bare], EVEN)
    assert [found["metadata"]["name"] for found in shared.slices] == ["s", "bare"]
    assert meant(shared) == "ab"
    gone = piece(entry("a", "c"), entry("b", "b"), name="gone")
    assert meant(share_out([], [gone], EVEN)) == "ab", "a zone that is no more"
    crowded = piece(*(entry("a", "a") for _ in range(4)), name="crowded")
    assert Counter(meant(share_out([], [crowded], EVEN))) == {"a": 2, "b": 2}


def test_what_is_counted_is_what_is_written() -> None:
    random = Random(7)
    for _ in range(300):
        zones = "abcd"[: random.randint(2, 4)]
        parts = [random.random() + 0.1 for _ in zones]
        shares = {zone: part / sum(parts) for zone, part in zip(zones, parts, strict=True)}
        pieces = [piece(*(entry(random.choice(zones)) for _ in range(random.randrange(9)))) for _ in range(3)]
        shared = share_out(pieces, [], shares)
        if shared.problem:
            continue
        assert Counter(meant(shared)) == +shared.counts
        again = share_out([], shared.slices, shares)
        assert [a for a in again.slices if a not in shared.slices] == [], "and then nothing moves any more"


@pytest.mark.parametrize(
    ("counts", "shares", "expected"),
    [
        ({}, None, False),
        ({"a": 1, "b": 1}, None, True),
        ({"a": 2}, EVEN, True),
        ({"a": 3, "b": 2}, EVEN, True),
        ({"a": 2, "b": 2}, EVEN, False),
    ],
)
def test_overload(counts: dict[str, int], shares: dict[str, float] | None, expected: bool) -> None:
    assert is_overloaded(counts, shares) is expected


def node(name: str, zone: str, cpu: str = "2", ready: str = "True", **labels: str) -> Object:
    return {
        "metadata": {"name": name, "labels": {**labels, **({ZONE: zone} if zone else {})}},
        "status": {"conditions": [{"type": "Ready", "status": ready}], "allocatable": {"cpu": cpu}},
    }


def test_shares_are_those_of_the_nodes_there_are() -> None:
    """Kept as nodes change, and what counting them all would give."""
    random, kept = Random(5), ZoneShares()
    nodes: dict[str, Object] = {}
    seen: set[bool] = set()
    for _ in range(400):
        name = f"n{random.randrange(6)}"
        old = nodes.pop(name, None)
        if random.random() < 0.8:
            zone = random.choice(["a", "b", "c", "a", "b", "" if random.random() < 0.2 else "a"])
            nodes[name] = node(name, zone, random.choice("123"), random.choice(["True", "True", "False"]))
        kept.put(old, nodes.get(name))
        fresh = ZoneShares()
        for one in nodes.values():
            fresh.put(None, one)
        assert kept.shares() == fresh.shares()
        seen.add(kept.shares() is None)
    assert seen == {True, False}


def test_control_planes_and_heartbeats_do_not_count() -> None:
    kept = ZoneShares()
    assert kept.put(None, node("a", "a", "1"))
    assert kept.put(None, node("b", "b", "3"))
    assert not kept.put(None, node("c", "c", **{"node-role.kubernetes.io/control-plane": ""}))
    assert not kept.put(node("b", "b", "3"), node("b", "b", "3", other="label"))
    assert kept.shares() == {"a": 0.25, "b": 0.75}


async def hints(bench: Bench) -> list[str]:
    found = [one for made in await slices(bench) for one in made["endpoints"]]
    return [one["hints"]["forZones"][0]["name"] if "hints" in one else "-" for one in found]


async def test_a_service_with_the_annotation_has_hints_while_the_nodes_allow_it() -> None:
    auto = service()
    auto["metadata"]["annotations"] = {"service.kubernetes.io/topology-mode": "Auto"}
    pods: list[Any] = []
    for number in range(4):
        made = pod(number)
        made["spec"]["nodeName"] = "na" if number < 3 else "nb"
        pods.append((PODS, made))
    before: list[Any] = [(NODES, node("na", "a")), (NODES, node("nb", "b")), *pods]
    async with running(EndpointSlices, before=before) as bench:
        await bench.create(SERVICES, auto)
        assert Counter(await hints(bench)) == {"a": 2, "b": 2}
        enabled = "TopologyAwareHintsEnabled: Topology Aware Hints has been enabled, addressType: IPv4"
        assert bench.events() == [enabled]
        writes = len(bench.requests.writes())
        await bench.client.patch(NODES, "na", "", {"metadata": {"labels": {"x": "y"}}})
        await bench.clock.advance(2)
        assert len(bench.requests.writes()) == writes + 1, "nothing but the label"
        down = [{"type": "Ready", "status": "False"}]
        await bench.set_status(NODES, node("nb", "b"), conditions=down)
        await bench.clock.advance(2)
        assert set(await hints(bench)) == {"-"}
        assert f"TopologyAwareHintsDisabled: {NO_NODES}, addressType: IPv4" in bench.events()
        await bench.set_status(NODES, node("nb", "b"), conditions=[{"type": "Ready", "status": "True"}])
        await bench.clock.advance(2)
        assert Counter(await hints(bench)) == {"a": 2, "b": 2}
        off = {"metadata": {"annotations": {"service.kubernetes.io/topology-mode": None}}}
        await bench.client.patch(SERVICES, "web", "default", off)
        await bench.clock.advance(2)
        assert set(await hints(bench)) == {"-"}
        said = "TopologyAwareHintsDisabled: Topology Aware Hints has been disabled, addressType: IPv4"
        assert said in bench.events()
