"""Watches of a test: `Watching` collects in the cluster's loop what `Watch` and `AsyncWatch` hand out."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Any

import orjson

from wherry.client.transport import WatchEvent
from wherry.kit.simulated_loop import SimulatedLoop
from wherry.testing.conditions import WaitTimeoutError
from wherry.testing.loop_thread import LoopThread
from wherry.testing.spans import Span, seconds
from wherry.testing.verbs import Verbs, checked_namespace

LONGEST_S = 100 * 365 * 86400
"""A test's watch does not end while months pass, as the server would have it."""


class WatchEndedError(AssertionError):
    """Nothing more comes of a watch."""


class Watching:
    """One watch, from what there is now on; it ends with the cluster or when it is closed."""

    def __init__(
        self, verbs: Verbs, kind: str, namespace: str | None, label_selector: str, field_selector: str
    ) -> None:
        self._verbs = verbs
        self._kind = kind
        self._namespace = namespace
        self._selectors = {"labelSelector": label_selector, "fieldSelector": field_selector}
        self._events: list[WatchEvent] = []
        self._task: asyncio.Task[None] | None = None
        self._more = asyncio.Event()

    async def begin(self) -> None:
        """Start; what there is comes as ADDED."""
        resource = self._verbs.kind(self._kind)
        query = {name: value for name, value in self._selectors.items() if value}
        query["timeoutSeconds"] = str(LONGEST_S)
        stream = self._verbs.transport.watch(resource.path(checked_namespace(self._namespace or "")), query)
        self._task = asyncio.create_task(self._collect(stream), name=f"watch of {resource.plural}")

    async def take(self) -> list[WatchEvent]:
        """What came since the last time. Raises ApiError when nothing came and the watch was refused."""
        taken, self._events = self._events, []
        self._more.clear()
        if not taken:
            self._raise_its_error()
        return taken

    async def next(self, timeout_s: float) -> WatchEvent:
        """The next event; time moves on until it comes.

        Raises WaitTimeoutError; WatchEndedError, ApiError when nothing more can come.
        """
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedLoop)
        if loop.is_simulated:
            await loop.run_until(lambda: bool(self._events) or self._has_ended, timeout_s)
        elif not self._events and not self._has_ended:
            self._more.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._more.wait()
        if self._events:
            return self._events.pop(0)
        self._raise_its_error()
        if self._has_ended:
            raise WatchEndedError(
                f"the watch of {self._kind} has ended, and nothing more comes; begin another"
            )
        raise WaitTimeoutError(f"no event about {self._kind} within {timeout_s:g} s")

    @property
    def _has_ended(self) -> bool:
        return self._task is None or self._task.done()

    def _raise_its_error(self) -> None:
        if self._task is not None and self._task.done() and not self._task.cancelled():
            self._task.result()

    async def end(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _collect(self, stream: Any) -> None:
        try:
            async for event in stream:
                self._events.append(WatchEvent(event.type, orjson.loads(orjson.dumps(event.object))))
                self._more.set()
        finally:
            try:
                await stream.aclose()
            finally:
                self._more.set()  # whoever waits learns that nothing more comes


class Watch:
    """A watch: `take()` what came, or wait for the `next()` event. Close it, or use it in a `with`."""

    def __init__(self, thread: LoopThread, watching: Watching) -> None:
        self._thread = thread
        self._watching = watching

    def take(self) -> list[WatchEvent]:
        """The events that came since the last time, without waiting. Raises ApiError."""
        return self._thread.call(self._watching.take)

    def next(self, timeout: Span = 60.0) -> WatchEvent:
        """The next event; simulated time moves on until it comes.

        Raises WaitTimeoutError; WatchEndedError, ApiError when nothing more can come.
        """
        limit_s = seconds(timeout)
        return self._thread.call(lambda: self._watching.next(limit_s))

    def close(self) -> None:
        """End the watch."""
        self._thread.call(self._watching.end)

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncWatch:
    """The same for callers with a loop of their own."""

    def __init__(self, thread: LoopThread, watching: Watching) -> None:
        self._thread = thread
        self._watching = watching

    async def take(self) -> list[WatchEvent]:
        """See `Watch.take`."""
        return await self._thread.acall(self._watching.take)

    async def next(self, timeout: Span = 60.0) -> WatchEvent:
        """See `Watch.next`."""
        limit_s = seconds(timeout)
        return await self._thread.acall(lambda: self._watching.next(limit_s))

    async def close(self) -> None:
        """End the watch."""
        await self._thread.acall(self._watching.end)

    async def __aenter__(self) -> AsyncWatch:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
