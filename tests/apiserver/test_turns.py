"""Writers of one key go one after the other, writers of others at once."""

from __future__ import annotations

import asyncio

from wherry.apiserver.turns import Turns
from wherry.kit.clock import settle


async def test_one_at_a_time_in_order() -> None:
    turns, done = Turns(), []
    gates = [asyncio.Event() for _ in range(3)]

    async def write(number: int) -> None:
        async with turns.of("a"):
            await gates[number].wait()
            done.append(number)

    tasks = [asyncio.create_task(write(number)) for number in range(3)]
    await settle()
    gates[2].set()
    gates[1].set()
    await settle()
    assert done == []
    gates[0].set()
    await asyncio.gather(*tasks)
    assert done == [0, 1, 2]
    assert len(turns) == 0


async def test_other_keys_do_not_wait() -> None:
    turns = Turns()
    async with turns.of("a"), turns.of("b"):
        assert len(turns) == 2


async def test_a_cancelled_writer_passes_its_turn_on() -> None:
    turns = Turns()
    entered = asyncio.Event()

    async def write() -> None:
        async with turns.of("a"):
            entered.set()

    async with turns.of("a"):
        cancelled = asyncio.create_task(write())
        waiting = asyncio.create_task(write())
        await settle()
        cancelled.cancel()
        await settle()
    await waiting
    assert entered.is_set()
    assert len(turns) == 0


async def test_cancelled_just_as_it_is_given_the_turn() -> None:
    turns = Turns()

    async def write() -> None:
        async with turns.of("a"):
            await asyncio.sleep(0)

    async with turns.of("a"):
        first, second = asyncio.create_task(write()), asyncio.create_task(write())
        await settle()
    first.cancel()  # its turn has come, but it has not run yet
    await second
    assert len(turns) == 0
