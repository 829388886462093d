"""`rewrite` decides anew on what stands there now, also where the cache has not heard of it."""

from __future__ import annotations

import pytest

from tests.apiserver.rig import Rig, config_map
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.apiserver.cached import Cached
from wherry.apiserver.encoding import decode, encode_stored
from wherry.apiserver.registry import Served
from wherry.apiserver.rewrite import remove, rewrite, swap
from wherry.objects.errors import ApiError, server_timeout
from wherry.objects.meta import Object

KEY = "/registry/configmaps/default/c"


async def write_beside(rig: Rig, **data: str) -> None:
    """What another server does: the object changes in the store."""
    entry = await rig.store.get(KEY)
    assert entry is not None
    obj = decode(entry.value)
    await rig.store.update(
        KEY, encode_stored({**obj, "data": {**obj["data"], **data}}), expected=entry.revision
    )


@pytest.fixture
async def behind(rig: Rig) -> Served:
    """ConfigMaps whose cache hears of nothing any more, as one that is a trip over the network behind."""
    await rig.admin.create(CONFIG_MAPS, config_map("c", a="1"))
    served = rig.server.core.registry.of(CONFIG_MAPS)
    feed = served.cacher._feed
    assert feed is not None
    feed.close()
    return served


async def test_the_lost_swap_brings_what_is_decided_on_next(rig: Rig, behind: Served) -> None:
    seen: list[Object] = []

    async def attempt(cached: Cached) -> str:
        obj = cached.decode()
        seen.append(dict(obj["data"]))
        if len(seen) < 3:
            await write_beside(rig, b=str(len(seen)))
        obj["data"]["c"] = "mine"
        await swap(rig.server.core, behind, cached, obj)
        return str(obj["metadata"]["resourceVersion"])

    revision = await rewrite(behind, "default", "c", attempt)
    assert seen == [{"a": "1"}, {"a": "1", "b": "1"}, {"a": "1", "b": "2"}]
    entry = await rig.store.get(KEY)
    assert entry is not None
    assert (decode(entry.value)["data"], str(entry.revision)) == ({"a": "1", "b": "2", "c": "mine"}, revision)


async def test_a_removal_is_of_the_version_that_was_decided_on(rig: Rig, behind: Served) -> None:
    seen: list[Object] = []

    async def attempt(cached: Cached) -> None:
        seen.append(cached.decode()["data"])
        if len(seen) == 1:
            await write_beside(rig, b="1")
        await remove(rig.server.core, behind, cached)

    await rewrite(behind, "default", "c", attempt)
    assert [sorted(data) for data in seen] == [["a"], ["a", "b"]]
    assert await rig.store.get(KEY) is None


async def test_it_is_not_tried_for_ever(rig: Rig, behind: Served) -> None:
    tries: list[int] = []

    async def attempt(cached: Cached) -> None:
        tries.append(cached.revision)
        await write_beside(rig, b=str(len(tries)))
        await swap(rig.server.core, behind, cached, cached.decode())

    with pytest.raises(ApiError) as refused:
        await rewrite(behind, "default", "c", attempt, attempts=4)
    assert (len(set(tries)), refused.value.reason) == (4, "Conflict")
    with pytest.raises(ApiError) as refused:
        await rewrite(behind, "default", "c", attempt, attempts=4, exhausted=server_timeout("busy", 1))
    assert refused.value.code == 504


async def test_what_is_gone_is_not_found(rig: Rig, behind: Served) -> None:
    async def attempt(cached: Cached) -> None:
        await rig.store.delete(KEY, expected=cached.revision)
        await swap(rig.server.core, behind, cached, cached.decode())

    for name in ("c", "none"):
        with pytest.raises(ApiError) as refused:
            await rewrite(behind, "default", name, attempt)
        assert refused.value.code == 404
