"""Letting others go on every few milliseconds of much work: `Portions`, and `Runs` where the work is many
small pieces of different callers.
"""

from __future__ import annotations

import asyncio
from time import perf_counter, thread_time

from wherry.kit.simulated_loop import SimulatedLoop


class Portions:
    """Work in portions of `seconds` of the machine's time, the first of which begins now.

    In simulated time nobody waits, and how fast the machine is must not decide what happens first: all of it
    is one portion then.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._is_one = _is_simulated(asyncio.get_running_loop())
        self._end = perf_counter() + seconds

    async def next(self) -> bool:
        """Let others go on if the portion has had its time; whether they did."""
        if not self.is_over:
            return False
        await asyncio.sleep(0)
        self.begin()
        return True

    @property
    def is_over(self) -> bool:
        """Whether the portion has had its time."""
        return not self._is_one and perf_counter() >= self._end

    def begin(self) -> None:
        """Begin the next portion: others went on."""
        self._end = perf_counter() + self._seconds

    def since(self, began: float) -> float:
        """Seconds of work of this thread since `began` (of `thread_time`); none in simulated time."""
        return 0.0 if self._is_one else thread_time() - began


class Runs:
    """Notices that pieces of work which wait for nothing follow each other for `seconds` of machine time.

    A piece begins with `next`. Whoever else is ready has a turn when the loop comes round; until then, all
    pieces are of one run. In simulated time they always are (see `Portions`).
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end: float | None = None
        """Until when the present run may last; None: the loop came round since the last piece."""

    async def next(self) -> None:
        """Begin a piece, after others' turn if the run has lasted long enough."""
        loop = asyncio.get_running_loop()
        if self._end is None:
            if not _is_simulated(loop):
                self._end = perf_counter() + self._seconds
                loop.call_soon(self._came_round)
        elif perf_counter() >= self._end:
            await asyncio.sleep(0)

    def _came_round(self) -> None:
        self._end = None


def _is_simulated(loop: asyncio.AbstractEventLoop) -> bool:
    return isinstance(loop, SimulatedLoop) and loop.is_simulated
