"""Letting others go on every few milliseconds of much work: `Portions`."""

from __future__ import annotations

import asyncio
from time import perf_counter

from wherry.kit.simulated_loop import SimulatedLoop


class Portions:
    """Work in portions of `seconds` of the machine's time, the first of which begins now.

    In simulated time nobody waits, and how fast the machine is must not decide what happens first: all of it
    is one portion then.
    """

    def __init__(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._is_one = isinstance(loop, SimulatedLoop) and loop.is_simulated
        self._end = perf_counter() + seconds

    async def next(self) -> bool:
        """Let others go on if the portion has had its time; whether they did."""
        if self._is_one or perf_counter() < self._end:
            return False
        await asyncio.sleep(0)
        self._end = perf_counter() + self._seconds
        return True
