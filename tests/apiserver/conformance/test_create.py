"""POST: what a new object's body may say, and what upstream answers when it may not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver.conformance.asking import MAPS, failure, refusal, warnings_of
from tests.apiserver.rig import Rig, account, config_map, pod
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.objects.errors import ApiError


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "",
            (
                "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; "
                "json parse error: unexpected end of JSON input (<empty>)"
            ),
        ),
        (
            '{"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name"',
            (
                "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; "
                "json parse error: unexpected end of JSON input "
                '({"kind": "ConfigMap", "apiVers ...)'
            ),
        ),
        (
            "hello",
            (
                "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; "
                "json parse error: invalid character 'h' looking for beginning of value (68656c6c6f)"
            ),
        ),
        (
            "[]",
            (
                "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; "
                "json parse error: json: cannot unmarshal array into Go value of type "
                'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; '
                'Kind string "json:\\"kind,omitempty\\"" } (5b5d)'
            ),
        ),
    ],
)
async def test_unreadable_bodies(rig: Rig, body: str, expected: str) -> None:
    found = await refusal(rig, "POST", MAPS, body, content_type="application/json")
    assert found == (400, "BadRequest", expected)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a"}},
            (
                'Secret in version "v1" cannot be handled as a ConfigMap: '
                "converting (v1.Secret) to (core.ConfigMap): unknown conversion"
            ),
        ),
        (
            {"kind": "ConfigMap", "apiVersion": "v7", "metadata": {"name": "a"}},
            (
                'ConfigMap in version "v7" cannot be handled as a ConfigMap: no kind "ConfigMap" is '
                "registered "
                'for version "v7" in scheme "pkg/api/legacyscheme/scheme.go:30"'
            ),
        ),
        (
            {**config_map("a"), "data": {"x": 1}},
            (
                'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal '
                "number into "
                "Go struct field ConfigMap.data of type string"
            ),
        ),
        (
            config_map("a", namespace="other"),
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
    ],
)
async def test_bodies_of_something_else(rig: Rig, body: Any, expected: str) -> None:
    assert await refusal(rig, "POST", MAPS, body) == (400, "BadRequest", expected)


async def test_a_version_that_is_known_but_not_this_one(rig: Rig) -> None:
    path = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"
    body = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "a"},
        "spec": {
            "maxReplicas": 2,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"},
        },
    }
    assert await refusal(rig, "POST", path, body) == (
        400,
        "BadRequest",
        (
            "the API version in the data (autoscaling/v2) does not match the expected "
            "API version (autoscaling/v1)"
        ),
    )


async def test_kind_and_version_may_be_left_out(rig: Rig) -> None:
    status, answer, _ = await rig.http("POST", MAPS, {"metadata": {"name": "a"}})
    assert (status, answer["kind"], answer["apiVersion"]) == (201, "ConfigMap", "v1")


async def test_a_name_is_required(rig: Rig) -> None:
    status, answer, _ = await rig.http("POST", MAPS, {"metadata": {}})
    assert failure(answer) == (
        422,
        "Invalid",
        'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
    )
    assert status == 422
    assert answer["details"]["causes"][0]["reason"] == "FieldValueRequired"


async def test_a_version_may_not_be_set(rig: Rig) -> None:
    body = {"metadata": {"name": "a", "resourceVersion": "05"}}
    assert await refusal(rig, "POST", MAPS, body) == (
        500,
        "",
        "resourceVersion should not be set on objects to be created",
    )


NO_VERSIONS = ("0", "", "000", "x", "-5", "+5", "5 ", "1_0", "5.0", "9" * 40, "18446744073709551616")


async def test_what_says_no_version_may_be_set(rig: Rig) -> None:
    """Upstream reads an unsigned number of 64 bits there; 0 and what is none are as good as nothing."""
    for number, revision in enumerate(NO_VERSIONS):
        body = {"metadata": {"name": f"a{number}", "resourceVersion": revision}}
        status, answer, _ = await rig.http("POST", MAPS, body)
        assert status == 201, revision
        assert answer["metadata"]["resourceVersion"].isdigit()
        assert answer["metadata"]["resourceVersion"] != revision


async def test_a_config_map_too_large(rig: Rig) -> None:
    with pytest.raises(ApiError) as refused:
        await rig.admin.create(CONFIG_MAPS, config_map("a", k="x" * 1048577))
    text = 'ConfigMap "a" is invalid: []: Too long: may not be more than 1048576 bytes'
    assert (refused.value.code, refused.value.message) == (422, text)
    assert refused.value.details["causes"][0]["field"] == "[]"


async def test_taken_names(rig: Rig) -> None:
    await rig.http("POST", MAPS, config_map("a"))
    status, answer, _ = await rig.http("POST", MAPS, config_map("a"))
    assert status == 409
    assert answer == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'configmaps "a" already exists',
        "reason": "AlreadyExists",
        "details": {"name": "a", "kind": "configmaps"},
        "code": 409,
    }


async def test_the_name_of_what_is_going_is_taken_too(rig: Rig) -> None:
    held = config_map("a")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await rig.http("POST", MAPS, held)
    await rig.http("DELETE", f"{MAPS}/a")
    assert await refusal(rig, "POST", MAPS, config_map("a")) == (
        409,
        "AlreadyExists",
        'object is being deleted: configmaps "a" already exists',
    )


async def test_generated_names_that_keep_colliding(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig.server.core.random, "choices", lambda *_, k: ["b"] * k)
    body = {"metadata": {"generateName": "web-"}}
    status, answer, _ = await rig.http("POST", MAPS, body)
    assert (status, answer["metadata"]["name"]) == (201, "web-bbbbb")
    status, answer, headers = await rig.http("POST", MAPS, body)
    assert failure(answer) == (
        409,
        "AlreadyExists",
        (
            'configmaps "web-bbbbb" already exists, the server was not able to generate a '
            "unique name for the object"
        ),
    )
    assert answer["details"] == {"name": "web-bbbbb", "kind": "configmaps", "retryAfterSeconds": 1}
    assert headers["Retry-After"] == "1"


async def test_long_prefixes_of_generated_names_are_cut(rig: Rig) -> None:
    _, answer, _ = await rig.http("POST", MAPS, {"metadata": {"generateName": "a" * 70}})
    assert len(answer["metadata"]["name"]) == 63
    assert answer["metadata"]["generateName"] == "a" * 70


async def test_the_metadata_a_client_cannot_set(rig: Rig) -> None:
    body = config_map("a")
    body["metadata"] |= {
        "uid": "mine",
        "creationTimestamp": "2001-01-01T00:00:00Z",
        "deletionTimestamp": "2001-01-01T00:00:00Z",
        "deletionGracePeriodSeconds": 3,
        "generation": 7,
        "selfLink": "/x",
    }
    _, answer, _ = await rig.http("POST", MAPS, body)
    meta = answer["metadata"]
    assert meta["uid"] != "mine"
    assert not meta["creationTimestamp"].startswith("2001")
    assert not meta.keys() & {"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"}


async def test_repeated_owners_are_dropped_with_a_warning(rig: Rig) -> None:
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u-1"}
    body = config_map("a")
    body["metadata"]["ownerReferences"] = [owner, owner]
    status, answer, headers = await rig.http("POST", MAPS, body)
    assert (status, answer["metadata"]["ownerReferences"]) == (201, [owner])
    assert warnings_of(headers) == [
        (
            ".metadata.ownerReferences contains duplicate entries; API server dedups owner "
            "references in 1.20+, "
            "and may reject such requests as early as 1.24; please fix your requests; "
            "duplicate UID(s) observed: u-1"
        )
    ]


async def test_a_namespace_that_is_missing_or_going(rig: Rig) -> None:
    path = "/api/v1/namespaces/none/configmaps"
    assert await refusal(rig, "POST", path, config_map("a", namespace="none")) == (
        404,
        "NotFound",
        'namespaces "none" not found',
    )
    await rig.http("POST", "/api/v1/namespaces", {"metadata": {"name": "going"}})
    await rig.http("DELETE", "/api/v1/namespaces/going")
    status, answer, _ = await rig.http(
        "POST", "/api/v1/namespaces/going/configmaps", config_map("a", namespace="going")
    )
    assert status == 403
    assert failure(answer) == (
        403,
        "Forbidden",
        (
            'configmaps "a" is forbidden: unable to create new content in namespace going because '
            "it is being "
            "terminated"
        ),
    )
    assert answer["details"]["causes"] == [
        {
            "reason": "NamespaceTerminating",
            "message": "namespace going is being terminated",
            "field": "metadata.namespace",
        }
    ]


async def test_every_wrong_field_is_a_cause(rig: Rig) -> None:
    body = pod("a", restartPolicy="Never?", dnsPolicy="x")
    await rig.http("POST", "/api/v1/namespaces/default/serviceaccounts", account())
    _, answer, _ = await rig.http("POST", "/api/v1/namespaces/default/pods", body)
    assert failure(answer)[:2] == (422, "Invalid")
    assert answer["message"].startswith('Pod "a" is invalid: [')
    assert {cause["field"] for cause in answer["details"]["causes"]} >= {
        "spec.restartPolicy",
        "spec.dnsPolicy",
    }
    assert answer["details"]["kind"] == "Pod"


@pytest.mark.parametrize(
    ("path", "code", "reason"),
    [
        (f"{MAPS}/a", 405, "MethodNotAllowed"),
        ("/api/v1/configmaps", 405, "MethodNotAllowed"),
        ("/api/v1/namespaces/default/nothings", 404, "NotFound"),
    ],
)
async def test_places_where_nothing_is_made(rig: Rig, path: str, code: int, reason: str) -> None:
    assert (await refusal(rig, "POST", path, config_map("a")))[:2] == (code, reason)


async def test_media_types(rig: Rig) -> None:
    assert await refusal(rig, "POST", MAPS, "x", content_type="text/plain") == (
        415,
        "UnsupportedMediaType",
        (
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json, application/yaml, application/vnd.kubernetes.protobuf"
        ),
    )
    status, answer, _ = await rig.http("GET", MAPS, headers={"Accept": "text/html"})
    assert status == 406
    assert failure(answer) == (
        406,
        "NotAcceptable",
        (
            "only the following media types are accepted: application/json, application/yaml, "
            "application/vnd.kubernetes.protobuf"
        ),
    )
