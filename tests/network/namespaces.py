"""A network namespace of a test's own: real iptables, and nothing of the machine's is touched."""

from __future__ import annotations

import asyncio
import ctypes
import os
import threading
from collections.abc import Awaitable, Callable

import pytest

CLONE_NEWNET = 0x40000000

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def run_apart(work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` on an event loop in a thread whose network is new and empty; raises what it raises."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.unshare(CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "unshare")
            asyncio.run(_awaited(work))
        except BaseException as error:  # noqa: BLE001 - handed on to the test
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


async def _awaited(work: Callable[[], Awaitable[None]]) -> None:
    await work()
