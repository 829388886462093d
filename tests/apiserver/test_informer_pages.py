"""A cache of the same process reads a large collection in portions, and misses nothing by it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from random import Random

from tests.apiserver.rig import ADMIN, Rig, config_map
from tests.timing import PATIENCE_S
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.apiserver.encoding import encode_stored
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.client.informer import LISTED_AT_ONCE
from wherry.client.transport import JSON, Transport
from wherry.kit.clock import SystemClock
from wherry.objects.meta import Object, name_of

COUNT = 2 * LISTED_AT_ONCE + 100


class Paging:
    """A transport that lets something happen before each further page; notes the limits asked for."""

    def __init__(self, inner: Transport, meanwhile: Callable[[], Awaitable[object]]) -> None:
        self._inner = inner
        self._meanwhile = meanwhile
        self.limits: list[str] = []
        self.watch = inner.watch
        self.close = inner.close

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | list[Object] | None = None,
        content_type: str = JSON,
    ) -> Object:
        query = query or {}
        if "continue" in query:
            await self._meanwhile()
        self.limits.append(query.get("limit", ""))
        return await self._inner.call(method, path, query, body, content_type)


async def followed(
    rig: Rig, meanwhile: Callable[[], Awaitable[object]], last: str
) -> tuple[set[str], list[str]]:
    """What a cache knows once it knows the config map called `last`, and the limits it asked with."""
    for number in range(COUNT):
        name = f"c{number:05}"
        await rig.store.create(CONFIG_MAPS.key("default", name), encode_stored(config_map(name)))
    transport = Paging(rig.server.local_transport(ADMIN), meanwhile)
    cache = Cache(Client(transport), SystemClock(), random=Random(0))
    arrived = asyncio.Event()
    cache.on(CONFIG_MAPS, lambda _, new: arrived.set() if new and name_of(new) == last else None)
    await cache.start()
    try:
        async with asyncio.timeout(PATIENCE_S):
            await arrived.wait()
        return {name_of(obj) for obj in cache.list(CONFIG_MAPS, "default")}, transport.limits
    finally:
        await cache.close()


async def test_what_is_written_between_pages_is_not_missed(rig: Rig) -> None:
    made = iter(("a", "zz"))

    async def write() -> None:
        name = next(made)
        await rig.admin.create(CONFIG_MAPS, config_map(name))
        await rig.admin.delete(CONFIG_MAPS, "c00001" if name == "a" else "c01001", "default")

    known, limits = await followed(rig, write, "zz")
    assert limits == [str(LISTED_AT_ONCE)] * 3
    expected = {f"c{number:05}" for number in range(COUNT)} | {"a", "zz"}
    assert known == expected - {"c00001", "c01001"}


async def test_when_the_first_pages_moment_is_forgotten_all_is_read_at_once(rig: Rig) -> None:
    async def forget() -> None:
        await rig.admin.create(CONFIG_MAPS, config_map("late"))
        await rig.store.compact(rig.store.revision)

    known, limits = await followed(rig, forget, "late")
    assert limits == [str(LISTED_AT_ONCE)] * 2 + [""]
    assert known == {f"c{number:05}" for number in range(COUNT)} | {"late"}
