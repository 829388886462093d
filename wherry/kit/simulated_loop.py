"""Simulated time: an event loop whose clock stands still until somebody moves it.

`loop.time()` is what every timer of asyncio goes by, so with this loop `asyncio.sleep`, `asyncio.timeout`,
`call_later` and a `LoopClock` agree: a day passes in the time it takes to run what falls due in it, in order.
Time moves only in `advance`, `run_until` and `moving`, from one timer to the next, and only when nothing is
ready and nobody `hold`s the loop since it waits for a program outside: while somebody does, time is the
machine's, so that a deadline passes. A thread takes no time at all: the loop stands still until it is done,
and what follows happens in the order in which the threads' work was begun.

Once it is told to `follow_real_time`, it goes on by the machine's clock from where it stands, threads work
beside it, and `advance` jumps ahead.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import selectors
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar, cast

from wherry.kit.clock import Timer

START = datetime(2026, 1, 1, tzinfo=UTC)
"""When simulated time begins, unless told otherwise."""
_T = TypeVar("_T")
_STEPS_PER_S = 1_000_000
"""Simulated time goes in whole microseconds, so that a timer finds exactly the time it was set for: one that
fires a rounding error too early, and sets itself for the rest, would do so for ever."""
_RESOLUTION_S = 0.5 / _STEPS_PER_S
"""Less than a step: no timer fires before its time. It must not vanish beside the seconds of a century,
or a timer that is due exactly now would never be before the end of now."""


class BackwardsError(ValueError):
    """Time was to be moved backwards; it only runs forwards."""


class StalledError(RuntimeError):
    """What was waited for did not come, however far simulated time went."""


class _IdleSelector:
    """A selector that tells the loop when it would wait with nothing left to do."""

    def __init__(self, inner: selectors.BaseSelector) -> None:
        self.inner = inner
        self.loop: SimulatedLoop | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Events, as a selector's. `timeout` is 0 when something is ready, else until the next timer."""
        if timeout == 0 or self.loop is None:
            return self.inner.select(timeout)
        found = self.inner.select(0)
        if found:
            return found
        wait_s = self.loop.before_waiting(timeout)
        found = self.inner.select(wait_s)
        if not found:
            self.loop.waited_in_vain(wait_s)
        return found


class _Target(NamedTuple):
    """A moment somebody wants to reach; of a step, whichever timer comes before it will do."""

    moment: float
    is_step: bool
    reached: asyncio.Future[None]


class _Mover:
    """A task for which time goes on while it waits, `left_s` seconds at most."""

    def __init__(self, task: asyncio.Task[Any], limit_s: float) -> None:
        self.task = task
        self.limit_s = limit_s
        self.left_s = limit_s
        self.given_up = 0
        """How often it was told that what it waits for does not come."""

    def give_up(self) -> None:
        """The task is to end; should it go on waiting, it is told so again after as long a time."""
        self.left_s = self.limit_s
        self.given_up += 1
        self.task.cancel()


