"""Lists too large for one piece: the same bytes, piece by piece, however they are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from tests.apiserver.rig import Rig, config_map, running
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.apiserver.call import Outcome
from wherry.apiserver.sinks import portions, write_all
from wherry.apiserver.verbs.list import Listed, Pieces
from wherry.kit.clock import FakeClock

MAPS = "/api/v1/namespaces/default/configmaps"


async def listed(rig: Rig, count: int) -> Listed:
    for number in range(count):
        await rig.admin.create(CONFIG_MAPS, config_map(f"m{number}", data="x" * 1000))
    await rig.http("GET", f"{MAPS}?limit=1")
    items, _ = rig.server.core.registry.of(CONFIG_MAPS).cacher.list("default")
    return Listed(items, rig.store.revision, 0)


@pytest.mark.parametrize(("size", "expected"), [(1, 5), (1100, 5), (2500, 3), (6000, 1), (1_000_000, 1)])
async def test_pieces_join_to_the_list(rig: Rig, size: int, expected: int) -> None:
    served, some = rig.server.core.registry.of(CONFIG_MAPS), await listed(rig, 5)
    found = list(Pieces(served, some, {"resourceVersion": "7"}, lambda: size))
    assert len(found) == expected
    decoded = orjson.loads(b"".join(found))
    assert decoded == {
        "kind": "ConfigMapList",
        "apiVersion": "v1",
        "metadata": {"resourceVersion": "7"},
        "items": [item.decode() for item in some.items],
    }


async def test_an_empty_list_is_one_piece(rig: Rig) -> None:
    served = rig.server.core.registry.of(CONFIG_MAPS)
    found = list(Pieces(served, Listed([], 1, 0), {"resourceVersion": "1"}, lambda: 1))
    assert [orjson.loads(piece)["items"] for piece in found] == [[]]


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({}, ""),
        ({"Accept": "application/yaml"}, ""),
        ({"Accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}, ""),
        ({"Accept": "application/vnd.kubernetes.protobuf"}, ""),
        ({}, "?pretty=true"),
        ({}, "?labelSelector=a%21%3Db"),
    ],
)
async def test_every_form_of_a_large_list_is_that_of_a_small_one(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], query: str
) -> None:
    # Time stands still: a Table tells ages in whole seconds, and one may end between the two.
    async with running(FakeClock()) as rig:
        await compare(rig, monkeypatch, headers, query)


async def compare(rig: Rig, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], query: str) -> None:
    async def read() -> tuple[bytes, str]:
        sent = {"Authorization": "Bearer admin-token", **headers}
        async with rig.session.get(f"{rig.server.url}{MAPS}{query}", headers=sent) as response:
            assert response.status == 200
            assert response.headers["cache-control"] == "no-cache, private"
            return await response.read(), response.content_type

    await listed(rig, 5)
    small = await read()
    monkeypatch.setattr(rig.server.core.waiting, "piece_bytes", lambda identity: 1500)
    assert await read() == small
    local: Any = await rig.admin.raw(MAPS)
    assert [item["metadata"]["name"] for item in local["items"]] == [f"m{number}" for number in range(5)]


def test_an_outcome_in_pieces_can_be_had_whole() -> None:
    outcome = Outcome(pieces=iter([b'{"a":', b"1}"]))
    assert outcome.object == {"a": 1}
    assert outcome.data == b'{"a":1}'
    assert outcome.pieces is None


class Slow:
    """A writer whose client takes nothing until told to."""

    buffered = 0
    piece_bytes = 1 << 20

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.takes = asyncio.Event()
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    async def drain(self) -> None:
        await self.takes.wait()

    async def wait_closed(self) -> None: ...

    def abort(self) -> None:
        self.closed = True


def counted(made: list[int]) -> Iterator[bytes]:
    for number in range(3):
        made.append(number)
        yield b"%d" % number


async def test_a_piece_is_made_when_the_client_has_taken_the_one_before() -> None:
    made: list[int] = []
    writer = Slow()
    running = asyncio.ensure_future(write_all(counted(made), writer))
    await asyncio.sleep(0)
    assert made == [0]
    assert writer.written == [b"0"]
    writer.takes.set()
    assert await running
    assert writer.written == [b"0", b"1", b"2"]


async def test_a_client_that_takes_nothing_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wherry.apiserver.sinks.PATIENCE_S", 0.01)
    writer = Slow()
    assert not await write_all(counted([]), writer)
    assert writer.closed
    assert writer.written == [b"0"]


async def test_portions_are_cut_by_count_and_by_size(rig: Rig) -> None:
    items = (await listed(rig, 1)).items
    assert [len(portion) for portion in portions([*items] * 1200, lambda: 1 << 30)] == [500, 500, 200]
    assert [len(portion) for portion in portions([*items] * 5, lambda: 2000)] == [2, 2, 1]
    assert list(portions([], lambda: 1)) == []
