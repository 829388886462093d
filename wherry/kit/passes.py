"""Sharing one pass of the event loop: `Pass`, where the work is many small pieces that all come at once."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from time import perf_counter

from wherry.kit.simulated_loop import SimulatedLoop

log = logging.getLogger(__name__)

PASS_BYTES = 2 * 1024 * 1024
PASS_S = 0.01


class Pass:
    """What all work of one kind may take of one pass of the event loop; what is left waits for the next.

    It is counted in bytes, `most` of them, and in the time between `start` and `stop`, `seconds` in all; in
    simulated time only bytes count, as how fast the machine is must not decide what happens first.
    """

    __slots__ = ("_is_begun", "_later", "_most", "_seconds", "_since", "_spent", "_timed", "_worked")

    def __init__(self, most: int = PASS_BYTES, seconds: float = PASS_S) -> None:
        self._most = most
        self._seconds = seconds
        self._later: deque[Callable[[], None]] = deque()
        self._is_begun = False
        self._spent = 0
        self._worked = 0.0
        self._since = 0.0
        self._timed = True

    @property
    def is_spent(self) -> bool:
        """Whether what is left has to wait; a pass of the loop begins with the first who asks in it."""
        if not self._is_begun:
            self._begin()
            return False
        if self._spent >= self._most:
            return True
        since = self._since
        return bool(since) and self._timed and self._worked + perf_counter() - since >= self._seconds

    def start(self) -> None:
        """What takes time begins."""
        self._since = perf_counter()

    def stop(self) -> None:
        """It ends, or waits."""
        self._worked += perf_counter() - self._since
        self._since = 0.0

    def spend(self, size: int) -> None:
        """Work on `size` bytes, or that costs as much, was done."""
        if not self._is_begun:
            self._begin()
        self._spent += size

    def later(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` in a pass that has room, after those that wait already; it must not raise."""
        if not self._is_begun:
            self._begin()
        self._later.append(go_on)

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        self._is_begun = True
        self._spent = 0
        is_simulated = isinstance(loop, SimulatedLoop) and loop.is_simulated
        self._timed = not is_simulated
        self._worked = 0.0
        loop.call_soon(self._came_round)

    def _came_round(self) -> None:
        self._is_begun = False
        for _ in range(len(self._later)):
            if self.is_spent:
                return
            go_on = self._later.popleft()
            try:
                go_on()
            except Exception:
                log.exception("what waited for its turn failed")
