"""A thread of its own with a loop in simulated time, into which others call: `LoopThread`.

While nobody calls, nothing happens in there: a call returns when its work is done *and* everything that
follows from it has happened that needs no time. So callers who take turns see the same each time. Only when
the work itself has to wait, as a request does that is tried again, time goes on as far as that takes.

Nothing but `close` ends the thread: SystemExit and KeyboardInterrupt, which asyncio lets end a loop, reach
whoever called. In a forked process the thread is not there, and calls say so.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError as CancelledCall
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from wherry.kit.memory import collected_seldom
from wherry.kit.simulated_loop import SimulatedLoop

T = TypeVar("T")
Work = Callable[[], Awaitable[T]]
"""Makes what is awaited in the loop; it is called there."""
LONGEST_WAIT_S = 300.0
"""How far simulated time goes on for a call that waits: longer than requests and most retries."""


log = logging.getLogger(__name__)

PATIENCE_S = 60.0
"""So long, in simulated seconds, the end waits for what was cancelled."""
CLOSED_MEANWHILE = "the cluster was closed while this call was under way"


class ClosedError(RuntimeError):
    """The cluster is closed, or was never started."""


class WrongThreadError(RuntimeError):
    """The cluster was called from inside itself, where it cannot be waited for."""


@dataclass(frozen=True, slots=True)
class _Came(Generic[T]):
    """What came of a call; `end` is what asyncio would let end the loop, and is for the caller alone."""

    value: T | None = None
    end: BaseException | None = None

    def get(self) -> T:
        if self.end is not None:
            raise self.end
        return self.value  # type: ignore[return-value]  # it is what the work returned


class LoopThread:
    """Runs a `SimulatedLoop` until it is closed."""

    def __init__(self, name: str, start: datetime) -> None:
        self.loop = SimulatedLoop(start)
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._is_open = True
        self._is_ending = False
        self._opening = threading.Lock()
        """Held while it is said to be closed, and while a call is handed over: none comes after the end."""
        self._calls: set[asyncio.Task[Any]] = set()
        self.before: Work[None] | None = None
        """What each call waits for, before its own work."""
        self._thread.start()

    def call(self, work: Work[T]) -> T:
        """Do `work` in the loop and return what it returns (or raise what it raises), once all is quiet.

        Raises StalledError when the work does not end however far simulated time goes, ClosedError when the
        cluster is closed meanwhile.
        """
        future = self._submit(work)
        try:
            return future.result().get()
        except CancelledCall:
            if not self._is_ending:
                raise
            raise ClosedError(CLOSED_MEANWHILE) from None
        except Exception as error:
            if not self._is_ending or isinstance(error, ClosedError):
                raise
            raise ClosedError(CLOSED_MEANWHILE) from error
        except BaseException:
            future.cancel()
            raise

    async def acall(self, work: Work[T]) -> T:
        """The same for a caller with a loop of its own, which goes on meanwhile."""
        future = self._submit(work)
        try:
            return (await asyncio.wrap_future(future)).get()
        except asyncio.CancelledError:
            own = asyncio.current_task()
            if not self._is_ending or own is None or own.cancelling():
                raise
            raise ClosedError(CLOSED_MEANWHILE) from None
        except Exception as error:
            if not self._is_ending or isinstance(error, ClosedError):
                raise
            raise ClosedError(CLOSED_MEANWHILE) from error

    def close_after(self, work: Work[None]) -> None:
        """Do `work`, the last there is, and end; other calls that are under way end with ClosedError."""
        if self.is_elsewhere:
            return
        try:
            self._submit(lambda: self._alone(work), is_last=True).result().get()
        finally:
            self.close()

    async def _alone(self, work: Work[None]) -> None:
        """Do `work` once no other call is under way: else those would see how the cluster falls apart."""
        others = self._calls - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others, timeout=PATIENCE_S)
        await work()

    def close(self) -> None:
        """End the loop and its thread; what still runs in it is cancelled. Does nothing the second time."""
        if not self._is_open or self.is_elsewhere:
            return
        self.check_thread()
        with self._opening:
            self._is_ending = True
            self._is_open = False
            self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    @property
    def is_elsewhere(self) -> bool:
        """Whether this is a forked process: the thread goes on in the one that made it."""
        return os.getpid() != self._process

    def _submit(self, work: Work[T], *, is_last: bool = False) -> Future[_Came[T]]:
        self.check_thread()
        if self.is_elsewhere:
            raise ClosedError(f"the cluster belongs to process {self._process}; make one in this process")
        with self._opening:
            if not self._is_open or self._is_ending:
                raise ClosedError("the cluster is closed; make a new one")
            self._is_ending = is_last
            return asyncio.run_coroutine_threadsafe(self._until_quiet(work), self.loop)

    def interrupt(self) -> None:
        """Cancel the calls that are under way; from any thread. Does nothing when it is closed."""
        if self.is_elsewhere:
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self.loop.call_soon_threadsafe(self._cancel_calls)

    def _cancel_calls(self) -> None:
        for task in self._calls:
            task.cancel()

    def check_thread(self) -> None:
        """Raise WrongThreadError if this is the loop's own thread."""
        if threading.current_thread() is self._thread:
            raise WrongThreadError(
                "called from inside the cluster's own loop (in a condition, say), which would wait for itself"
            )

    async def _until_quiet(self, work: Work[T]) -> _Came[T]:
        task = asyncio.current_task()
        assert task is not None, "a call is a task"
        self._calls.add(task)
        try:
            with self.loop.moving(LONGEST_WAIT_S), collected_seldom():
                if self.before is not None:
                    await self.before()
                return _Came(await work())
        except (SystemExit, KeyboardInterrupt) as error:
            return _Came(end=error)
        finally:
            self._calls.discard(task)
            if self.loop.is_simulated:
                await self.loop.idle()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self._go_on()
            self.loop.run_until_complete(self._cancel_what_is_left())
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()

    def _go_on(self) -> None:
        """Run until `close`. A task that raised SystemExit has ended; who waits for it hears of it."""
        while self._is_open:
            try:
                self.loop.run_forever()
            except (SystemExit, KeyboardInterrupt) as error:
                log.error("%r was raised inside the cluster, which goes on", error)

    async def _cancel_what_is_left(self) -> None:
        left: list[asyncio.Task[Any]] = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in left:
            task.cancel()
        if left:
            with self.loop.moving():
                done, clinging = await asyncio.wait(left, timeout=PATIENCE_S)
            for task in done:
                _ = task.cancelled() or task.exception()  # which nobody is left to hear of
            if clinging:
                names = ", ".join(sorted(task.get_name() for task in clinging))
                log.error("does not end though cancelled, and is left behind: %s", names)
