"""What versions of a kind show of a large object is made beside the loop, before the store tells of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.apiserver.customresources.established import define
from tests.apiserver.customresources.samples import CRDS, ROOT, cron_tab, definition, version
from tests.apiserver.rig import ADMIN, Rig
from tests.timing import PATIENCE_S
from wherry.api.resource import Resource
from wherry.apiserver import encoding
from wherry.apiserver.beside import LARGE
from wherry.client.api import Client
from wherry.objects.meta import Object

BIG = [{"name": f"port-{number}"} for number in range(1500)]
CRD = f"{CRDS}/crontabs.stable.example.com"
MERGE = "application/merge-patch+json"
IN_V1, IN_V2 = ROOT, ROOT.replace("/v1/", "/v2/")


@pytest.fixture
def on_the_loop(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each large object has that is read by the loop's own thread after it was stored."""
    found: list[int] = []
    own = threading.get_ident()

    def told(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
        def read(data: bytes) -> Any:
            if len(data) >= LARGE and threading.get_ident() == own:
                found.append(len(data))
            return decode(data)

        return read

    monkeypatch.setattr("wherry.apiserver.encoding.decode", told(encoding.decode))
    monkeypatch.setattr("wherry.apiserver.cached.decode", told(encoding.decode))
    return found


async def two_versions(rig: Rig) -> None:
    await define(rig, definition(version("v1"), version("v2", storage=False)))


@pytest.mark.parametrize("written_in", [IN_V1, IN_V2], ids=["stored version", "another version"])
async def test_no_version_shows_a_large_object_on_the_loop(
    rig: Rig, written_in: str, on_the_loop: list[int]
) -> None:
    await two_versions(rig)
    api_version = written_in.split("/")[3]
    for path in (IN_V1, IN_V2):
        assert (await rig.http("GET", path))[0] == 200
    on_the_loop.clear()
    sent = cron_tab("big", api_version, ports=BIG)
    status, body, _ = await rig.http("POST", written_in, sent)
    assert status == 201, body
    status, body, _ = await rig.http(
        "PUT", f"{written_in}/big", body | {"spec": {**body["spec"], "replicas": 2}}
    )
    assert status == 200, body
    status, _, _ = await rig.http(
        "PATCH", f"{written_in}/big", {"spec": {"color": "red"}}, headers={"Content-Type": MERGE}
    )
    assert status == 200
    assert on_the_loop == []
    shown = [(await rig.http("GET", f"{path}/big"))[1] for path in (IN_V1, IN_V2)]
    assert [one.pop("apiVersion") for one in shown] == ["stable.example.com/v1", "stable.example.com/v2"]
    assert shown[0] == shown[1]
    assert shown[0]["spec"]["ports"][-1] == {"name": "port-1499", "port": 80}
    assert (shown[0]["spec"]["replicas"], shown[0]["spec"]["color"]) == (2, "red")


async def test_watchers_in_the_process_get_large_objects_in_order_and_decoded_beside_the_loop(
    rig: Rig, on_the_loop: list[int]
) -> None:
    await two_versions(rig)
    assert (await rig.http("GET", IN_V2))[0] == 200
    kinds = [
        Resource(group="stable.example.com", version=name, kind="CronTab", plural="crontabs", namespaced=True)
        for name in ("v1", "v2")
    ]
    client = Client(rig.server.local_transport(ADMIN))
    count = 6

    async def watched(kind: Resource) -> list[Object]:
        found: list[Object] = []
        listing = await client.list(kind, "default")
        async for event in client.watch(kind, "default", resource_version=listing.resource_version):
            if event.type == "BOOKMARK":
                continue
            found.append(event.object)
            if len(found) == count:
                break
        return found

    watches = [asyncio.ensure_future(watched(kind)) for kind in kinds]
    for number in range(count):
        ports = BIG if number % 2 == 0 else BIG[:1]
        status, body, _ = await rig.http("POST", IN_V1, cron_tab(f"n{number}", ports=ports))
        assert status == 201, body
    async with asyncio.timeout(PATIENCE_S):
        found = await asyncio.gather(*watches)
    for kind, objects in zip(kinds, found, strict=True):
        assert [obj["metadata"]["name"] for obj in objects] == [f"n{number}" for number in range(count)]
        assert {obj["apiVersion"] for obj in objects} == {kind.api_version}
        assert [len(obj["spec"]["ports"]) for obj in objects] == [1500, 1] * (count // 2)
    assert on_the_loop == []


async def test_a_cache_that_is_filled_reads_them_beside_the_loop(rig: Rig, on_the_loop: list[int]) -> None:
    """A new schema has everything read anew."""
    await define(rig, definition())
    status, body, _ = await rig.http("POST", ROOT, cron_tab("big", ports=BIG))
    assert status == 201, body
    _, crd, _ = await rig.http("GET", CRD)
    crd["spec"]["versions"].append(version("v2", storage=False))
    on_the_loop.clear()
    status, crd, _ = await rig.http("PUT", CRD, crd)
    assert status == 200, crd
    async with asyncio.timeout(PATIENCE_S):
        while (answer := await rig.http("GET", IN_V2))[0] != 200:
            pass
    assert [len(item["spec"]["ports"]) for item in answer[1]["items"]] == [1500]
    assert on_the_loop == []
