"""What waits for a conversion webhook: nothing for ever, and never without bound."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from wherry.api.apiextensions.custom_kind import CustomKind
from wherry.api.resource import Resource
from wherry.apiserver.customresources import conversion
from wherry.apiserver.customresources.conversion import ConvertedSource, ConvertedView
from wherry.apiserver.registry import Shared
from wherry.apiserver.threads import Threads
from wherry.kit.clock import FakeClock
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object
from wherry.store.memory import MemoryStore

PREFIX = "/registry/x.io/things/"
ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
THINGS = Resource(
    group="x.io",
    version="v2",
    kind="Thing",
    plural="things",
    namespaced=True,
    storage_key="x.io/things",
    storage_version=("x.io", "v1"),
    custom=CustomKind(ANYTHING, None),
)


class Hook(conversion.ConversionWebhook):
    """Converts by exchanging the version alone, unless it is away."""

    def __init__(self) -> None:
        self.is_away = False

    async def convert(self, objects: list[Object], api_version: str) -> list[Object]:
        if self.is_away:
            raise ApiError(500, "", "conversion webhook failed: nobody there")
        await asyncio.sleep(0)
        return [{**obj, "apiVersion": api_version} for obj in objects]


def thing(name: str) -> bytes:
    obj = {"apiVersion": "x.io/v1", "kind": "Thing", "metadata": {"name": name, "namespace": "ns"}}
    return json.dumps(obj).encode()


class Rigged:
    """A source over a store and a webhook."""

    def __init__(self) -> None:
        self.hook = Hook()
        self.store = MemoryStore(FakeClock())
        self.view = ConvertedView(
            self.store, CustomKind(ANYTHING, None), "x.io/v2", "x.io/v1", Threads(), self.hook
        )
        self.source = ConvertedSource(THINGS, self.view, Shared(FakeClock()))

    def names(self) -> list[str]:
        return [item.name for item in self.source.cacher.list()[0]]


@pytest.fixture
async def rigged() -> AsyncIterator[Rigged]:
    made = Rigged()
    yield made
    await made.source.close()
    await made.store.close()


async def test_a_value_nobody_can_read_holds_up_nothing(rigged: Rigged) -> None:
    await rigged.store.create(f"{PREFIX}ns/bad-before", b"not json")
    await rigged.source.open()
    await rigged.store.create(f"{PREFIX}ns/bad", b"not json")
    await rigged.store.create(f"{PREFIX}ns/odd", b'{"apiVersion":"x.io/v1","kind":"Thing"}')
    await rigged.store.create(f"{PREFIX}ns/a", thing("a"))
    await rigged.source.open()
    assert rigged.names() == ["a"]
    assert set(rigged.source.cacher.unreadable) == {
        f"{PREFIX}ns/{name}" for name in ("bad", "bad-before", "odd")
    }
    assert rigged.view.revision == rigged.store.revision


async def test_a_webhook_that_is_away_lets_only_so_much_wait(
    rigged: Rigged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "WAITING_BATCHES", 10)
    await rigged.store.create(f"{PREFIX}ns/first", thing("first"))
    await rigged.source.open()
    ended = asyncio.Event()
    rigged.source.cacher.watch("", 0, None, lambda _: None, ended=ended.set)
    rigged.hook.is_away = True
    for number in range(10):
        await rigged.store.create(f"{PREFIX}ns/a{number}", thing(f"a{number}"))
    with pytest.raises(ApiError):
        await rigged.source.open()
    assert not ended.is_set(), "what waits will be handed on"
    for number in range(1000):
        await rigged.store.create(f"{PREFIX}ns/b{number}", thing(f"b{number}"))
    assert len(rigged.view._waiting) == 0
    assert ended.is_set(), "those who watched must begin anew"
    with pytest.raises(ApiError):
        await rigged.source.open()
    rigged.hook.is_away = False
    await rigged.source.open()
    assert len(rigged.names()) == 1011
    await rigged.store.create(f"{PREFIX}ns/z", thing("z"))
    await rigged.source.open()
    assert rigged.names()[-1] == "z"
