"""Work that is done again: whenever something changed, when its time comes, and when it failed.

A `Repeater` is a work queue for one key (client-go's `util/workqueue`, its rate limiter included): pokes
that come together cost one run, no two runs overlap, and what failed is tried again, later each time.
Every loop of the kind "mark as stale, bring up to date, wait longer after each failure" is one of these.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from random import Random

from wherry.kit.clock import Clock, Timer
from wherry.kit.tasks import Tasks, others_end

log = logging.getLogger(__name__)

Work = Callable[[], Awaitable[float | None]]
"""Done once; answers after how many seconds it wants to be done again at the latest, None for never."""


async def _nothing() -> None:
    """What a closed repeater does."""


class Repeater:
    """Does `work` whenever poked, never twice at once; what fails is tried again, later each time.

    `tasks` owns the runs. The first retry comes after `first_s` seconds, each further one after twice as
    long, up to `longest_s`; with `random` each delay is cut by up to a half, so that many do not come
    together. Exceptions in `expected` are part of life and logged as one line; any other is a fault,
    logged with its trace and counted in `faults`, and tried again all the same. Until the first success,
    for `quiet_s` seconds, an expected one is no more than news: what it waits for may be starting too. One
    that `is_told` says that its kind was told of already.
    """

    def __init__(
        self,
        name: str,
        work: Work,
        tasks: Tasks,
        clock: Clock,
        *,
        first_s: float = 0.2,
        longest_s: float = 30.0,
        expected: tuple[type[Exception], ...] = (),
        random: Random | None = None,
        quiet_s: float = 0.0,
    ) -> None:
        self.name = name
        self.faults = 0
        self.succeeded = asyncio.Event()
        """Set from the first run on that did not fail."""
        self._work = work
        self._tasks = tasks
        self._clock = clock
        self._first_s = first_s
        self._longest_s = longest_s
        self._expected = expected
        self._random = random
        self._quiet_until = clock.monotonic() + quiet_s
        self._delay_s = first_s
        self._is_stale = False
        self._is_closed = False
        self._run: asyncio.Task[None] | None = None
        self._retry: Timer | None = None
        self._again: Timer | None = None
        self._again_at = 0.0

    def poke(self) -> None:
        """Do the work soon: now, or after the run under way, or when the wait after a failure is over."""
        self._is_stale = True
        if self._run is None and self._retry is None and not self._is_over:
            self._run = self._tasks.spawn(self._until_done(), self.name)

    def hurry(self) -> None:
        """`poke`, and do not wait for the next retry: what it waited for may have come."""
        self._delay_s = self._first_s
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self.poke()

    def within(self, delay_s: float) -> None:
        """`poke` in at most `delay_s` seconds; of several such wishes the earliest holds."""
        at = self._clock.monotonic() + delay_s
        if self._is_over or (self._again is not None and self._again_at <= at):
            return
        if self._again is not None:
            self._again.cancel()
        self._again_at = at
        self._again = self._clock.call_later(delay_s, self._come_again)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way or owed (a wish for later is neither)."""
        return self._run is None and self._retry is None

    @property
    def _is_over(self) -> bool:
        """Whether nothing is begun any more: it was closed, or the tasks that own the runs were."""
        return self._is_closed or self._tasks.is_closed

    def stop(self) -> None:
        """Begin nothing more; a run under way is cancelled, which its `tasks` see to the end of."""
        self._is_closed = True
        for timer in (self._retry, self._again):
            if timer is not None:
                timer.cancel()
        self._retry = self._again = None
        if self._run is not None:
            self._run.cancel()
        # Mostly a method of whoever holds this repeater: the two would keep each other in memory.
        self._work = _nothing

    async def close(self) -> None:
        """Stop; a run under way has ended when this returns. May be called twice."""
        run = self._run
        self.stop()
        if run is not None:
            await asyncio.wait([run])

    async def _until_done(self) -> None:
        try:
            while self._is_stale and not self._is_over:
                self._is_stale = False
                if not await self._once():
                    return
        finally:
            self._run = None

    async def _once(self) -> bool:
        """One run; whether it may be followed by another at once."""
        try:
            with others_end("what it waited for"):
                again_s = await self._work()
        except self._expected as error:
            self._rest("%s failed, again in %.1f s: %s", error)
            return False
        except Exception as error:  # noqa: BLE001 - whatever it was, the next run is owed all the same
            self.faults += 1
            self._rest("%s failed, again in %.1f s: %r", error, trace=True)
            return False
        self._delay_s = self._first_s
        self.succeeded.set()
        if again_s is not None:
            self.within(again_s)
        return True

    def _rest(self, message: str, error: Exception, *, trace: bool = False) -> None:
        delay_s = self._delay_s
        if self._random is not None:
            delay_s *= 1 - self._random.random() / 2
        self._delay_s = min(self._delay_s * 2, self._longest_s)
        is_starting = not self.succeeded.is_set() and self._clock.monotonic() < self._quiet_until
        level = logging.ERROR if trace else logging.INFO if is_starting else logging.WARNING
        if getattr(error, "is_told", False):  # whoever raised it has said so, once for all that fail of it
            level = logging.DEBUG
        log.log(level, message, self.name, delay_s, error, exc_info=error if trace else None)
        self._retry = self._clock.call_later(delay_s, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self.poke()

    def _come_again(self) -> None:
        self._again = None
        self.poke()
