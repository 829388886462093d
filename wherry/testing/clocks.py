"""A cluster's time, for tests that wait and for tests with a loop: `ClusterClock`, `AsyncClusterClock`."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from wherry.testing.conditions import WaitTimeoutError
from wherry.testing.loop_thread import LoopThread
from wherry.testing.spans import Span, seconds
from wherry.testing.waiting import until_written
from wherry.testing.world import World

ASKED_AGAIN_S = 0.25
"""How long real time passes until a condition is asked again that may depend on something outside."""


class _Clock:
    """What both kinds of clock do in the cluster's own loop."""

    def __init__(self, thread: LoopThread, world: World) -> None:
        self._thread = thread
        self._world = world

    def now(self) -> datetime:
        """The wall clock."""
        return self._thread.loop.wall()

    async def _go_on(self, end: float) -> None:
        """Let time go on until something may have changed, but not past `end` (as the loop counts)."""
        loop = self._thread.loop
        if loop.is_simulated:
            await loop.step(end)
        else:
            await until_written(self._world, min(end - loop.time(), ASKED_AGAIN_S))

    def _end_of(self, timeout: Span) -> float:
        return self._thread.loop.time() + seconds(timeout)

    def _check(self, end: float, timeout: Span) -> None:
        """Raises WaitTimeoutError."""
        if self._thread.loop.time() >= end:
            raise WaitTimeoutError(f"the condition does not hold after {seconds(timeout):g} s")


class ClusterClock(_Clock):
    """A cluster's time, for tests that wait."""

    def advance(self, span: Span) -> datetime:
        """Move time on ("2h"), and return when everything that fell due has happened.

        Real time jumps ahead. Raises BackwardsError for a negative span.
        """
        span_s = seconds(span)
        self._thread.call(lambda: self._thread.loop.advance(span_s))
        return self.now()

    def run_until(self, condition: Callable[[], Any], timeout: Span = "1d") -> datetime:
        """Move time on, from timer to timer, until `condition` holds; it may use the cluster.

        Real time passes by itself: the condition is asked again after each write, and a few times a second.
        Raises WaitTimeoutError.
        """
        end = self._end_of(timeout)
        while not condition():
            self._check(end, timeout)
            self._thread.call(lambda: self._go_on(end))
        return self.now()


class AsyncClusterClock(_Clock):
    """The same for tests with a loop of their own."""

    async def advance(self, span: Span) -> datetime:
        """See `ClusterClock.advance`."""
        span_s = seconds(span)
        await self._thread.acall(lambda: self._thread.loop.advance(span_s))
        return self.now()

    async def run_until(
        self, condition: Callable[[], Any] | Callable[[], Awaitable[Any]], timeout: Span = "1d"
    ) -> datetime:
        """See `ClusterClock.run_until`; what the condition returns is awaited if it can be."""
        end = self._end_of(timeout)
        while not await _value(condition()):
            self._check(end, timeout)
            await self._thread.acall(lambda: self._go_on(end))
        return self.now()


async def _value(given: Any) -> Any:
    return await given if inspect.isawaitable(given) else given
