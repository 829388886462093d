"""Much work lets others go on; in simulated time the machine's speed decides nothing."""

from __future__ import annotations

import asyncio

from wherry.kit.portions import Portions, Runs
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


async def pieces(runs: Runs, count: int) -> list[str]:
    happened: list[str] = []
    asyncio.get_running_loop().call_soon(happened.append, "another")
    for _ in range(count):
        await runs.next()
        happened.append("piece")
    return list(happened)


async def test_pieces_of_work_that_wait_for_nothing_let_others_go_on() -> None:
    assert await pieces(Runs(0.0), 3) == ["piece", "another", "piece", "piece"]
    assert await pieces(Runs(3600.0), 3) == ["piece", "piece", "piece"]


async def test_a_run_begins_anew_when_the_loop_came_round() -> None:
    runs = Runs(0.0)
    for _ in range(3):
        assert (await pieces(runs, 1)) == ["piece"]
        await asyncio.sleep(0)


def test_in_simulated_time_pieces_are_one_run() -> None:
    loop = SimulatedLoop()
    assert loop.run_until_complete(pieces(Runs(0.0), 3)) == ["piece", "piece", "piece"]
    loop.close()
