"""One time limit for many pieces of work: `Deadlines`, cheaper than a timer for each of them.

All have the same limit, so they are due in the order they began, and one timer for the oldest will do:
`asyncio.timeout` costs 5 us each time, this one. What a deadline does is the same: the task is cancelled, and
that becomes a TimeoutError where the block ends.
"""

from __future__ import annotations

import asyncio
from types import TracebackType


class Deadlines:
    """A limit of `limit_s` seconds, by the event loop's own clock."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._running: dict[Deadline, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def within(self) -> Deadline:
        """To be entered around the work, in a task. Raises TimeoutError at its end when it took too long."""
        return Deadline(self)

    def begin(self, deadline: Deadline) -> None:
        """Watch over one more; `Deadline` calls this."""
        self._running[deadline] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(deadline.due, self._look)

    def end(self, deadline: Deadline) -> None:
        """It is over; `Deadline` calls this."""
        self._running.pop(deadline, None)

    def _look(self) -> None:
        """Cancel whatever is due, and come again when the next one is."""
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._running:
            oldest = next(iter(self._running))
            if oldest.due > now:
                self._timer = loop.call_at(oldest.due, self._look)
                return
            del self._running[oldest]
            oldest.expire()


class Deadline:
    """One piece of work that has to end in time; a context."""

    __slots__ = ("_before", "_expired", "_owner", "_task", "due")

    def __init__(self, owner: Deadlines) -> None:
        self._owner = owner
        self._expired = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline is for a task")
        self._task = task
        self._before = task.cancelling()
        self.due = asyncio.get_running_loop().time() + self._owner.limit_s
        self._owner.begin(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._owner.end(self)
        # Whoever else cancelled the task as well has it cancelled.
        if self._expired and self._task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        """The time is up; `Deadlines` calls this."""
        self._expired = True
        self._task.cancel()
