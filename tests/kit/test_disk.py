"""A file system that hangs holds up nobody: not the loop, not others, and nothing overtakes it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tests.conftest import eventually
from tests.timing import PATIENCE_S
from wherry.kit.clock import FakeClock, SystemClock
from wherry.kit.disk import DiskThreads


class Hanging:
    """Work that waits until somebody lets it go on."""

    def __init__(self, result: str = "done", error: Exception | None = None) -> None:
        self.begun = threading.Event()
        self.free = threading.Event()
        self.ended = False
        self._result = result
        self._error = error

    def __call__(self) -> str:
        self.begun.set()
        try:
            assert self.free.wait(PATIENCE_S)
        finally:
            self.ended = True
        if self._error is not None:
            raise self._error
        return self._result


async def test_the_loop_turns_meanwhile() -> None:
    disk, work = DiskThreads(SystemClock()), Hanging()
    running = asyncio.ensure_future(disk.run("a", work, 10))
    await eventually(work.begun.is_set)
    for _ in range(200):
        await asyncio.sleep(0)
    assert not work.ended, "what holds the loop has ended before the loop turns"
    assert not running.done()
    work.free.set()
    assert await running == "done"
    assert disk.busy == 0


async def test_what_it_raises_reaches_the_caller() -> None:
    work = Hanging(error=OSError(28, "No space left on device"))
    work.free.set()
    with pytest.raises(OSError, match="No space left"):
        await DiskThreads(SystemClock()).run("a", work, 10)


async def test_who_waits_gives_up_and_nothing_of_the_key_overtakes() -> None:
    clock = FakeClock()
    disk, work, order = DiskThreads(clock), Hanging(), list[str]()
    running = asyncio.ensure_future(disk.run("a", work, 10))
    await eventually(work.begun.is_set)
    await clock.advance(10)
    with pytest.raises(TimeoutError):
        await running
    after = asyncio.ensure_future(disk.run("a", lambda: order.append("after"), 1000))
    await disk.run("b", lambda: order.append("another"), 10)
    assert order == ["another"], "what is stuck holds up its own kind alone"
    assert not after.done()
    work.free.set()
    await after
    assert order == ["another", "after"]
    assert disk.busy == 0


async def test_those_given_up_leave_room_for_others() -> None:
    clock = FakeClock()
    disk = DiskThreads(clock, most=2)
    stuck = [Hanging() for _ in range(3)]
    runs = [asyncio.ensure_future(disk.run(str(i), work, 10)) for i, work in enumerate(stuck)]
    await eventually(lambda: sum(work.begun.is_set() for work in stuck) == 2)
    await clock.advance(10)
    assert all(isinstance(e, TimeoutError) for e in await asyncio.gather(*runs, return_exceptions=True))
    assert await disk.run("else", lambda: "room", 10) == "room"
    for work in stuck:
        work.free.set()
    await eventually(lambda: disk.busy == 0)


async def test_a_late_failure_is_told(caplog: pytest.LogCaptureFixture) -> None:
    disk, work = DiskThreads(SystemClock()), Hanging(error=OSError("the server is gone"))
    running = asyncio.ensure_future(disk.run("a", work, 10))
    await eventually(work.begun.is_set)
    running.cancel()
    await asyncio.wait([running])
    work.free.set()
    await eventually(lambda: disk.busy == 0)
    assert "given up failed as well: the server is gone" in caplog.text


async def test_no_thread_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    disk = DiskThreads(SystemClock(), most=1)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        with pytest.raises(OSError, match="can't start new thread"):
            await disk.run("a", lambda: None, 10)
    assert await disk.run("a", lambda: "again", 10) == "again"
