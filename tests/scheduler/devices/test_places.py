"""The numbers of rows by what is open to them: the seed's, whatever order Python gives to sets."""

from __future__ import annotations

import os
import subprocess
import sys
from random import Random

import pytest

from tests.scheduler.builders import facts, node, world
from tests.scheduler.devices.builders import claim, claims, device, device_class, resource_slice
from tests.scheduler.test_decisions import PROFILE
from wherry.objects.meta import key_of
from wherry.scheduler.decisions import Decisions
from wherry.scheduler.devices.places import Place, Places
from wherry.scheduler.devices.steps import Steps
from wherry.scheduler.nodes import NodeTable

COUNT = 20


def zone(number: int) -> Place:
    term = {"matchExpressions": [{"key": "zone", "operator": "In", "values": [f"z{number}"]}]}
    return Place({"nodeSelector": {"nodeSelectorTerms": [term]}})


def test_each_place_has_its_number_from_the_seed_in_the_order_they_came() -> None:
    nodes = NodeTable()
    for number in range(COUNT):
        nodes.set_node(node(f"n{number}", labels={"zone": f"z{number}"}))
    known = {place.key: place for place in map(zone, range(COUNT))}
    places, random = Places(nodes, Random(5)), Random(5)
    expected = [random.getrandbits(62) | 1 for _ in range(COUNT)]
    assert places.reach(known, Steps(10_000)).tolist() == expected
    gone = dict(list(known.items())[3:])
    assert places.reach(gone, Steps(10_000)).tolist() == [0, 0, 0, *expected[3:]]
    assert places.reach(known, Steps(10_000)).tolist() == expected


def choices() -> list[str]:
    """Where pods go that share what devices there are in places of many kinds."""
    found = world()
    found.devices.set_class("gpu", device_class())
    for number in range(COUNT):
        found.place(facts(f"early-{number}"), f"n{number % 3}")
    for number in range(COUNT):
        found.set_node(node(f"n{number}", labels={"zone": f"z{number % 7}"}))
    for number in range(7):
        devices = [device(f"d{one}") for one in range(5)]
        selector = {"nodeSelectorTerms": list(zone(number).terms)}
        found.devices.set_slice(f"s{number}", resource_slice(f"s{number}", devices, nodeSelector=selector))
    decisions, chosen = Decisions(found, Random(1)), []
    for number in range(30):
        wanted = claim(f"c{number}")
        found.devices.set_claim(key_of(wanted), wanted)
        pod = facts(f"p{number}", resourceClaims=claims(f"c{number}"))
        name = decisions.choose(PROFILE, pod)
        chosen.append(name)
        if name:
            PROFILE.plugins["DynamicResources"].reserve(pod, name, found)
            found.place(pod, name)
    return [*chosen, *map(str, found.places.reach(found.devices.places, Steps(10_000)).tolist())]


@pytest.mark.slow
def test_decisions_about_devices_are_the_same_in_each_process() -> None:
    code = "from tests.scheduler.devices.test_places import choices; print(choices())"
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2, 3)
    }
    assert len(found) == 1
    assert "n1" in found.pop()
