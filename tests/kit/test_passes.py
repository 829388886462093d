"""Work that comes all at once takes its part of a pass of the event loop; what is left waits for the next."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from wherry.kit.passes import Pass


async def test_each_pass_has_room_for_so_much() -> None:
    shared, number = Pass(10, seconds=60), 0
    done: Counter[int] = Counter()

    def work() -> None:
        done[number] += 1
        shared.spend(4)

    for _ in range(8):
        if shared.is_spent:
            shared.later(work)
        else:
            work()
    for _ in range(4):
        number += 1
        await asyncio.sleep(0)
    assert done == {0: 3, 1: 3, 2: 2}


async def test_who_waits_goes_first_and_in_order() -> None:
    shared, done = Pass(1, seconds=60), list[str]()

    def work(name: str) -> None:
        done.append(name)
        shared.spend(1)
        if name == "a":
            shared.later(lambda: work("again"))

    for name in "abc":
        shared.later(lambda name=name: work(name))  # type: ignore[misc]
    for _ in range(5):
        await asyncio.sleep(0)
    assert done == ["a", "b", "c", "again"]


async def test_one_that_fails_keeps_nobody_waiting(caplog: pytest.LogCaptureFixture) -> None:
    shared, done = Pass(), list[int]()
    shared.later(lambda: done.append(1 // 0))
    shared.later(lambda: done.append(2))
    await asyncio.sleep(0)
    assert done == [2]
    assert "what waited for its turn failed" in caplog.text


async def test_time_counts_only_while_work_is_done() -> None:
    shared = Pass(seconds=0)
    found = [shared.is_spent, shared.is_spent]
    shared.start()
    found.append(shared.is_spent)
    shared.stop()
    found.append(shared.is_spent)
    assert found == [False, False, True, False], "who only counts bytes has room"
