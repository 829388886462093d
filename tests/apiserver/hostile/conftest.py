"""A server with something in it for hostile clients to aim at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.apiserver.hostile.wire import CONFIG_MAPS, PODS
from tests.apiserver.rig import Rig, config_map, pod, running
from tests.hurried_clock import HurriedClock
from tests.timing import PATIENCE_S
from wherry.kit.clock import FakeClock
from wherry.objects.meta import Object
from wherry.store.memory import MemoryStore

DEEPS = "/apis/x.io/v1/namespaces/default/deeps"


def definition(plural: str = "deeps", kind: str = "Deep") -> Object:
    """A CustomResourceDefinition whose objects may hold anything."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.x.io"},
        "spec": {
            "group": "x.io",
            "names": {"plural": plural, "kind": kind},
            "scope": "Namespaced",
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": anything}}},
                }
            ],
        },
    }


async def furnish(rig: Rig) -> None:
    """A pod, a ConfigMap, and a custom resource that takes anything."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    await rig.http("POST", "/api/v1/namespaces/default/serviceaccounts", account)
    assert (await rig.http("POST", PODS, pod("target", nodeName="n1")))[0] == 201
    assert (await rig.http("POST", CONFIG_MAPS, config_map("target", a="1")))[0] == 201
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    assert (await rig.http("POST", definitions, definition()))[0] == 201
    await is_served(rig, DEEPS)


async def is_served(rig: Rig, path: str, code: int = 200) -> None:
    """Return once GET `path` answers `code`."""
    async with asyncio.timeout(PATIENCE_S):
        while (await rig.http("GET", path))[0] != code:  # noqa: ASYNC110 - no event to wait for from outside
            await asyncio.sleep(0.01)


_furnished: list[MemoryStore] = []


async def furnished() -> MemoryStore:
    """What `furnish` leaves in a server's store; made once for all tests, only to be copied."""
    if not _furnished:
        async with running(FakeClock()) as made:
            await furnish(made)
            _furnished.append(made.store.copy(FakeClock()))
    return _furnished[0]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A running server, furnished. What it waits for in vain it waits for a tenth of the time."""
    async with running(HurriedClock(), store=await furnished()) as made:
        await is_served(made, DEEPS)
        yield made
