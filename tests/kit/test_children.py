"""Processes that outlive us: started, heard ending, ended."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from wherry.kit.children import end, spawn, wait_gone


async def test_ends_are_heard_of(tmp_path: Path) -> None:
    process = spawn(["/bin/sleep", "60"], tmp_path / "log")
    assert os.getsid(process.pid) == process.pid
    waiting = asyncio.ensure_future(wait_gone(process))
    assert await end([process], signal.SIGTERM, 5) == []
    await waiting
    assert not process.is_alive()
    await wait_gone(process)


async def test_who_does_not_end_is_told(tmp_path: Path) -> None:
    process = spawn(["/bin/sleep", "60"], tmp_path / "log")
    # A signal that is ignored unless asked for.
    assert await end([process], signal.SIGURG, 0.01) == [process]
    assert await end([process], signal.SIGKILL, 5) == []
