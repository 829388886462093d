"""Several versions with a conversion webhook: every version shows every object."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from tests.apiserver.backing import backing, ca_bundle, publish
from tests.apiserver.customresources.established import define
from tests.apiserver.customresources.samples import ROOT, cron_tab, definition, version
from tests.apiserver.rig import Rig
from wherry.objects.meta import Object

V2 = ROOT.replace("/v1/", "/v2/")


def open_schema() -> Object:
    """A schema that takes anything in spec."""
    spec = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}


def two_versions() -> Object:
    """v1 has spec.cronSpec, v2 calls it spec.schedule; v1 is stored."""
    plain: Any = {"schema": open_schema(), "subresources": {}, "selectableFields": []}
    webhook = {
        "conversionReviewVersions": ["v1"],
        "clientConfig": {
            "service": {"namespace": "default", "name": "backing", "path": "/convert"},
            "caBundle": ca_bundle(),
        },
    }
    return definition(
        version("v1", **plain),
        version("v2", storage=False, **plain),
        conversion={"strategy": "Webhook", "webhook": webhook},
    )


async def convert(request: web.Request) -> web.Response:
    """The webhook."""
    review = await request.json()
    wanted = review["request"]["desiredAPIVersion"]
    made = []
    for obj in review["request"]["objects"]:
        spec = dict(obj["spec"])
        before, after = ("cronSpec", "schedule") if wanted.endswith("v2") else ("schedule", "cronSpec")
        if before in spec:
            spec[after] = spec.pop(before)
        made.append({**obj, "apiVersion": wanted, "spec": spec})
    response = {"uid": review["request"]["uid"], "result": {"status": "Success"}, "convertedObjects": made}
    return web.json_response({**review, "response": response})


async def test_each_version_shows_what_the_other_wrote(rig: Rig) -> None:
    async with backing(convert) as port:
        await publish(rig, port)
        await define(rig, two_versions())
        await rig.http("POST", ROOT, cron_tab("a"))
        _, body, _ = await rig.http("GET", f"{V2}/a")
        assert (body["apiVersion"], body["spec"]) == ("stable.example.com/v2", {"schedule": "* * * * */5"})
        body["spec"]["schedule"] = "1 1 1 1 1"
        status, body, _ = await rig.http("PUT", f"{V2}/a", body)
        assert status == 200, body
        _, body, _ = await rig.http("GET", f"{ROOT}/a")
        assert body["spec"] == {"cronSpec": "1 1 1 1 1"}
        _, body, _ = await rig.http("GET", V2)
        assert [item["spec"]["schedule"] for item in body["items"]] == ["1 1 1 1 1"]
        entry = await rig.store.get("/registry/stable.example.com/crontabs/default/a")
        assert entry is not None
        assert json.loads(entry.value)["spec"] == {"cronSpec": "1 1 1 1 1"}


async def test_watches_show_converted_objects_in_order(rig: Rig) -> None:
    async with backing(convert) as port:
        await publish(rig, port)
        await define(rig, two_versions())
        headers = {"Authorization": "Bearer admin-token"}
        async with rig.session.get(f"{rig.server.url}{V2}?watch=true", headers=headers) as watch:
            for number in range(5):
                await rig.http("POST", ROOT, cron_tab(f"c{number}"))
            seen = [json.loads(await watch.content.readline()) for _ in range(5)]
        assert [event["object"]["metadata"]["name"] for event in seen] == [
            f"c{number}" for number in range(5)
        ]
        assert all("schedule" in event["object"]["spec"] for event in seen)


async def test_a_failing_webhook_is_told(rig: Rig) -> None:
    await define(rig, two_versions())
    await rig.http("POST", ROOT, cron_tab("a"))
    status, body, _ = await rig.http("GET", f"{V2}/a")
    assert status >= 500
    assert "backing" in body["message"]
    status, _, _ = await rig.http("GET", f"{ROOT}/a")
    assert status == 200


async def test_a_deletion_that_was_overtaken_waits_for_what_overtook_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with backing(convert) as port:
        await publish(rig, port)
        await define(rig, two_versions())
        await rig.http("POST", ROOT, cron_tab("a"))
        await rig.http("GET", f"{V2}/a")
        delete = rig.store.delete

        async def late(key: str, *, expected: int) -> Any:
            monkeypatch.setattr(rig.store, "delete", delete)
            entry = await rig.store.get(key)
            assert entry is not None
            await rig.store.update(key, entry.value, expected=entry.revision)
            return await delete(key, expected=expected)

        monkeypatch.setattr(rig.store, "delete", late)
        status, answer, _ = await rig.http("DELETE", f"{V2}/a")
        assert status == 200, answer


@pytest.mark.parametrize(
    "response",
    [
        "no",
        {"result": "Success"},
        {"result": {"status": "Success"}, "convertedObjects": ["x"]},
        {"result": {"status": "Success"}, "convertedObjects": "x"},
        {"result": {"status": "Success"}, "convertedObjects": [
            {"apiVersion": "stable.example.com/v2", "kind": "CronTab", "metadata": "x"}]},
    ],
)  # fmt: skip
async def test_a_webhook_that_makes_no_sense_is_told(rig: Rig, response: Any) -> None:
    async def answer(request: web.Request) -> web.Response:
        review = await request.json()
        shown = {**response, "uid": review["request"]["uid"]} if isinstance(response, dict) else response
        return web.json_response({**review, "response": shown})

    async with backing(answer) as port:
        await publish(rig, port)
        await define(rig, two_versions())
        await rig.http("POST", ROOT, cron_tab("a"))
        status, body, _ = await rig.http("GET", f"{V2}/a")
        assert status == 500
        assert body["message"].startswith("conversion webhook for stable.example.com/v1, Kind=CronTab failed")


def deep(levels: int) -> Object:
    made: Object = {}
    for _ in range(levels):
        made = {"a": made}
    return made


async def test_what_a_webhook_nests_too_deep_is_refused(rig: Rig) -> None:
    async def answer(request: web.Request) -> web.Response:
        review = await request.json()
        wanted = review["request"]["desiredAPIVersion"]
        made = [{**obj, "apiVersion": wanted, "spec": deep(300)} for obj in review["request"]["objects"]]
        response = {"uid": review["request"]["uid"], "result": {"status": "Success"}}
        return web.json_response({**review, "response": {**response, "convertedObjects": made}})

    async with backing(answer) as port:
        await publish(rig, port)
        await define(rig, two_versions())
        await rig.http("POST", ROOT, cron_tab("a"))
        status, body, _ = await rig.http("GET", f"{V2}/a")
        assert (status, body["message"].endswith("exceeded max depth of 200")) == (500, True)
