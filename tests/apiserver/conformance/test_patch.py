"""PATCH: the kinds of patches, and what upstream answers to wrong ones."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver.conformance.asking import (
    APPLY,
    DEPLOYMENTS,
    JSON_PATCH,
    MAPS,
    MERGE_PATCH,
    STRATEGIC_PATCH,
    deployment,
    refusal,
)
from tests.apiserver.rig import Rig, config_map

TAKEN = (
    "the body of the request was in an unknown format - accepted media types include: "
    "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, "
    "application/apply-patch+yaml"
)
REJECTED = "the server rejected our request due to an error in our request"


@pytest.fixture
async def stored(rig: Rig) -> Any:
    """A ConfigMap as stored."""
    return (await rig.http("POST", MAPS, config_map("a", x="1")))[1]


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/yaml"])
@pytest.mark.parametrize("name", ["a", "none"])
async def test_media_types(rig: Rig, stored: Any, content_type: str, name: str) -> None:
    found = await refusal(rig, "PATCH", f"{MAPS}/{name}", "{}", content_type=content_type)
    assert found == (415, "UnsupportedMediaType", TAKEN)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (JSON_PATCH, '[{"op": "test", "path": "/data/x", "value": "2"}]'),
        (JSON_PATCH, '[{"op": "remove", "path": "/data/y"}]'),
        (JSON_PATCH, '[{"op": "replace", "path": "/data/y", "value": "2"}]'),
        (JSON_PATCH, '[{"op": "add", "path": "/none/y", "value": "2"}]'),
        (JSON_PATCH, '[{"op": "dance", "path": "/data/x"}]'),
    ],
)
async def test_patches_that_do_not_apply(rig: Rig, stored: Any, content_type: str, body: str) -> None:
    found = await refusal(rig, "PATCH", f"{MAPS}/a", body, content_type=content_type)
    assert found == (422, "Invalid", REJECTED)


@pytest.mark.parametrize("content_type", [JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH])
async def test_unreadable_patches(rig: Rig, stored: Any, content_type: str) -> None:
    code, reason, _ = await refusal(rig, "PATCH", f"{MAPS}/a", "{", content_type=content_type)
    assert (code, reason) == (400, "BadRequest")


@pytest.mark.parametrize("content_type", [JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH])
async def test_a_patch_creates_nothing(rig: Rig, content_type: str) -> None:
    body = "[]" if content_type == JSON_PATCH else "{}"
    found = await refusal(rig, "PATCH", f"{MAPS}/a", body, content_type=content_type)
    assert found == (404, "NotFound", 'configmaps "a" not found')


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"metadata": {"name": "b"}},
            (400, "BadRequest", "the name of the object (b) does not match the name on the URL (a)"),
        ),
        (
            {"metadata": {"namespace": "other"}},
            (
                400,
                "BadRequest",
                "the namespace of the provided object does not match the namespace sent on the request",
            ),
        ),
        (
            {"metadata": {"resourceVersion": "1"}},
            (
                409,
                "Conflict",
                (
                    'Operation cannot be fulfilled on configmaps "a": the object has been '
                    "modified; please apply "
                    "your changes to the latest version and try again"
                ),
            ),
        ),
    ],
)
async def test_patches_of_the_identity(
    rig: Rig, stored: Any, body: Any, expected: tuple[int, str, str]
) -> None:
    assert await refusal(rig, "PATCH", f"{MAPS}/a", body, content_type=MERGE_PATCH) == expected


async def test_another_incarnation(rig: Rig, stored: Any) -> None:
    body = {"metadata": {"uid": "other"}}
    code, reason, message = await refusal(rig, "PATCH", f"{MAPS}/a", body, content_type=MERGE_PATCH)
    assert (code, reason) == (409, "Conflict")
    assert "Precondition failed: UID in precondition: other, UID in object meta: " in message


async def test_invalid_results_name_the_field(rig: Rig) -> None:
    await rig.http("POST", DEPLOYMENTS, deployment())
    body = {"spec": {"replicas": -1}}
    found = await refusal(rig, "PATCH", f"{DEPLOYMENTS}/web", body, content_type=STRATEGIC_PATCH)
    assert found == (
        422,
        "Invalid",
        (
            'Deployment.apps "web" is invalid: spec.replicas: Invalid value: -1: must be greater '
            "than or equal to 0"
        ),
    )


async def test_immutable_fields(rig: Rig) -> None:
    await rig.http("POST", DEPLOYMENTS, deployment())
    labels = {"app": "other"}
    body = {
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}},
    }
    code, _, message = await refusal(rig, "PATCH", f"{DEPLOYMENTS}/web", body, content_type=MERGE_PATCH)
    assert code == 422
    assert message == (
        'Deployment.apps "web" is invalid: spec.selector: Invalid value: {"matchLabels":{"app":"other"}}: '
        "field is immutable"
    )


async def test_a_patch_without_change_keeps_the_version(rig: Rig, stored: Any) -> None:
    for content_type, body in ((MERGE_PATCH, {}), (STRATEGIC_PATCH, {}), (JSON_PATCH, [])):
        status, answer, _ = await rig.http("PATCH", f"{MAPS}/a", body, headers={"Content-Type": content_type})
        assert (status, answer) == (200, stored)


async def test_too_many_operations(rig: Rig, stored: Any) -> None:
    body = [{"op": "test", "path": "/data/x", "value": "1"}] * 10001
    found = await refusal(rig, "PATCH", f"{MAPS}/a", body, content_type=JSON_PATCH)
    assert found == (
        413,
        "RequestEntityTooLarge",
        "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001",
    )


async def test_charsets_do_not_matter(rig: Rig, stored: Any) -> None:
    headers = {"Content-Type": f"{MERGE_PATCH}; charset=utf-8"}
    status, answer, _ = await rig.http("PATCH", f"{MAPS}/a", '{"data": {"x": "ä"}}'.encode(), headers=headers)
    assert (status, answer["data"]) == (200, {"x": "ä"})


async def test_deleting_by_strategic_patch(rig: Rig) -> None:
    await rig.http("POST", DEPLOYMENTS, deployment())
    body = {
        "spec": {
            "template": {
                "spec": {
                    "containers": [{"name": "side", "image": "s"}, {"name": "nginx", "$patch": "delete"}]
                }
            }
        }
    }
    _, answer, _ = await rig.http(
        "PATCH", f"{DEPLOYMENTS}/web", body, headers={"Content-Type": STRATEGIC_PATCH}
    )
    assert [c["name"] for c in answer["spec"]["template"]["spec"]["containers"]] == ["side"]


async def test_apply_of_another_version(rig: Rig) -> None:
    body = {"apiVersion": "v2", "kind": "ConfigMap", "metadata": {"name": "a"}}
    found = await refusal(rig, "PATCH", f"{MAPS}/a?fieldManager=m", body, content_type=APPLY)
    assert found == (
        400,
        "BadRequest",
        "Incorrect version specified in apply patch. Specified patch version: v2, expected: v1",
    )


async def test_apply_of_a_uid_that_is_not_there(rig: Rig) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "uid": "u"}}
    found = await refusal(rig, "PATCH", f"{MAPS}/a?fieldManager=m", body, content_type=APPLY)
    assert found == (
        409,
        "Conflict",
        (
            'Operation cannot be fulfilled on configmaps "a": uid mismatch: the provided '
            "object specified uid u, "
            "and no existing object was found"
        ),
    )
