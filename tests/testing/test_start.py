"""A cluster starts once and ends once, whoever asks, how often, and whether they still wait for it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tests.testing.test_cluster import WEB
from wherry.testing import AsyncCluster, Cluster
from wherry.testing.loop_thread import ClosedError, WrongThreadError
from wherry.testing.world import World

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}}


def running() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "wherry cluster"]


async def test_two_who_start_it_start_one() -> None:
    before = running()
    cluster = AsyncCluster()
    await asyncio.gather(cluster.start(), cluster.start())
    assert len(running()) == len(before) + 1
    await asyncio.gather(cluster.close(), cluster.close())
    assert running() == before


@pytest.mark.parametrize("where", ["at once", "in the middle", "at the end"])
async def test_a_start_that_is_given_up_leaves_nothing(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    before, begun, opened = running(), threading.Event(), World.open

    async def slow(world: World, moment: object = None) -> None:
        begun.set()
        if where == "in the middle":
            await asyncio.get_running_loop().create_future()
        await opened(world)

    monkeypatch.setattr(World, "open", slow)
    cluster = AsyncCluster()
    starting = asyncio.create_task(cluster.start())
    await asyncio.sleep(0)
    if where != "at once":
        await asyncio.to_thread(begun.wait)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert running() == before
    monkeypatch.undo()
    async with cluster:  # it can be started later
        await cluster.apply(WEB)


def test_it_cannot_be_closed_from_inside_and_goes_on() -> None:
    before = running()
    c = Cluster().start()
    c.apply(MAP)
    with pytest.raises(WrongThreadError):
        c.wait("cm/m", lambda _: c.close())
    assert c.client.get("cm", "m")
    c.close()
    with pytest.raises(ClosedError):
        c.client.get("cm", "m")
    assert running() == before


def test_a_start_that_fails_leaves_nothing() -> None:
    before = running()
    with pytest.raises(ValueError, match="Stage"):
        Cluster(stages=["kind: Nothing"]).start()
    assert running() == before
