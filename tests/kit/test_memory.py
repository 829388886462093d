"""Memory that was freed goes back to the system."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from contextlib import ExitStack

import pytest

from wherry.kit import memory
from wherry.kit.clock import FakeClock
from wherry.kit.memory import EVERY_S, GC_THRESHOLDS, WORTH_BYTES, GivingBack, collected_seldom
from wherry.kit.tasks import Tasks

HOLES = """
from wherry.kit.memory import resident_bytes, trimmer
small = resident_bytes()
blocks = [bytes(100_000) for _ in range(2000)]
kept = blocks[::20]
del blocks
full = resident_bytes()
trimmer()(0)
print(small, full, resident_bytes())
"""


def test_free_memory_between_what_is_in_use_goes_back() -> None:
    done = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, check=True)
    small, full, after = map(int, done.stdout.split())
    assert full - small > 100_000_000
    assert after - small < 30_000_000


def test_who_ends_last_puts_the_collector_back() -> None:
    before = gc.get_threshold()
    gc.set_threshold(701, 11, 12)
    try:
        with ExitStack() as outer:
            with collected_seldom():
                outer.enter_context(collected_seldom())
            assert gc.get_threshold() == GC_THRESHOLDS
        assert gc.get_threshold() == (701, 11, 12)
    finally:
        gc.set_threshold(*before)


async def test_only_a_process_that_grew_is_trimmed(monkeypatch: pytest.MonkeyPatch) -> None:
    resident = 100_000_000
    trims: list[int] = []

    def trim(pad: int) -> int:
        nonlocal resident
        trims.append(pad)
        resident = 90_000_000
        return 1

    monkeypatch.setattr(memory, "resident_bytes", lambda: resident)
    monkeypatch.setattr(memory, "trimmer", lambda: trim)
    tasks, clock = Tasks("test"), FakeClock()
    giving = GivingBack(tasks, clock)
    giving.start()

    async def turn() -> None:
        await clock.advance(EVERY_S)
        if len(tasks):
            await asyncio.wait(tasks._tasks)

    await turn()
    assert trims == []
    resident += WORTH_BYTES + 1
    await turn()
    assert trims == [0]
    resident += WORTH_BYTES - 1
    await turn()
    assert trims == [0]
    resident += 2
    await turn()
    assert trims == [0, 0], "what is freed after one try is given back by a later one"
    await tasks.close()
