"""Much work lets others go on, of one task or many; in simulated time the machine's speed decides nothing."""

from __future__ import annotations

import asyncio
from itertools import chain

import pytest

from tests.turns import TURN_S, Turns
from wherry.kit.portions import Portions, Runs, Work, others, runs_of
from wherry.kit.simulated_loop import SimulatedLoop

TASKS = 500


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Turns:
    return Turns.installed(monkeypatch)


@pytest.mark.parametrize("piece_s", [0.125, 0.25, 2.0])
async def test_however_many_wait_a_turn_has_no_more_pieces_than_there_is_time_for(
    clock: Turns, piece_s: float
) -> None:
    runs = Runs(TURN_S)

    async def once(number: int) -> None:
        await runs.next()
        clock.work(number, piece_s)

    turns = await clock.of([asyncio.create_task(once(number)) for number in range(TASKS)])
    most = max(1, round(TURN_S / piece_s))
    assert {len(turn) for turn in turns} <= set(range(1, most + 1))
    assert [*chain(*turns)] == [*range(TASKS)], "first come, first served"
    assert len(turns) <= TASKS / most + 10, "no turn is wasted"


async def test_who_comes_back_stands_behind_those_who_wait(clock: Turns) -> None:
    runs = Runs(TURN_S)

    async def thrice(number: int) -> None:
        for _ in range(3):
            await runs.next()
            clock.work(number, TURN_S)

    turns = await clock.of([asyncio.create_task(thrice(number)) for number in range(4)])
    # The first asks again before the others ask at all, and so is in front of them once.
    assert turns == [[number] for number in (0, *range(4), *range(4), *range(1, 4))]


async def test_who_waits_no_more_is_passed_over(clock: Turns) -> None:
    runs = Runs(TURN_S)

    async def once(number: int) -> None:
        await runs.next()
        clock.work(number, TURN_S)

    tasks = [asyncio.create_task(once(number)) for number in range(10)]
    for _ in range(2):
        await asyncio.sleep(0)
    for task in tasks[2::2]:
        task.cancel()
    await asyncio.wait(tasks)
    assert clock.turns == [[0, 1, 3, 5, 7, 9]]
    await once(10)
    assert clock.turns[0][-1] == 10


async def test_portions_of_many_tasks_share_a_turn(clock: Turns) -> None:
    async def work(number: int) -> None:
        mine = Portions(Work.REQUESTS)
        for _ in range(4):
            await mine.next()
            clock.work(number, TURN_S / 2)

    turns = await clock.of([asyncio.create_task(work(number)) for number in range(TASKS)])
    assert max(len(turn) for turn in turns) <= 2
    assert [turn[0] for turn in turns[1 : TASKS + 1]] == [*range(TASKS)]


async def test_after_others_turn_many_tasks_go_on_one_after_the_other(clock: Turns) -> None:
    async def work(number: int) -> None:
        await others(Work.CONTROLLING)
        clock.work(number, TURN_S / 2)

    turns = await clock.of([asyncio.create_task(work(number)) for number in range(TASKS)])
    assert max(len(turn) for turn in turns) <= 2
    assert [*chain(*turns)] == [*range(TASKS)]


async def test_no_kind_of_work_waits_for_another(clock: Turns) -> None:
    async def work(number: int, kind: Work) -> None:
        await runs_of(kind).next()
        clock.work(number, 2 * TURN_S)

    many = [asyncio.create_task(work(number, Work.REQUESTS)) for number in range(TASKS)]
    turns = await clock.of([*many, asyncio.create_task(work(TASKS, Work.SCHEDULING))])
    assert turns[0] == [0, TASKS]


async def work(seconds: float) -> list[str]:
    happened: list[str] = []
    asyncio.get_running_loop().call_soon(happened.append, "another")
    runs_of(Work.REQUESTS).seconds = seconds
    mine = Portions(Work.REQUESTS)
    await mine.next()
    happened.append("work")
    return list(happened)


async def test_others_go_on_once_a_portion_has_had_its_time() -> None:
    assert await work(0.0) == ["another", "work"]


async def test_a_portion_goes_on_until_then() -> None:
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
