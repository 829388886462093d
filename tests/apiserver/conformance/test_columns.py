"""The columns of every kind, against a written-down table of upstream's: names, types, priorities.

In the table `*` marks columns of `-o wide`, `#` integers, `?` booleans, `@` dates; all others are strings.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apiserver.conformance.asking import MAPS, PODS
from tests.apiserver.rig import Rig, account, config_map, pod
from wherry.api.catalog import BUILTIN
from wherry.api.resource import Resource

TYPES = {"#": "integer", "?": "boolean", "@": "date"}
TABLE = {
    plural: columns
    for plural, _, columns in (
        line.partition(": ") for line in (Path(__file__).parent / "columns.txt").read_text().splitlines()
    )
}
WITHOUT_TABLES = frozenset(
    {
        "bindings",
        "localsubjectaccessreviews.authorization.k8s.io",
        "selfsubjectaccessreviews.authorization.k8s.io",
        "selfsubjectreviews.authentication.k8s.io",
        "selfsubjectrulesreviews.authorization.k8s.io",
        "subjectaccessreviews.authorization.k8s.io",
        "tokenreviews.authentication.k8s.io",
    }
)
"""Kinds that are only ever created and answered."""
AS_TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
AS_METADATA = {"Accept": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"}
AS_METADATA_LIST = {"Accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}


def full_name(resource: Resource) -> str:
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def shown(resource: Resource) -> str:
    """The resource's columns as the table writes them."""
    marks = {kind: mark for mark, kind in TYPES.items()}
    return " | ".join(
        f"{column.name}{'*' if column.priority else ''}{marks.get(column.type, '')}"
        for column in resource.columns
    )


STABLE = [r for r in BUILTIN if r.version in ("v1", "v2") and full_name(r) not in WITHOUT_TABLES]


def test_the_table_names_every_kind() -> None:
    assert {full_name(resource) for resource in STABLE} == TABLE.keys()


@pytest.mark.parametrize("resource", STABLE, ids=full_name)
def test_columns(resource: Resource) -> None:
    assert shown(resource) == TABLE[full_name(resource)]
    assert resource.columns[0].format == ("name" if resource.columns[0].name == "Name" else "")
    assert all(column.description for column in resource.columns)


@pytest.mark.parametrize("resource", [r for r in BUILTIN if r not in STABLE], ids=repr)
def test_older_versions_look_the_same(resource: Resource) -> None:
    modern = TABLE.get(full_name(resource))
    if modern is not None:
        assert shown(resource) == modern


async def test_a_table(rig: Rig) -> None:
    await rig.http("POST", "/api/v1/namespaces/default/serviceaccounts", account())
    await rig.http("POST", PODS, pod("a"))
    _, table, _ = await rig.http("GET", PODS, headers=AS_TABLE)
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert table["metadata"].keys() == {"resourceVersion"}
    assert table["columnDefinitions"][0] == {
        "name": "Name",
        "type": "string",
        "format": "name",
        "description": table["columnDefinitions"][0]["description"],
        "priority": 0,
    }
    (row,) = table["rows"]
    assert len(row["cells"]) == len(table["columnDefinitions"])
    assert row["cells"][:4] == ["a", "0/1", "Pending", "0"]
    assert row["object"]["kind"] == "PartialObjectMetadata"
    assert row["object"].keys() == {"kind", "apiVersion", "metadata"}


@pytest.mark.parametrize(
    ("policy", "kind"), [("None", None), ("Metadata", "PartialObjectMetadata"), ("Object", "ConfigMap")]
)
async def test_what_rows_include(rig: Rig, policy: str, kind: str | None) -> None:
    await rig.http("POST", MAPS, config_map("a"))
    _, table, _ = await rig.http("GET", f"{MAPS}?includeObject={policy}", headers=AS_TABLE)
    assert (table["rows"][0].get("object") or {}).get("kind") == kind


async def test_metadata_alone(rig: Rig) -> None:
    await rig.http("POST", MAPS, config_map("a", x="1"))
    for headers in (AS_METADATA, AS_METADATA_LIST):
        _, listed, _ = await rig.http("GET", MAPS, headers=headers)
        assert (listed["kind"], listed["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
        (item,) = listed["items"]
        assert item.keys() == {"kind", "apiVersion", "metadata"}
        assert item["metadata"]["name"] == "a"
    _, one, _ = await rig.http("GET", f"{MAPS}/a", headers=AS_METADATA)
    assert (one["kind"], one["metadata"]["name"]) == ("PartialObjectMetadata", "a")
    assert "data" not in one


async def test_watching_metadata(hurried_rig: Rig) -> None:
    rig = hurried_rig
    await rig.http("POST", MAPS, config_map("a", x="1"))
    headers = {"Authorization": "Bearer admin-token", **AS_METADATA}
    url = f"{rig.server.url}{MAPS}?watch=1&timeoutSeconds=1&allowWatchBookmarks=true"
    async with rig.session.get(url, headers=headers) as response:
        events = [line async for line in response.content]
    assert b'"type":"ADDED"' in events[0]
    assert b'"kind":"PartialObjectMetadata"' in events[0]
    assert b'"data"' not in events[0]
    assert b'"kind":"PartialObjectMetadata"' in events[-1]


async def test_errors_are_not_tables(rig: Rig) -> None:
    status, answer, _ = await rig.http("GET", f"{MAPS}/none", headers=AS_TABLE)
    assert (status, answer["kind"]) == (404, "Status")
