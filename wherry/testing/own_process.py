"""One of a test cluster's own processes, which is started anew whenever it crashes: `OwnProcess`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from wherry.kit.clock import Clock
from wherry.kit.tasks import to_the_end
from wherry.testing.loop_thread import ClosedError

SOON_S = 10.0
"""Who crashes again within so long does not start at once: crash after crash would take no time for ever."""
REST_S = 1.0


class OwnProcess:
    """Starts by `begin` (told whether it is the cluster's first start) and ends by `end`, one at a time.

    A crash while it starts gives that start up, as it would end a process, and the next one begins. `revive`
    lets its requests be answered again.
    """

    def __init__(
        self,
        clock: Clock,
        begin: Callable[[bool], Awaitable[None]],
        end: Callable[[], Awaitable[None]],
        revive: Callable[[], None],
    ) -> None:
        self.runs = False
        self._clock = clock
        self._begin = begin
        self._end = end
        self._revive = revive
        self._one = asyncio.Lock()
        self._crash = asyncio.Event()
        self._crashed_at: float | None = None
        self._is_ending = False

    def crash(self) -> None:
        """None of its requests is answered any more; `start_anew` is what helps, or the start under way."""
        self._crash.set()

    async def start(self, *, is_first: bool = False) -> None:
        """Return once it runs, however often it crashes before. Raises ClosedError when it is ended first."""
        async with self._one:
            if not self.runs:
                await self._until_it_runs(is_first)

    async def start_anew(self) -> None:
        """After a crash; does nothing where its start has seen to that already, or it is not to run."""
        async with self._one:
            if self.runs and self._crash.is_set():
                await self._clear_away()
                await self._until_it_runs(is_first=False)

    async def end(self) -> None:
        """End it, also while it starts. Whoever waits for that start gets ClosedError."""
        self._is_ending = True
        self._crash.set()
        async with self._one:
            self._is_ending = False
            self.runs = False
            await to_the_end(self._ended())

    async def _until_it_runs(self, is_first: bool) -> None:
        while not await self._runs_now(is_first):
            if self._is_ending:
                raise ClosedError("the cluster ended or restarted while this was being started")
            await self._clear_away()
        self.runs = True

    async def _runs_now(self, is_first: bool) -> bool:
        """Start it; whether it runs, and has not crashed meanwhile."""
        self._crash.clear()
        self._revive()
        loop = asyncio.get_running_loop()
        starting = loop.create_task(self._started(is_first), name="test cluster/starting")
        crash = loop.create_task(self._crash.wait(), name="test cluster/a crash meanwhile")
        try:
            await asyncio.wait((starting, crash), return_when=asyncio.FIRST_COMPLETED)
            if self._crash.is_set():
                return False
            await starting
            return True
        finally:
            starting.cancel()
            crash.cancel()
            await asyncio.gather(
                starting, crash, return_exceptions=True
            )  # what a crash does to it is no news

    async def _clear_away(self) -> None:
        """What a crash left ends, and the next start may be."""
        self.runs = False
        await to_the_end(self._ended())
        now, last = self._clock.monotonic(), self._crashed_at
        self._crashed_at = now
        if last is not None and now - last < SOON_S:
            await self._clock.sleep(REST_S)

    async def _started(self, is_first: bool) -> None:
        await self._begin(is_first)

    async def _ended(self) -> None:
        await self._end()
