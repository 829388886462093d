"""Users of devices: told of later, in portions, and found by what means their devices."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any, cast

import pytest

from tests.growth.meter import steps_of
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.api.dynamicresources.taints import selector_key, selectors_of
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.controllers.device_users import DeviceUsers
from wherry.kit import portions
from wherry.kit.clock import FakeClock, settle
from wherry.kit.tasks import Tasks
from wherry.objects.meta import Object


def claim(number: int, pool: str) -> Object:
    result = {"driver": "d", "pool": pool, "device": "gpu-0"}
    user = {"resource": "pods", "name": f"p{number}", "uid": f"u{number}"}
    return {
        "metadata": {
            "name": f"c{number}",
            "namespace": "default",
            "uid": f"c{number}",
            "resourceVersion": "1",
        },
        "status": {"allocation": {"devices": {"results": [result]}}, "reservedFor": [user]},
    }


class Told:
    """Claims of so many pods, each in a pool of its own but for those of pool `shared`."""

    def __init__(self, apart: int, shared: int = 0) -> None:
        self.cache = Cache(cast(Client, None), FakeClock(), random=Random(1))
        self.keys: list[str] = []
        self.tasks = Tasks("test")
        self.users = DeviceUsers(self.cache, self.keys.append, self.tasks, FakeClock())
        shelf = self.cache.informer(RESOURCE_CLAIMS).shelf
        for number in range(apart):
            shelf.put(claim(number, f"pool-{number}"))
        for number in range(shared):
            shelf.put(claim(apart + number, "shared"))

    def put(self, **selector: str) -> None:
        self.users.put([selector_key(selector)])


@pytest.mark.parametrize(
    ("selector", "is_meant"),
    [
        (None, False),
        ({}, True),
        ({"driver": "d"}, True),
        ({"pool": "p"}, True),
        ({"device": "x"}, True),
        ({"driver": "d", "pool": "p", "device": "x"}, True),
        ({"driver": "other", "pool": "p", "device": "x"}, False),
        ({"pool": "other"}, False),
        ({"driver": "p"}, False),
    ],
    ids=str,
)
def test_which_selectors_mean_a_device(selector: dict[str, Any] | None, is_meant: bool) -> None:
    assert (selector_key(selector) in selectors_of(("d", "p", "x"))) == is_meant


async def test_what_a_rule_about_one_pool_costs_is_nothing_to_those_of_others() -> None:
    counts = []
    for apart in (40, 160):
        told = Told(apart)
        before = steps_of(lambda told=told: told.put(pool="pool-3"))[0]  # type: ignore[misc]
        await settle()
        assert told.keys == ["default/p3"]
        counts.append(before)
        await told.tasks.close()
    assert counts[1] <= counts[0] + 5


async def test_many_users_are_told_of_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(1, shared=300)
    monkeypatch.setattr(portions, "perf_counter", lambda: 0.001 * len(told.keys))
    told.put(pool="shared")
    assert told.keys == [], "nobody is told while the event is"
    most, before = 0, 0
    while len(told.keys) < 300:
        await asyncio.sleep(0)
        most, before = max(most, len(told.keys) - before), len(told.keys)
    assert most <= 6
    assert len(set(told.keys)) == 300
    await told.tasks.close()
