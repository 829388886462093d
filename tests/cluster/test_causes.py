"""What ends a process is told first, whatever ends because of it."""

from __future__ import annotations

import asyncio
import logging

import pytest

from wherry.cluster.causes import the_cause_first
from wherry.cluster.launch import end_if_essential
from wherry.kit.tasks import Tasks


async def test_what_ends_as_everything_is_closed_is_not_the_cause(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    ended: list[int] = []
    monkeypatch.setattr("wherry.cluster.launch.os._exit", ended.append)
    asyncio.get_running_loop().set_exception_handler(end_if_essential)
    tasks, served = Tasks("controllers"), asyncio.Event()

    async def live_by_the_server() -> None:
        await served.wait()

    tasks.essential(live_by_the_server(), "heart")
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="cpu"):  # noqa: PT012 - what is closed on the way out belongs to it
        try:
            with the_cause_first("the server"):
                raise ValueError("cpu: must not be negative")
        finally:
            served.set()
            for _ in range(3):
                await asyncio.sleep(0)
    assert not ended
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("ERROR", "the server ends: cpu: must not be negative"),
        ("INFO", "essential task controllers/heart ended as well"),
    ]
    await tasks.close()


async def test_an_essential_task_that_ends_by_itself_ends_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[int] = []
    monkeypatch.setattr("wherry.cluster.launch.os._exit", ended.append)
    asyncio.get_running_loop().set_exception_handler(end_if_essential)
    tasks = Tasks("controllers")
    with the_cause_first("the server"):
        tasks.essential(asyncio.sleep(0), "heart")
        for _ in range(4):
            await asyncio.sleep(0)
    assert ended == [70]
    await tasks.close()
