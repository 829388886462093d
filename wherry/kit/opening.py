"""Opening files in a thread for somebody who may be cancelled meanwhile: `opened`.

A thread cannot be cancelled. What it opens for a task that is gone belongs to nobody, and were it a bare
descriptor it would stay open for ever. (`tests/kit/test_opening.py` holds that nothing else opens so.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from typing import Protocol, TypeVar


class Closable(Protocol):
    """What has to be closed: a file, say."""

    def close(self) -> None: ...


T = TypeVar("T", bound=Closable)


async def opened(work: Callable[[], T]) -> T:
    """What `work`, done in a thread, opens; when the caller is cancelled meanwhile it is closed.

    Raises what `work` raises.
    """
    opening = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close)
        raise


def _close(opening: asyncio.Future[T]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        with closing(opening.result()):
            pass
