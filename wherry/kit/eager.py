"""Coroutines that begin at once, without a task: `begin`, and `IN_A_TASK`, where they stop for one.

Much of what may wait seldom does. Begun this way it has its result on the spot, and costs a task and a turn
of the event loop only when it does wait (CPython 3.12 has eager tasks for this).
"""

from __future__ import annotations

from asyncio import current_task
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class _InATask:
    def __await__(self) -> Generator[None, None, None]:
        if current_task() is None:
            yield


IN_A_TASK = _InATask()
"""To be awaited before whatever may wait; nothing happens where a task is running already."""


class Begun(Awaitable[T], Generic[T]):
    """A coroutine that began and stopped at `IN_A_TASK`: to be awaited by a task, or closed."""

    __slots__ = ("_coroutine",)

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, T]:
        return self._coroutine.__await__()

    def close(self) -> None:
        """Nobody will wait for it: it ends where it stopped."""
        self._coroutine.close()


def begin(coroutine: Coroutine[Any, Any, T]) -> T | Begun[T]:
    """Run `coroutine` until it ends or stops at `IN_A_TASK`. Not to be called in a task.

    Raises what the coroutine raises, and RuntimeError when it waits for something else.
    """
    try:
        stopped = coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    if stopped is not None:
        coroutine.close()
        raise RuntimeError(f"{coroutine} waits outside of a task")
    return Begun(coroutine)
