"""What is done to volumes: one thing at a time per volume, each within its time.

Who is given up (too late, or cancelled as its pod ends) has ended or, where a thread hangs in the kernel, is
still known to `Disk` by the volume's key: whatever comes next for the volume waits for that, then finds what
it left behind. So a mount that succeeds late is neither lost nor forgotten when the volume is taken down
(upstream's nestedpendingoperations).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from wherry.kit.clock import Clock
from wherry.kit.deadline import within

T = TypeVar("T")


@dataclass(slots=True)
class _Turns:
    """Who is at it or waits for it, and the lock they take turns by."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    wanting: int = 0


class Operations:
    """Lets the operations of each volume take turns."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._turns: dict[str, _Turns] = {}

    @property
    def busy(self) -> int:
        """How many volumes have an operation under way."""
        return len(self._turns)

    async def run(self, volume: str, work: Callable[[], Coroutine[Any, Any, T]], timeout_s: float) -> T:
        """What comes of `work`, begun when nothing else of `volume` is under way.

        Raises TimeoutError when it has not ended within `timeout_s` seconds, waiting included.
        """
        return await within(timeout_s, self._in_turn(volume, work), self._clock)

    async def _in_turn(self, volume: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        turns = self._turns.setdefault(volume, _Turns())
        turns.wanting += 1
        try:
            async with turns.lock:
                return await work()
        finally:
            turns.wanting -= 1
            if not turns.wanting:
                del self._turns[volume]
