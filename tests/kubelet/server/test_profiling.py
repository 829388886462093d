"""A profile ends with who asked for it: one at a time, on a thread that nobody else needs."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tests.conftest import eventually
from wherry.kit.httpd.message import Connection, Request, RequestHeaders, Response
from wherry.kubelet.server.answers import NotServed
from wherry.kubelet.server.profiling import LONGEST_S, Profiling


def _request(seconds: int) -> Request:
    path, connection = "/debug/pprof/profile", Connection(("127.0.0.1", 1), None)
    return Request("GET", path, path, f"seconds={seconds}", RequestHeaders({}), b"", connection)


def _threads() -> int:
    return sum(thread.name.startswith("profile") for thread in threading.enumerate())


async def test_who_hangs_up_takes_the_profile_along() -> None:
    profiling = Profiling()
    for _ in range(3):
        asking = asyncio.ensure_future(profiling.page(_request(LONGEST_S)))
        await eventually(lambda: profiling.is_taking)
        await eventually(lambda: _threads() == 1)  # one of a test before may just end
        with pytest.raises(NotServed, match="already in use"):
            await profiling.page(_request(LONGEST_S))
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        # Its thread may not have looked yet; until it has, the next is refused, not begun beside it.
        await eventually(lambda: not profiling.is_taking)
        await eventually(lambda: _threads() == 0)
    assert isinstance(await profiling.page(_request(1)), Response)
    assert not profiling.is_taking


async def test_until_the_thread_has_ended_no_other_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    may_end = threading.Event()

    def take(seconds: float, gone: threading.Event) -> str:
        assert gone.wait(seconds)
        assert may_end.wait(seconds)
        return ""

    monkeypatch.setattr("wherry.kubelet.server.profiling._take", take)
    profiling = Profiling()
    asking = asyncio.ensure_future(profiling.page(_request(60)))
    await eventually(lambda: profiling.is_taking)  # not by its thread: one of a test before may just end
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    with pytest.raises(NotServed, match="already in use"):
        await profiling.page(_request(60))
    may_end.set()
    await eventually(lambda: not profiling.is_taking)
