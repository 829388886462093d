"""A profile ends with who asked for it: one at a time, on a thread that nobody else needs."""

from __future__ import annotations

import asyncio
import linecache
import threading
from typing import Any

import pytest

from tests.conftest import eventually
from wherry.kit.httpd.message import Connection, Request, RequestHeaders, Response
from wherry.kubelet.server.answers import NotServed
from wherry.kubelet.server.profiling import LONGEST_S, Profiling, _stacks


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


async def test_source_lines_are_read_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    readers: set[int] = set()
    read = linecache.getline

    def noted(filename: str, lineno: int, module_globals: dict[str, Any] | None = None) -> str:
        readers.add(threading.get_ident())
        return read(filename, lineno, module_globals)

    monkeypatch.setattr(linecache, "getline", noted)
    stacks = await _stacks()
    assert "in test_source_lines_are_read_beside_the_loop" in stacks
    assert "stacks = await _stacks()" in stacks
    assert readers
    assert threading.get_ident() not in readers
