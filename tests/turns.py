"""What happens in which turn of the event loop, on a machine as fast as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from wherry.kit import portions

TURN_S = 0.5
"""What work of one kind may take of a turn."""


class Turns:
    """The machine's time, which goes on only by the work that is done; who worked in each turn of a loop."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns: list[list[int]] = [[]]

    @classmethod
    def installed(cls, monkeypatch: pytest.MonkeyPatch) -> Turns:
        """One that portions go by."""
        made = cls()
        monkeypatch.setattr(portions, "perf_counter", lambda: made.now)
        monkeypatch.setattr(portions, "RUN_S", TURN_S)
        return made

    def work(self, number: int, seconds: float) -> None:
        """A piece of work of the task of that number."""
        self.now += seconds
        self.turns[-1].append(number)

    async def of(self, tasks: Sequence[asyncio.Task[None]]) -> list[list[int]]:
        """Who worked in each turn of the loop until all are done."""
        counting = asyncio.ensure_future(self._count())
        await asyncio.gather(*tasks)
        counting.cancel()
        return [turn for turn in self.turns if turn]

    async def _count(self) -> None:
        while True:
            self.turns.append([])
            await asyncio.sleep(0)
