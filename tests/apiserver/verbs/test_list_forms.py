"""Lists in forms that are made: piece by piece, and the same bytes as made at once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import yaml

from tests.apiserver.rig import Rig, config_map, running
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.protobuf import decode
from wherry.apiserver import list_forms
from wherry.kit.clock import FakeClock

PATH = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
BARE = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
ODD = 'line\nbreak: {x} - "quoted" \\ ü # no comment'


@pytest.fixture(params=[0, 3])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    async with running(FakeClock()) as found:  # so that no age changes between two lists
        for number in range(request.param):
            made = config_map(f"c{number}")
            await found.admin.create(CONFIG_MAPS, {**made, "data": {"text": ODD, "number": f"{number}"}})
        yield found


@pytest.fixture(params=["one by one", "together", "beside"])
def pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every item is a piece of its own, or all are one, or each is so large that a thread makes it."""
    monkeypatch.setattr(list_forms, "PORTION_S", 0.0 if request.param == "one by one" else 60.0)
    if request.param == "beside":
        monkeypatch.setattr(list_forms, "LARGE", 1)


async def text_of(rig: Rig, accept: str, query: str = "", agent: str = "") -> tuple[str, Any]:
    headers = {"Accept": accept, **({"User-Agent": agent} if agent else {})}
    url, sent = f"{rig.server.url}{PATH}{query}", {"Authorization": "Bearer admin-token", **headers}
    async with rig.session.get(url, headers=sent) as answer:
        assert answer.status == 200
        return answer.content_type, await answer.read()


@pytest.mark.usefixtures("pieces")
async def test_yaml_is_what_dumping_the_whole_list_gives(rig: Rig) -> None:
    kind, body = await text_of(rig, "application/yaml")
    assert kind == "application/yaml"
    _, plain = await text_of(rig, "application/json")
    assert body.decode() == yaml.dump(json.loads(plain), Dumper=yaml.CSafeDumper, sort_keys=False)


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("accept", ["application/json", TABLE, BARE])
async def test_for_human_eyes_it_is_what_indenting_the_whole_list_gives(rig: Rig, accept: str) -> None:
    _, plain = await text_of(rig, accept)
    wanted = orjson.dumps(json.loads(plain), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    assert (await text_of(rig, accept, "?pretty=true"))[1] == wanted
    assert (await text_of(rig, accept, agent="curl/8.0"))[1] == wanted


@pytest.mark.usefixtures("pieces")
async def test_tables_and_bare_metadata(rig: Rig) -> None:
    _, plain = await text_of(rig, "application/json")
    items = json.loads(plain)["items"]
    table = json.loads((await text_of(rig, TABLE, "?includeObject=Object"))[1])
    assert [row["object"] for row in table["rows"]] == items
    assert [row["cells"][0] for row in table["rows"]] == [item["metadata"]["name"] for item in items]
    assert table["columnDefinitions"][0]["name"] == "Name"
    bare = json.loads((await text_of(rig, BARE))[1])
    assert bare["kind"] == "PartialObjectMetadataList"
    assert [item["metadata"] for item in bare["items"]] == [item["metadata"] for item in items]
    assert table["metadata"] == bare["metadata"] == json.loads(plain)["metadata"]


@pytest.mark.usefixtures("pieces")
async def test_bare_metadata_in_protobuf(rig: Rig) -> None:
    accept = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    _, body = await text_of(rig, accept)
    found = decode(body)
    bare = json.loads((await text_of(rig, BARE))[1])
    assert [i["metadata"]["name"] for i in found.get("items") or ()] == [
        i["metadata"]["name"] for i in bare["items"]
    ]
