"""The verbs on custom resources, where upstream differs from built-in kinds."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver.conformance.asking import (
    APPLY,
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_PATCH,
    failure,
    refusal,
    send_text,
    warnings_of,
)
from tests.apiserver.customresources.established import define
from tests.apiserver.customresources.samples import ROOT, cron_tab, definition, version
from tests.apiserver.rig import Rig

JSON = "application/json"
TWICE = """{"apiVersion": "stable.example.com/v1", "kind": "CronTab",
  "metadata": {"name": "a", "unknownMeta": 1},
  "spec": {"unknown1": "x", "unknownDupe": 1, "unknownDupe": 2,
    "cronSpec": "* * * * *", "cronSpec": "* * * * *",
    "ports": [{"name": "a", "unknownNested": 1, "port": 1, "port": 2}]}}"""
COMPLAINTS = [
    'duplicate field "spec.unknownDupe"',
    'duplicate field "spec.cronSpec"',
    'duplicate field "spec.ports[0].port"',
    'unknown field "metadata.unknownMeta"',
    'unknown field "spec.ports[0].unknownNested"',
    'unknown field "spec.unknown1"',
    'unknown field "spec.unknownDupe"',
]


@pytest.fixture
async def crons(rig: Rig) -> Rig:
    """A server that serves CronTabs."""
    await define(rig, definition())
    return rig


async def test_strict_bodies(crons: Rig) -> None:
    _, answer, _ = await send_text(crons, "POST", f"{ROOT}?fieldValidation=Strict", TWICE, JSON)
    assert failure(answer)[:2] == (400, "BadRequest")
    assert answer["message"].endswith(f"strict decoding error: {', '.join(COMPLAINTS)}")
    status, _, warned = await send_text(crons, "POST", f"{ROOT}?dryRun=All", TWICE, JSON)
    assert (status, warned) == (201, COMPLAINTS)


async def test_patches_taken(crons: Rig) -> None:
    await crons.http("POST", ROOT, cron_tab())
    found = await refusal(crons, "PATCH", f"{ROOT}/a", {}, content_type=STRATEGIC_PATCH)
    assert found == (
        415,
        "UnsupportedMediaType",
        (
            "the body of the request was in an unknown format - accepted media types include: "
            f"{JSON_PATCH}, {MERGE_PATCH}, {APPLY}"
        ),
    )


async def test_applied_unknown_fields(crons: Rig) -> None:
    body = cron_tab(ports=[{"name": "web", "none": 1}])
    found = await refusal(crons, "PATCH", f"{ROOT}/a?fieldManager=m", body, content_type=APPLY)
    assert found == (
        500,
        "",
        (
            "failed to create typed patch object (default/a; stable.example.com/v1, Kind=CronTab): "
            '.spec.ports[name="web"].none: field not declared in schema'
        ),
    )


async def test_bare_finalizers_are_advised_against(crons: Rig) -> None:
    body = cron_tab()
    body["metadata"]["finalizers"] = ["cleanup.example.com"]
    status, _, headers = await crons.http("POST", ROOT, body)
    assert status == 201
    advice = (
        'metadata.finalizers: "cleanup.example.com": prefer a domain-qualified finalizer name '
        "including a path "
        "(/) to avoid accidental conflicts with other finalizer writers"
    )
    assert warnings_of(headers) == [advice]
    _, _, headers = await crons.http("PUT", f"{ROOT}/a", {**body, "metadata": {**body["metadata"]}})
    assert "Warning" not in headers or warnings_of(headers) != [advice]


async def test_an_update_names_its_version(crons: Rig) -> None:
    await crons.http("POST", ROOT, cron_tab())
    assert await refusal(crons, "PUT", f"{ROOT}/a", cron_tab(image="x")) == (
        422,
        "Invalid",
        (
            'crontabs.stable.example.com "a" is invalid: metadata.resourceVersion: Invalid value: 0: '
            "must be specified for an update"
        ),
    )


async def test_status_without_a_subresource_is_a_field_like_any_other(rig: Rig) -> None:
    await define(rig, definition(version(subresources={})))
    body = {**cron_tab(), "status": {"phase": "Old"}}
    _, answer, _ = await rig.http("PATCH", f"{ROOT}/a?fieldManager=m", body, headers={"Content-Type": APPLY})
    assert answer["status"] == {"phase": "Old"}
    (entry,) = answer["metadata"]["managedFields"]
    assert entry["fieldsV1"]["f:status"] == {"f:phase": {}}
    assert answer["metadata"]["generation"] == 1
    assert (await rig.http("GET", f"{ROOT}/a/status"))[0] == 404


async def test_scales(crons: Rig) -> None:
    await crons.http("POST", ROOT, cron_tab(replicas=2))
    _, scale, _ = await crons.http("GET", f"{ROOT}/a/scale")
    assert (scale["kind"], scale["spec"]["replicas"]) == ("Scale", 2)
    scale["spec"]["replicas"] = 3
    status, answer, _ = await crons.http("PUT", f"{ROOT}/a/scale", scale)
    assert (status, answer["spec"]["replicas"]) == (200, 3)


async def test_fields_that_can_be_selected(crons: Rig) -> None:
    await crons.http("POST", ROOT, cron_tab("a", color="red"))
    await crons.http("POST", ROOT, cron_tab("b", color="blue"))
    _, found, _ = await crons.http("GET", f"{ROOT}?fieldSelector=spec.color%3Dred")
    assert [item["metadata"]["name"] for item in found["items"]] == ["a"]
    assert await refusal(crons, "GET", f"{ROOT}?fieldSelector=spec.image%3Dx") == (
        400,
        "BadRequest",
        "field label not supported: spec.image",
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            {"replicas": 11},
            "spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10",
        ),
        ({"color": "green"}, 'spec.color: Unsupported value: "green": supported values: "red", "blue"'),
        (
            {"replicas": "x"},
            'spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"',
        ),
    ],
)
async def test_values_that_do_not_fit(crons: Rig, change: Any, complaint: str) -> None:
    code, reason, message = await refusal(crons, "POST", ROOT, cron_tab(**change))
    assert (code, reason) == (422, "Invalid")
    assert message == f'CronTab.stable.example.com "a" is invalid: {complaint}'
