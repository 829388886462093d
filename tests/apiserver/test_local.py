"""The server's own clients over a store in memory: nothing of a call waits, and yet others get their turn."""

from __future__ import annotations

import asyncio

from tests.apiserver.rig import ADMIN, Rig, config_map
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.client.api import Client
from wherry.kit.portions import Runs

CALLS = 20


async def others_turns(rig: Rig, name: str) -> int:
    """How often others had a turn while a client wrote and wrote."""
    client, turns, done = Client(rig.server.local_transport(ADMIN)), 0, False
    await client.create(CONFIG_MAPS, config_map(name))

    async def count() -> None:
        nonlocal turns
        while not done:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.ensure_future(count())
    for number in range(CALLS):
        await client.patch(CONFIG_MAPS, name, "default", {"data": {"n": str(number)}})
    done = True
    await other
    return turns


async def test_a_run_of_local_writes_lets_others_go_on(rig: Rig) -> None:
    rig.server.core.local_runs = Runs(0.0)
    assert await others_turns(rig, "a") >= CALLS // 2  # each other one begins a run
    rig.server.core.local_runs = Runs(3600.0)
    assert await others_turns(rig, "b") <= 1


async def test_many_who_call_at_once_are_served_in_as_many_turns_as_it_takes(rig: Rig) -> None:
    """However many of a server's own clients are ready, others wait for no more than a run of them."""
    client, served, most, done = Client(rig.server.local_transport(ADMIN)), list[int](), 0, False
    await client.create(CONFIG_MAPS, config_map("a"))
    rig.server.core.local_runs = Runs(0.0)  # as if each call took that long

    async def call(number: int) -> None:
        await client.get(CONFIG_MAPS, "a", "default")
        served.append(number)

    async def count() -> None:
        nonlocal most
        while not done:
            before = len(served)
            await asyncio.sleep(0)
            most = max(most, len(served) - before)

    other = asyncio.ensure_future(count())
    await asyncio.gather(*(call(number) for number in range(500)))
    done = True
    await other
    assert most == 1
    assert served == [*range(500)], "first come, first served"
