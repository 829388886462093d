"""Processes that outlive us: started, heard ending, ended."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.conftest import eventually
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


async def test_they_have_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies above all, by which containerd gets images."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    log = tmp_path / "log"
    process = spawn(["/bin/sh", "-c", "echo $HTTPS_PROXY; exec sleep 60"], log)
    await eventually(lambda: log.read_text() == "http://proxy.example:3128\n")
    assert await end([process], signal.SIGKILL, 5) == []
