"""Who opens a resource's cacher and follows it: starts that are given up, followers that left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.apiserver.test_cacher import PODS, Told
from wherry.apiserver.registry import Following, Shared, Source
from wherry.kit.clock import FakeClock, settle
from wherry.objects.errors import ApiError
from wherry.store.base import StoreError
from wherry.store.memory import MemoryStore


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    opened = MemoryStore(FakeClock())
    yield opened
    await opened.close()


async def test_those_who_wait_for_a_start_that_is_given_up_are_told_and_none_is_cancelled(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = asyncio.Event()

    async def never(*_: object, **__: object) -> None:
        reading.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(store, "list", never)
    source = Source(PODS, store, Shared(FakeClock()))
    waiting = [asyncio.ensure_future(source.open()) for _ in range(10)]
    await reading.wait()
    waiting[0].cancel()
    await source.close()
    found = await asyncio.gather(*waiting, source.open(), return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    told = [(error.code, error.message) for error in found[1:] if isinstance(error, ApiError)]
    assert told == [(503, "apiserver cacher is stopped")] * 10


async def test_who_follows_no_more_begins_nothing_anew(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, told = FakeClock(), Told()
    shared = Shared(clock)
    source = Source(PODS, store, shared)
    await source.open()
    begun: list[str] = []
    following = Following(source, shared, told, lambda: begun.append("anew"))

    async def fail(*_: object, **__: object) -> None:
        raise StoreError("away")

    with monkeypatch.context() as patch:
        patch.setattr(store, "list", fail)
        source.cacher._break_off()
        await settle()
        following.close()
    await clock.advance(60)
    await source.open()
    await clock.advance(60)
    assert begun == []
    assert following._beginning.is_idle
    assert len(shared.tasks) == 0
    await source.close()
