"""Work on files, beside the event loop: a disk that is slow or a server that is gone holds up nobody else.

A thread that waits for a file system cannot be interrupted. Its caller gives up after a time; what it was
at stays known by its key, and nothing else of that key begins before it has ended: a late write never meets
the removal that came after it. Threads are daemons: one that hangs does not keep the process from ending.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from wherry.kit.clock import Clock
from wherry.kit.deadline import within

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_AT_ONCE = 8


class Disk(Protocol):
    """Where work on files is done."""

    async def run(self, key: str, work: Callable[[], T], timeout_s: float) -> T:
        """What comes of `work`, begun when nothing else of the same `key` is under way.

        Raises TimeoutError (an OSError) when it has not ended within `timeout_s` seconds, waiting included;
        it goes on then.
        """
        ...


class DirectDisk:
    """Does the work at once, on the event loop: for tests, whose disk is quick."""

    async def run(self, key: str, work: Callable[[], T], timeout_s: float) -> T:
        """See `Disk.run`."""
        return work()


class DiskThreads:
    """Does the work in threads, at most `most` at a time beside those that were given up."""

    def __init__(self, clock: Clock, most: int = MOST_AT_ONCE) -> None:
        self._clock = clock
        self._room = asyncio.Semaphore(most)
        self._ends: dict[str, asyncio.Future[None]] = {}

    @property
    def busy(self) -> int:
        """How many keys have work under way."""
        return len(self._ends)

    async def run(self, key: str, work: Callable[[], T], timeout_s: float) -> T:
        """See `Disk.run`."""
        return await within(timeout_s, self._run(key, work), self._clock)

    async def _run(self, key: str, work: Callable[[], T]) -> T:
        while (earlier := self._ends.get(key)) is not None:
            await asyncio.wait([earlier])
        loop = asyncio.get_running_loop()
        end = self._ends[key] = loop.create_future()

        def ended() -> None:
            del self._ends[key]
            end.set_result(None)

        try:
            await self._room.acquire()
        except BaseException:
            ended()
            raise
        result: asyncio.Future[T] = loop.create_future()

        def settle(value: T | None, error: BaseException | None) -> None:
            ended()
            if result.done():  # nobody waits any more
                if error is not None:
                    log.warning("work on files of %s that was given up failed as well: %s", key, error)
            elif error is not None:
                result.set_exception(error)
            else:
                result.set_result(value)  # type: ignore[arg-type]

        def do() -> None:
            value: T | None = None
            error: BaseException | None = None
            try:
                value = work()
            except BaseException as raised:  # noqa: BLE001 - handed on to who waits
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
                loop.call_soon_threadsafe(settle, value, error)

        try:
            try:
                threading.Thread(target=do, name=f"disk {key}", daemon=True).start()
            except RuntimeError as error:  # no thread to be had just now
                ended()
                raise OSError(f"work on files cannot begin: {error}") from error
            return await result
        finally:
            self._room.release()
