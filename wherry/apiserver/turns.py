"""Writers of one object take turns, so that none works on a version that is about to be replaced.

A read-modify-write that loses its compare-and-swap has to start over, and with many writers on one
object nearly all of them lose. Within one server it is cheaper to queue. The compare-and-swap stays:
another server, over a store they share, knows nothing of these turns.
"""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType


class Turns:
    """The queues of the keys that somebody is writing now; others cost nothing."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    def of(self, key: str) -> Turn:
        """A context that is entered when it is this writer's turn at `key`; not reentrant."""
        return Turn(self, key)

    async def _take(self, key: str) -> None:
        queue = self._waiting.get(key)
        if queue is None:
            self._waiting[key] = deque()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on(key)  # it was given to us in the moment we went
            raise

    def _pass_on(self, key: str) -> None:
        queue = self._waiting[key]
        while queue:
            turn = queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._waiting[key]

    def __len__(self) -> int:
        return len(self._waiting)


class Turn:
    """One writer's turn."""

    __slots__ = ("_key", "_turns")

    def __init__(self, turns: Turns, key: str) -> None:
        self._turns = turns
        self._key = key

    async def __aenter__(self) -> None:
        await self._turns._take(self._key)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._turns._pass_on(self._key)