class _Timer(asyncio.TimerHandle):
    """A timer that knows how many were set before it."""

    order = 0

    def __lt__(self, other: object) -> bool:
        if isinstance(other, _Timer):
            return (self.when(), self.order) < (other.when(), other.order)
        return NotImplemented


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop in simulated time, which begins at `start`."""

    def __init__(self, start: datetime = START) -> None:
        self._began = start
        self._elapsed_s = 0.0
        self._real_since: float | None = None
        """What the machine's clock said at elapsed 0, once it is followed."""
        self._targets: list[_Target] = []
        self._movers: list[_Mover] = []
        self._idlers: list[asyncio.Future[None]] = []
        self._held = 0
        self._order = itertools.count()
        selector = _IdleSelector(selectors.DefaultSelector())
        super().__init__(cast("selectors.BaseSelector", selector))
        self._clock_resolution = _RESOLUTION_S
        selector.loop = self

    def call_at(  # type: ignore[override]  # typeshed's has a parameter per argument
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """See `asyncio.loop.call_at`; timers of one moment fire in the order they were set.

        asyncio leaves that to how its heap happens to lie, which every other timer has a part in. What is
        later than now by less than a step waits for one.
        """
        rounded, now = _on_step(when), self.time()
        if when > now >= rounded:
            rounded = _on_step(now + 1 / _STEPS_PER_S)
        timer = _Timer(rounded, callback, args, self, context)
        timer.order = next(self._order)
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]  # BaseEventLoop's heap
        timer._scheduled = True  # type: ignore[attr-defined]  # as its own call_at notes it
        return timer

    def time(self) -> float:
        """Seconds since simulated time began."""
        if self._real_since is None:
            return self._elapsed_s
        return time.monotonic() - self._real_since

    @property
    def is_simulated(self) -> bool:
        """Whether time stands still unless it is moved."""
        return self._real_since is None

    def wall(self) -> datetime:
        """The wall clock: an aware datetime in UTC."""
        return self._began + timedelta(seconds=self.time())

    def set_wall(self, now: datetime) -> None:
        """Somebody sets the wall clock; no timer notices."""
        self._began = now - timedelta(seconds=self.time())

    def follow_real_time(self) -> None:
        """Go on by the machine's clock from here, for whoever is outside and cannot be simulated."""
        if self._real_since is None:
            self._real_since = time.monotonic() - self._elapsed_s

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Something outside works for us: simulated time waits for it."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1

    def run_in_executor(  # type: ignore[override]  # typeshed's has a parameter per argument
        self, executor: Executor | None, func: Callable[..., _T], *args: Any
    ) -> asyncio.Future[_T]:
        """See `asyncio.loop.run_in_executor`; in simulated time it returns when the work is done.

        Else what follows would happen in the order in which the machine's threads happen to end. `func` must
        not wait for this loop.
        """
        if self.is_simulated:
            return self._run_now(executor or self._own_executor(), func, *args)
        future = cast("asyncio.Future[_T]", super().run_in_executor(executor, func, *args))
        self._held += 1
        future.add_done_callback(self._release)
        return future

    def _run_now(self, executor: Executor, func: Callable[..., _T], *args: Any) -> asyncio.Future[_T]:
        future: asyncio.Future[_T] = self.create_future()
        running = executor.submit(func, *args)
        error = running.exception()
        if error is None:
            future.set_result(running.result())
        else:
            future.set_exception(error)
        return future

    def _own_executor(self) -> Executor:
        """The one that is used when none is named: asyncio makes it in a `run_in_executor` of its own."""
        found: Executor | None = self._default_executor  # type: ignore[attr-defined]  # BaseEventLoop's
        if found is None:
            made = ThreadPoolExecutor(thread_name_prefix="asyncio")
            self.set_default_executor(made)
            return made
        return found

    def _release(self, _: asyncio.Future[Any]) -> None:
        self._held -= 1

    @contextmanager
    def moving(self, limit_s: float = math.inf) -> Iterator[None]:
        """While the running task waits in the block, and nothing else is to be done, time goes on.

        It goes from timer to timer. Raises StalledError when time went on by `limit_s` seconds for nobody but
        who waits so, and what is waited for has not come. Real time goes on by itself, without such a limit.
        """
        task = asyncio.current_task(self)
        assert task is not None, "a task waits"
        mover = _Mover(task, limit_s)
        self._movers.append(mover)
        try:
            yield
        except asyncio.CancelledError:
            if mover.given_up and task.cancelling() == mover.given_up:
                raise StalledError(
                    f"{limit_s:g} s of simulated time have passed, and what is waited for has not come"
                ) from None
            raise
        finally:
            self._movers.remove(mover)
            for _ in range(mover.given_up):
                task.uncancel()

    async def idle(self) -> None:
        """Return when everything has happened that needs no time."""
        waiter = self.create_future()
        self._idlers.append(waiter)
        await waiter

    async def advance(self, seconds: float) -> None:
        """Move on by `seconds`, and return when everything that fell due has happened.

        Raises BackwardsError.
        """
        if not seconds >= 0:
            raise BackwardsError(f"time cannot be moved by {seconds} s: it only runs forwards")
        await self._reach(self.time() + seconds)
        await self.idle()

    async def run_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Move on, timer by timer, until `condition` holds; whether it did within `timeout_s` seconds.

        It is asked each time when nothing is left that needs no time.
        """
        end = self.time() + timeout_s
        await self.idle()
        while not condition():
            if self.time() >= end:
                return False
            await self.step(end)
        return True

    async def step(self, end: float) -> None:
        """Move on to the next timer, but not past `end` (as `time` counts), and let happen what falls due."""
        await self._reach(end, is_step=True)
        await self.idle()

    async def _reach(self, moment: float, *, is_step: bool = False) -> None:
        target = _Target(moment, is_step, self.create_future())
        self._targets.append(target)
        try:
            await target.reached
        finally:
            if target in self._targets:
                self._targets.remove(target)

    def before_waiting(self, timeout: float | None) -> float | None:
        """Nothing is ready, and the next timer is `timeout` seconds away (None: there is none).

        Returns how long to wait for what comes from outside, in seconds of the machine's clock.
        """
        if self._held:
            return timeout
        if self._idlers:
            idlers, self._idlers = self._idlers, []
            for idler in idlers:
                if not idler.done():
                    idler.set_result(None)
            return 0
        if self._targets:
            self._step(timeout)
            return 0
        if self._real_since is not None:
            return timeout
        if self._movers and timeout is not None:
            self._move_for_those_who_wait(timeout)
            return 0
        return None

    def _move_for_those_who_wait(self, timeout: float) -> None:
        """Go to the next timer, unless somebody waits no longer than that."""
        span_s = max(0.0, min(timeout, *(mover.left_s for mover in self._movers)))
        self._move_to(self._elapsed_s + span_s)
        for mover in self._movers:
            mover.left_s -= span_s
            if mover.left_s <= 0:
                mover.give_up()

    def waited_in_vain(self, timeout: float | None) -> None:
        """Nothing came from outside for `timeout` seconds of the machine's clock."""
        if timeout and self._real_since is None:
            self._move_to(self._elapsed_s + timeout)

    def _step(self, timeout: float | None) -> None:
        """Go to the next timer, or to the nearest moment somebody wants to reach if that comes first."""
        now = self.time()
        timer = math.inf if timeout is None else now + timeout
        moment = min(timer, min(target.moment for target in self._targets))
        if moment > now:
            self._move_to(moment)
        reached = [target for target in self._targets if target.is_step or target.moment < timer]
        for target in reached:
            if target.moment <= moment or target.is_step:
                self._targets.remove(target)
                if not target.reached.done():
                    target.reached.set_result(None)

    def _move_to(self, moment: float) -> None:
        if self._real_since is None:
            self._elapsed_s = _on_step(moment)
        else:
            self._real_since -= moment - self.time()


def _on_step(moment: float) -> float:
    return round(moment * _STEPS_PER_S) / _STEPS_PER_S


class LoopClock:
    """The time of a `SimulatedLoop`, as a `kit.clock.Clock`."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop

    def now(self) -> datetime:
        return self._loop.wall()

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        return self._loop.call_later(delay_s, callback)
