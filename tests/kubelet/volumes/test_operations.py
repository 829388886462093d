"""One operation at a time per volume, within its time, and nothing of what ends late is lost."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tests.conftest import eventually
from tests.timing import PATIENCE_S
from wherry.kit.clock import FakeClock, settle
from wherry.kit.disk import DiskThreads
from wherry.kubelet.volumes.operations import Operations


async def test_those_of_one_volume_take_turns_others_do_not_wait() -> None:
    operations = Operations(FakeClock())
    done: list[str] = []
    first = asyncio.Event()

    async def slow() -> None:
        await first.wait()
        done.append("first")

    async def quick(name: str) -> None:
        done.append(name)

    tasks = [
        asyncio.ensure_future(operations.run("a", slow, 10)),
        asyncio.ensure_future(operations.run("a", lambda: quick("second"), 10)),
        asyncio.ensure_future(operations.run("b", lambda: quick("other"), 10)),
    ]
    await settle()
    assert done == ["other"]
    first.set()
    await asyncio.gather(*tasks)
    assert done == ["other", "first", "second"]
    assert operations.busy == 0


async def test_who_waits_too_long_is_given_up() -> None:
    clock = FakeClock()
    operations = Operations(clock)
    never = asyncio.Event()

    async def hangs() -> None:
        await never.wait()

    async def quick() -> str:
        return "done"

    hanging = asyncio.ensure_future(operations.run("a", hangs, 10))
    await settle()
    waiting = asyncio.ensure_future(operations.run("a", quick, 5))
    await settle()
    await clock.advance(5)
    with pytest.raises(TimeoutError):
        await waiting
    await clock.advance(5)
    with pytest.raises(TimeoutError):
        await hanging
    assert await operations.run("a", quick, 5) == "done"
    assert operations.busy == 0


async def test_what_ends_late_is_there_for_the_next() -> None:
    """A mount hangs past its time and succeeds: the next operation begins after it and finds it."""
    clock = FakeClock()
    operations, disk = Operations(clock), DiskThreads(clock)
    back, asked = threading.Event(), threading.Event()
    mounted: list[str] = []

    def mount() -> None:
        asked.set()
        assert back.wait(PATIENCE_S)
        mounted.append("late")

    async def publish() -> None:
        await disk.run("volume a", mount, 5)

    async def look() -> list[str]:
        return await disk.run("volume a", lambda: list(mounted), 60)

    first = asyncio.ensure_future(operations.run("a", publish, 10))
    await eventually(asked.is_set)
    await clock.advance(5)
    with pytest.raises(TimeoutError):
        await first
    second = asyncio.ensure_future(operations.run("a", look, 60))
    await settle()
    assert not second.done()
    back.set()
    assert await second == ["late"]
