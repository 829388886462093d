"""A deadline by an injected clock: `asyncio.timeout` for code whose time a test moves by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from wherry.kit.clock import Clock
from wherry.kit.tasks import others_end

T = TypeVar("T")


async def within(timeout_s: float, work: Coroutine[Any, Any, T], clock: Clock) -> T:
    """What comes of `work`, which may take `timeout_s` seconds.

    Raises TimeoutError when it takes longer; it was cancelled then and has ended. Raises Abandoned when
    somebody else cancelled it, or what it waited for.
    """
    task = asyncio.get_running_loop().create_task(work)
    is_late = False

    def give_up() -> None:
        nonlocal is_late
        is_late = True
        task.cancel()

    timer = clock.call_later(max(timeout_s, 0.0), give_up)
    try:
        await asyncio.wait([task])
    finally:
        timer.cancel()
        if not task.done():  # we were cancelled ourselves
            task.cancel()
            await asyncio.wait([task])
    if task.cancelled() and is_late:
        raise TimeoutError(f"took longer than {timeout_s:g} s")
    with others_end("work with a deadline"):
        return task.result()
