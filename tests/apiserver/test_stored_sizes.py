"""How large a stored object may be: the same for every way of writing it, and told as upstream tells it.

The limit is made small here, so that the objects can be, too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from copy import deepcopy
from typing import Any

import orjson
import pytest

from tests.apiserver.customresources.established import define
from tests.apiserver.customresources.samples import CRDS, ROOT, cron_tab, definition
from tests.apiserver.hostile.conftest import is_served
from tests.apiserver.rig import Rig, running
from wherry.objects.meta import Object
from wherry.objects.structural import defaults
from wherry.store import base, writes

MOST = 16 * 1024
REFUSED = {
    "kind": "Status",
    "apiVersion": "v1",
    "metadata": {},
    "status": "Failure",
    "message": "etcdserver: request is too large",
    "code": 500,
}
TAB = f"{ROOT}/my-tab"
CRD = f"{CRDS}/crontabs.stable.example.com"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
JSON, STRATEGIC = "application/json-patch+json", "application/strategic-merge-patch+json"
TEXT = "x" * MOST


@pytest.fixture
async def rig(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    async with running() as made:
        await define(made, definition())
        assert (await made.http("POST", ROOT, named("my-tab")))[0] == 201
        monkeypatch.setattr(writes, "MOST_VALUE_BYTES", MOST)
        yield made


def named(name: str, **free: Any) -> Object:
    tab = cron_tab(free=free)
    tab["metadata"]["name"] = name
    return tab


async def patch(rig: Rig, path: str, body: Any, kind: str) -> tuple[int, Any]:
    status, answer, _ = await rig.http("PATCH", path, orjson.dumps(body), headers={"Content-Type": kind})
    return status, answer


async def test_every_way_of_writing_is_refused_as_etcd_refuses(rig: Rig) -> None:
    stored = (await rig.http("GET", TAB))[1]
    larger = deepcopy(stored)
    larger["spec"]["free"] = {"a": TEXT}
    applied = {**named("my-tab", a=TEXT), "metadata": {"name": "my-tab"}}
    answers = [
        (await rig.http("POST", ROOT, named("new", a=TEXT)))[:2],
        (await rig.http("PUT", TAB, larger))[:2],
        (await rig.http("PUT", f"{TAB}/status", {**stored, "status": {"phase": TEXT}}))[:2],
        await patch(rig, TAB, {"spec": {"free": {"a": TEXT}}}, MERGE),
        await patch(rig, TAB, [{"op": "add", "path": "/spec/free", "value": {"a": TEXT}}], JSON),
        await patch(rig, f"{TAB}?fieldManager=a&force=true", applied, APPLY),
        await patch(rig, f"{ROOT}/new?fieldManager=a", named("new", a=TEXT), APPLY),
    ]
    assert answers == [(500, REFUSED)] * len(answers)
    assert (await rig.http("GET", TAB))[1] == stored
    assert (await rig.http("GET", f"{ROOT}/new"))[0] == 404
    assert rig.server.core.store_problem == "", "the store is well"


async def test_patches_that_add_to_each_other_come_to_an_end(rig: Rig) -> None:
    labels = {"a": "b"}
    container: Object = {"name": "c", "image": "i"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    made = {
        "metadata": {"name": "d"},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
    }
    assert (await rig.http("POST", DEPLOYMENTS, made))[0] == 201
    statuses = []
    for number in range(6):
        container["env"] = [{"name": f"E{number}", "value": "v" * (MOST // 4)}]
        change = {"spec": {"template": {"spec": {"containers": [container]}}}}
        statuses.append((await patch(rig, f"{DEPLOYMENTS}/d", change, STRATEGIC))[0])
    assert statuses == [200, 200, 200, 500, 500, 500]


async def test_what_managed_fields_make_too_large_is_stored_without_them(rig: Rig) -> None:
    many = {f"field-{number}": 1 for number in range(MOST // 25)}
    status, body, _ = await rig.http("POST", ROOT, named("many", **many))
    assert status == 201
    assert "managedFields" not in body["metadata"]
    status, body = await patch(rig, TAB, {"spec": {"free": many}}, MERGE)
    assert status == 200
    assert "managedFields" not in body["metadata"]
    # An apply is about who has what: it is not done without saying so.
    assert await patch(rig, f"{ROOT}/new?fieldManager=a", named("new", **many), APPLY) == (500, REFUSED)


async def test_what_is_too_large_already_can_be_read_shrunk_and_deleted(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(writes, "MOST_VALUE_BYTES", base.MOST_VALUE_BYTES)
        held = named("large", a=TEXT, b=TEXT)
        held["metadata"]["finalizers"] = ["example.com/hold"]
        assert (await rig.http("POST", ROOT, held))[0] == 201
    large = f"{ROOT}/large"
    assert (await rig.http("GET", large))[1]["spec"]["free"]["b"] == TEXT
    assert (await patch(rig, large, {"spec": {"free": {"c": "x" * 1000}}}, MERGE))[0] == 500
    assert (await patch(rig, large, {"spec": {"free": {"b": None}}}, MERGE))[0] == 200, "still too large"
    status, body, _ = await rig.http("DELETE", large)
    assert status == 200
    assert body["metadata"]["deletionTimestamp"]
    # What is being deleted grows no more than anything else.
    assert (await patch(rig, large, {"spec": {"free": {"c": "x" * 1000}}}, MERGE))[0] == 500
    assert (await patch(rig, large, {"metadata": {"finalizers": None}}, MERGE))[0] == 200
    assert (await rig.http("GET", large))[0] == 404


def with_bomb(crd: Object) -> Object:
    """The definition whose ports have a hundred defaults each."""
    crd = deepcopy(crd)
    items = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"][
        "ports"
    ]
    fields = {f"p{number}": {"type": "string", "default": "x" * 100} for number in range(100)}
    items["items"]["properties"].update(fields)
    return crd


async def test_defaults_are_counted_while_they_are_filled_in(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(defaults, "MOST_ADDED_BYTES", MOST)
    crd = (await rig.http("GET", CRD))[1]
    ports = [{"name": f"n{number}"} for number in range(100)]
    before = named("before")
    before["spec"]["ports"] = ports
    assert (await rig.http("POST", ROOT, before))[0] == 201
    monkeypatch.setattr(writes, "MOST_VALUE_BYTES", base.MOST_VALUE_BYTES)
    assert (await rig.http("PUT", CRD, with_bomb(crd)))[0] == 200
    monkeypatch.setattr(writes, "MOST_VALUE_BYTES", MOST)
    after = named("after")
    after["spec"]["ports"] = [*ports, {"name": "last"}]
    status, answer, _ = await rig.http("POST", ROOT, after)
    while status == 201:  # the new schema is not served yet
        assert (await rig.http("DELETE", f"{ROOT}/after"))[0] == 200
        status, answer, _ = await rig.http("POST", ROOT, after)
    assert (status, answer) == (500, REFUSED)
    # What was stored before is there as far as it can be, and can be made smaller.
    await is_served(rig, f"{ROOT}/before")
    found = (await rig.http("GET", f"{ROOT}/before"))[1]
    assert len(found["spec"]["ports"]) == 100
    assert len(orjson.dumps(found)) < 2 * MOST
    assert (await patch(rig, f"{ROOT}/before", {"spec": {"ports": ports[:1]}}, MERGE))[0] == 200
    found = (await rig.http("GET", f"{ROOT}/before"))[1]
    assert len(found["spec"]["ports"][0]) == 102, "all its defaults fit now"
