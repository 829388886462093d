"""Much work lets others go on; in simulated time the machine's speed decides nothing."""

from __future__ import annotations

import asyncio

from wherry.kit.portions import Portions
from wherry.kit.simulated_loop import SimulatedLoop


async def work(seconds: float) -> list[str]:
    happened: list[str] = []
    asyncio.get_running_loop().call_soon(happened.append, "another")
    portions = Portions(seconds)
    await portions.next()
    happened.append("work")
    return list(happened)


async def test_others_go_on_once_a_portion_has_had_its_time() -> None:
    assert await work(0.0) == ["another", "work"]
    assert await work(3600.0) == ["work"]


def test_in_simulated_time_all_is_one_portion() -> None:
    loop = SimulatedLoop()
    assert loop.run_until_complete(work(0.0)) == ["work"]
    loop.close()
