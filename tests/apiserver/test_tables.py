from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from wherry.api.resource import Column, Resource, Strategy
from wherry.apiserver.media_types import PROTOBUF, parse_accept
from wherry.apiserver.tables import (
    AS_IS,
    EventForm,
    Form,
    negotiate,
    transform_list,
    transform_object,
)
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, name_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KUBECTL = (
    "application/json;as=Table;v=v1;g=meta.k8s.io,"
    "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
)
TABLE = Form("Table")


class Named(Strategy):
    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return [name_of(obj), now.year]


THINGS = Resource(
    group="",
    version="v1",
    kind="Thing",
    plural="things",
    namespaced=True,
    strategy=Named(),
    columns=(Column("Name", format="name", description="d"), Column("Year", "integer", priority=1)),
)
THING: Object = {
    "kind": "Thing",
    "apiVersion": "v1",
    "metadata": {"name": "a", "resourceVersion": "7"},
    "spec": {"x": 1},
}
PARTIAL = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": THING["metadata"]}


def test_accept_headers_are_read_best_first() -> None:
    parsed = parse_accept('text/html;q=0.5, application/json;as=Table;v="v1", */*;q=0.1, x/y;q=0, a/b;q=z')
    assert [entry.name for entry in parsed] == ["application/json", "text/html", "*/*"]
    assert parsed[0].parameters == {"as": "Table", "v": "v1"}
    assert parse_accept("")[0].accepts("application/json")
    assert parse_accept("application/*")[0].accepts("application/yaml")
    assert not parse_accept("text/*")[0].accepts("application/yaml")


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", AS_IS),
        ("*/*", AS_IS),
        ("application/json", AS_IS),
        ("application/yaml", Form(media_type="application/yaml")),
        (KUBECTL, TABLE),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io", Form("Table", "v1beta1")),
        ("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", AS_IS),
        ("application/json;as=Table;v=v1;g=other,application/json", AS_IS),
        (
            (
                "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,"
                "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
            ),
            Form("PartialObjectMetadata", media_type=PROTOBUF),
        ),
        (f"{PROTOBUF};as=Table;g=meta.k8s.io;v=v1,application/json", AS_IS),
        (f"{PROTOBUF},application/json", AS_IS),
    ],
)
def test_negotiation(accept: str, form: Form) -> None:
    assert negotiate(accept) == form


def test_protobuf_is_offered_where_objects_have_it() -> None:
    assert negotiate(f"{PROTOBUF},application/json", has_protobuf=True) == Form(media_type=PROTOBUF)
    assert negotiate(f"{PROTOBUF};q=0.1,application/json", has_protobuf=True) == AS_IS
    with pytest.raises(ApiError):
        negotiate(PROTOBUF)


@pytest.mark.parametrize("accept", ["text/html", "application/json;as=Table;v=v9;g=meta.k8s.io"])
def test_nothing_acceptable(accept: str) -> None:
    with pytest.raises(ApiError) as raised:
        negotiate(accept)
    assert raised.value.code == 406


def test_tables_of_lists() -> None:
    table = transform_list(THINGS, [THING], {"resourceVersion": "9", "continue": "c"}, TABLE, {}, NOW)
    assert table == {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": "9", "continue": "c"},
        "columnDefinitions": [
            {"name": "Name", "type": "string", "format": "name", "description": "d", "priority": 0},
            {"name": "Year", "type": "integer", "format": "", "description": "", "priority": 1},
        ],
        "rows": [{"cells": ["a", 2026], "object": PARTIAL}],
    }


@pytest.mark.parametrize(
    ("policy", "row"),
    [
        ("None", {"cells": ["a", 2026]}),
        ("Metadata", {"cells": ["a", 2026], "object": PARTIAL}),
        ("", {"cells": ["a", 2026], "object": PARTIAL}),
        ("Object", {"cells": ["a", 2026], "object": THING}),
    ],
)
def test_rows_hold_as_much_as_wanted(policy: str, row: dict[str, Any]) -> None:
    table = transform_object(THINGS, THING, TABLE, {"includeObject": policy}, NOW)
    assert table["rows"] == [row]
    assert table["metadata"] == {"resourceVersion": "7"}


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(ApiError) as raised:
        transform_object(THINGS, THING, TABLE, {"includeObject": "Half"}, NOW)
    assert (raised.value.code, raised.value.message) == (400, 'unrecognized includeObject value: "Half"')


def test_bare_metadata() -> None:
    form = Form("PartialObjectMetadata", "v1")
    assert transform_object(THINGS, THING, form, {}, NOW) == PARTIAL
    listed = transform_list(
        THINGS, [THING], {"resourceVersion": "9"}, Form("PartialObjectMetadataList"), {}, NOW
    )
    assert listed == {
        "kind": "PartialObjectMetadataList",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": "9"},
        "items": [PARTIAL],
    }
    assert transform_object(THINGS, THING, AS_IS, {}, NOW) is THING
    with pytest.raises(ApiError):
        transform_object(THINGS, THING, Form("PartialObjectMetadataList"), {}, NOW)


def test_watches_say_once_what_the_columns_are() -> None:
    events = EventForm(THINGS, TABLE, {"includeObject": "None"})
    first = events.transform("ADDED", THING, NOW)
    second = events.transform("MODIFIED", THING, NOW)
    assert [column["name"] for column in first["columnDefinitions"]] == ["Name", "Year"]
    assert second["columnDefinitions"] is None
    assert second["rows"] == [{"cells": ["a", 2026]}]
    bookmark = events.transform("BOOKMARK", THING, NOW)
    assert (bookmark["rows"], bookmark["metadata"]) == ([], {"resourceVersion": "7"})
    status = {"kind": "Status"}
    assert events.transform("ERROR", status, NOW) is status
    assert EventForm(THINGS, Form("PartialObjectMetadata"), {}).transform("ADDED", THING, NOW) == PARTIAL
    assert EventForm(THINGS, AS_IS, {}).transform("ADDED", THING, NOW) is THING


def test_there_is_no_table_of_what_is_only_asked() -> None:
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    with pytest.raises(ApiError) as raised:
        negotiate(table, has_table=False)
    assert raised.value.code == 406
    assert negotiate(f"{table},application/json", has_table=False) == AS_IS
