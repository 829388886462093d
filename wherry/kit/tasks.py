"""Background tasks with an owner.

asyncio forgets a task nobody holds and keeps quiet about one that failed. A `Tasks` holds its
tasks, reports a failure the moment it happens (log, and the `on_failure` callback if given) and on
`close` cancels all of them and waits until they are gone, so nothing outlives its component.
A task without which the process is of no use is `essential`: when it ends, the loop's exception handler
hears of it under `ESSENTIAL`, and a process whose handler is `cluster/launch`'s ends, to be started again.
`to_the_end` is for the step that must not stop half-way.

A CancelledError that a task meets without having been asked to end is not its own: what it waited for was
cancelled by somebody else. Taken for an order to end it would end loops for good, and unlogged. `others_end`
turns it into `Abandoned`, a fault like any other, and `shared` waits for work that others wait for as well.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

from wherry.kit.guests import async_guest

log = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE_S = 5.0
"""So long `Tasks.close` waits for the tasks of an installed package."""
ESSENTIAL = "essential"
"""Key of the context an event loop's exception handler gets when an essential task has ended."""


class Abandoned(RuntimeError):
    """What was waited for was cancelled by somebody else."""


def is_asked_to_end() -> bool:
    """Whether the running task itself was cancelled, so that a CancelledError it meets is its own."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class others_end:  # noqa: N801 - a block's name; a generator would take thrice as long, and each request has one
    """Within it the end of what others cancelled raises `Abandoned`, which names `what`."""

    __slots__ = ("_what",)

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        """The block begins."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, asyncio.CancelledError) and not is_asked_to_end():
            raise Abandoned(f"{self._what} was given up by somebody else") from error


async def shared(work: asyncio.Future[T], what: str) -> T:
    """What comes of `work`, which others wait for too, and which goes on if this caller is cancelled.

    Raises Abandoned when somebody else cancelled it.
    """
    with others_end(what):
        return await asyncio.shield(work)


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """What comes of `work`, which goes on to its end even if whoever waits for it is cancelled.

    A cancelled caller waits for that end as well (and is then cancelled), unless it is cancelled again;
    nobody is left to hear of a failure then, so it is logged.
    """
    task = asyncio.get_running_loop().create_task(work)
    try:
        return await shared(task, "what had to be finished")
    except asyncio.CancelledError:
        await asyncio.wait([task])
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.warning("what was given up failed as well: %s", error)
        raise


class Tasks:
    """A set of background tasks that end together.

    One that may not end the process is of an installed package: nothing its tasks raise ends more than that
    task, and `close` leaves those behind that do not end in time.
    """

    def __init__(
        self,
        name: str,
        on_failure: Callable[[str, BaseException], None] | None = None,
        *,
        may_end_process: bool = True,
    ) -> None:
        self.name = name
        self._may_end_process = may_end_process
        self._on_failure = on_failure
        self._tasks: set[asyncio.Task[Any]] = set()
        self._essential: set[asyncio.Task[Any]] = set()
        self._closed = False

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run `work` until it ends or the set is closed.

        Raises RuntimeError when the set is closed already (and closes the coroutine, unstarted).
        """
        if self._closed:
            work.close()
            raise RuntimeError(f"{self.name}: closed, cannot start {name}")
        if not self._may_end_process:
            work = _of_guest(work, f"task {self.name}/{name}")
        task = asyncio.get_running_loop().create_task(work, name=f"{self.name}/{name}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def essential(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Like `spawn`, for what must go on until `close`: that it ended, however, ends the process.

        Not in a set that may not end it, whose owner others can do without.
        """
        task = self.spawn(work, name)
        if self._may_end_process:
            self._essential.add(task)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        is_essential = task in self._essential
        self._essential.discard(task)
        error = None if task.cancelled() else task.exception()
        if task.cancelled() and not task.cancelling():
            error = Abandoned("what it waited for was given up by somebody else")
        if error is not None:
            log.error("task %s failed", task.get_name(), exc_info=error)
            if self._on_failure is not None:
                self._on_failure(task.get_name(), error)
        if is_essential and not self._closed:
            message = f"essential task {task.get_name()} ended"
            task.get_loop().call_exception_handler({"message": message, "exception": error, ESSENTIAL: True})

    @property
    def is_closed(self) -> bool:
        """Whether nothing more can be started."""
        return self._closed

    def __len__(self) -> int:
        return len(self._tasks)

    async def close(self) -> None:
        """Cancel every task and wait for all of them; failures were reported when they happened."""
        self._closed = True
        time = asyncio.get_running_loop().time
        until = None if self._may_end_process else time() + PATIENCE_S
        while self._tasks:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            _, left = await asyncio.wait(tasks, timeout=None if until is None else max(until - time(), 0))
            if left:
                names = ", ".join(sorted(task.get_name() for task in left))
                log.error("%s: does not end though cancelled, and is left behind: %s", self.name, names)
                return


async def _of_guest(work: Coroutine[Any, Any, T], what: str) -> T:
    with async_guest(what):
        return await work
