"""What a row costs is known from its columns: many that walk through an object are read beside the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from tests.apiserver.customresources.established import define
from tests.apiserver.customresources.samples import ROOT, cron_tab, definition, version
from tests.apiserver.rig import Rig
from tests.timing import PATIENCE_S
from wherry.apiserver.beside import LARGE
from wherry.apiserver.customresources.columns import READ_TOGETHER, Cells

TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
FEW_BYTES = LARGE // 4


def columns(path: str, count: int) -> list[dict[str, str]]:
    return [{"name": f"c{number}", "type": "string", "jsonPath": path} for number in range(count)]


@pytest.mark.parametrize(
    ("path", "count", "factor"),
    [
        (".spec.replicas", 500, 1),
        ('.status.conditions[?(@.type=="Ready")].status', 3, 1),
        ("..a", READ_TOGETHER - 1, 1),
        ("..a", 10 * READ_TOGETHER, 11),
        (".a..b..c..d", 20, 1 + 20 * 3 // READ_TOGETHER),
        (".a[*].b[*]", READ_TOGETHER, 3),
    ],
)
def test_a_row_costs_what_its_columns_walk(path: str, count: int, factor: int) -> None:
    assert Cells(columns(path, count)).factor == factor


def test_a_filter_that_walks_for_each_item() -> None:
    assert Cells(columns("..a[?(@..b)]", 1)).factor >= LARGE


@pytest.fixture
def beside(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A mark for each piece of work a thread is given."""
    threads, found = rig.server.core.threads, list[Any]()
    real = threads.run

    def run(user: str, work: Callable[[], Any]) -> Any:
        found.append(work)
        return real(user, work)

    monkeypatch.setattr(threads, "run", run)
    return found


@pytest.mark.parametrize("count", [1, 8 * READ_TOGETHER])
async def test_a_small_object_of_many_columns(rig: Rig, beside: list[Any], count: int) -> None:
    shown = version("v1", additionalPrinterColumns=columns("..a", count))
    await define(rig, definition(shown))
    status, body, _ = await rig.http("POST", ROOT, cron_tab("a", image="x" * FEW_BYTES))
    assert status == 201, body
    is_long = count > READ_TOGETHER
    beside.clear()
    for path in (ROOT, f"{ROOT}/a"):
        status, body, _ = await rig.http("GET", path, headers=TABLE)
        assert len(body["rows"][0]["cells"]) == 1 + count
        assert bool(beside) == is_long, path
        beside.clear()
    revision = rig.store.revision
    url = f"{rig.server.url}{ROOT}?watch=1&resourceVersion={revision}"
    headers = {**TABLE, "Authorization": "Bearer admin-token"}
    async with asyncio.timeout(PATIENCE_S), rig.session.get(url, headers=headers) as answer:
        beside.clear()
        await rig.http("POST", ROOT, cron_tab("b", image="x" * FEW_BYTES))
        line = orjson.loads(await answer.content.readuntil(b"\n"))
        assert len(line["object"]["rows"][0]["cells"]) == 1 + count
        assert bool(beside) == is_long
