"""The threads that work on large objects beside the event loop: `Threads`, few, with turns that go round."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from wherry.kit.eager import IN_A_TASK
from wherry.kit.tasks import shared

T = TypeVar("T")

WATCHERS = ""
"""As whom all wait together for whom something is made of what was stored."""
THREADS = 2
"""They share one interpreter with the loop, so more of them would only take more of it from the others."""
SWITCH_INTERVAL_S = 0.0005
"""How long a thread keeps the interpreter while others wait for it, each time the loop wakes: Python's own
5 ms would be added to every request, several times over."""


class Threads:
    """The threads of one server, and who waits for one."""

    def __init__(self, count: int = THREADS) -> None:
        self._free = count
        self._count = count
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def run(self, user: str, work: Callable[[], T]) -> T:
        """What `work` returns or raises; its turn comes after one of each other user's who waits."""
        await IN_A_TASK
        await self._take(user)
        running: asyncio.Future[Any] = asyncio.get_running_loop().run_in_executor(self._started(), work)
        running.add_done_callback(self._ended)
        # Who goes away leaves the thread at work, which is not free before it has ended.
        result: T = await shared(running, "work beside the loop")
        return result

    def close(self) -> None:
        """Begin nothing more."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _started(self) -> ThreadPoolExecutor:
        if self._pool is None:
            sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_INTERVAL_S))
            self._pool = ThreadPoolExecutor(self._count, thread_name_prefix="beside")
        return self._pool

    async def _take(self, user: str) -> None:
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(user, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._give()  # it came as the caller went
            raise

    def _ended(self, running: asyncio.Future[Any]) -> None:
        if not running.cancelled():
            running.exception()  # who asked may be gone, and then nobody else looks at it
        self._give()

    def _give(self) -> None:
        """A thread is free: it goes to the user whose turn it is, who then stands behind the others."""
        while self._waiting:
            user, queue = next(iter(self._waiting.items()))
            del self._waiting[user]
            turn = queue.popleft()
            if queue:
                self._waiting[user] = queue
            if not turn.done():  # else who waited for it is gone
                turn.set_result(None)
                return
        self._free += 1
