"""What fails or hangs once, and the agent that goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.kubelet.rig import NODE, Node, node
from wherry.api.coordination.leases import LEASES
from wherry.api.core.nodes import NODES
from wherry.kubelet.relist import RELIST_S
from wherry.objects.conditions import find_condition
from wherry.objects.meta import Object


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path) as running:
        yield running


async def readiness(made: Node) -> Object:
    status = (await made.admin.get(NODES, NODE))["status"]
    return dict(find_condition(status["conditions"], "Ready") or {})


async def is_ready_in_time(made: Node, status: str) -> None:
    """Return once the node's Ready condition is `status`, while ten seconds pass with each look."""

    async def look() -> bool:
        await made.clock.advance(10)
        return bool((await readiness(made))["status"] == status)

    await eventually(look)


async def test_a_runtime_that_hangs_makes_the_node_not_ready_until_it_goes_on(made: Node) -> None:
    await made.create("web")
    await made.ready("web")
    going_on = asyncio.Event()
    for method in ("status", "images", "sandboxes", "containers", "run_sandbox"):
        made.runtime.gates[method] = going_on
    await made.create("waits")
    await is_ready_in_time(made, "False")
    assert (await readiness(made))["message"] == "container runtime is down"
    lease = await made.admin.get(LEASES, NODE, "kube-node-lease")
    await made.clock.advance(20)
    later = await made.admin.get(LEASES, NODE, "kube-node-lease")
    assert later["spec"]["renewTime"] > lease["spec"]["renewTime"], "the node lives on"

    made.runtime.gates.clear()
    going_on.set()
    await is_ready_in_time(made, "True")
    await made.ready_in_time("waits")


async def test_what_no_event_said_is_found(made: Node) -> None:
    await made.create("web", restartPolicy="Never")
    await made.ready("web")
    made.runtime.silent = True
    made.runtime.finish(made.runtime.find("web").id, 3)
    await made.clock.advance(RELIST_S)
    await made.until("web", lambda status: status["phase"] == "Failed")


@pytest.mark.parametrize("method", ["status", "images", "sandboxes", "containers"])
async def test_a_method_that_raises_what_nobody_thought_of(made: Node, method: str) -> None:
    await made.clock.advance(1)
    made.runtime.failures[method].append(RuntimeError("once"))

    async def met() -> bool:
        await made.clock.advance(10)
        return not made.runtime.failures[method]

    await eventually(met)
    await is_ready_in_time(made, "True")
    await made.create("web", restartPolicy="Never")
    await made.ready_in_time("web")
    made.runtime.finish(made.runtime.find("web").id, 0)
    await made.until("web", lambda status: status["phase"] == "Succeeded")


async def test_the_end_of_the_events_is_not_the_last_one(made: Node) -> None:
    for _ in range(3):
        await made.runtime.close()
        await made.clock.advance(10)
    await made.create("web", restartPolicy="Never")
    await made.ready_in_time("web")
    made.runtime.finish(made.runtime.find("web").id, 0)
    await made.until("web", lambda status: status["phase"] == "Succeeded")
