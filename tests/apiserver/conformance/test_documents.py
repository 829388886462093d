"""/version, OpenAPI, discovery and the token issuer's documents: fields, media types, ETags."""

from __future__ import annotations

import re

import jwt
import pytest

from tests.apiserver.rig import Rig, account


async def test_version(rig: Rig) -> None:
    status, answer, headers = await rig.http("GET", "/version")
    assert status == 200
    assert headers["Content-Type"] == "application/json"
    assert answer.keys() == {
        "major",
        "minor",
        "emulationMajor",
        "emulationMinor",
        "minCompatibilityMajor",
        "minCompatibilityMinor",
        "gitVersion",
        "gitCommit",
        "gitTreeState",
        "buildDate",
        "goVersion",
        "compiler",
        "platform",
    }
    assert all(isinstance(value, str) for value in answer.values())
    assert re.fullmatch(r"v1\.37\.\d+.*", answer["gitVersion"])
    assert re.fullmatch(r"[0-9a-f]{40}", answer["gitCommit"]), "what clients take for a commit"
    assert answer["gitTreeState"] == "clean"
    assert (await rig.http("GET", "/version"))[1] == answer
    assert (answer["minCompatibilityMajor"], answer["minCompatibilityMinor"]) == ("1", "36")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", answer["buildDate"])


async def test_open_api_says_whether_it_changed(rig: Rig) -> None:
    _, index, _ = await rig.http("GET", "/openapi/v3")
    url = index["paths"]["apis/apps/v1"]["serverRelativeURL"]
    assert re.fullmatch(r"/openapi/v3/apis/apps/v1\?hash=[0-9A-F]+", url)
    status, document, headers = await rig.http("GET", url)
    assert (status, document["openapi"]) == (200, "3.0.0")
    assert "immutable" in headers["Cache-Control"]
    tag = headers["ETag"]
    again, nothing, _ = await rig.http("GET", url, headers={"If-None-Match": tag})
    assert (again, nothing) == (304, None)
    wrong, _, headers = await rig.http("GET", "/openapi/v3/apis/apps/v1?hash=OLD")
    assert wrong in (200, 301)
    assert (await rig.http("GET", "/openapi/v3/apis/none/v1"))[0] == 404


async def test_open_api_v2(rig: Rig) -> None:
    status, document, headers = await rig.http("GET", "/openapi/v2")
    assert (status, document["swagger"]) == (200, "2.0")
    tag = headers["ETag"]
    assert (await rig.http("GET", "/openapi/v2", headers={"If-None-Match": tag}))[0] == 304


@pytest.mark.parametrize("path", ["/api", "/apis", "/api/v1", "/apis/apps", "/apis/apps/v1"])
async def test_discovery_can_be_read_by_every_user(rig: Rig, path: str) -> None:
    assert (await rig.http("GET", path, token="alice-token"))[0] == 200
    assert (await rig.http("GET", path, token=""))[0] == 403


async def test_who_signs_tokens(rig: Rig) -> None:
    _, configuration, headers = await rig.http("GET", "/.well-known/openid-configuration")
    assert headers["Content-Type"] == "application/json"
    assert "max-age=3600" in headers["Cache-Control"]
    assert configuration.keys() == {
        "issuer",
        "jwks_uri",
        "response_types_supported",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
    }
    assert configuration["jwks_uri"].endswith("/openid/v1/jwks")
    _status, text, headers = await rig.http("GET", "/openid/v1/jwks")
    assert headers["Content-Type"] == "application/jwk-set+json"
    assert "max-age=3600" in headers["Cache-Control"]
    keys = jwt.PyJWKSet.from_dict(text)
    await rig.http("POST", "/api/v1/namespaces/default/serviceaccounts", account())
    _, made, _ = await rig.http(
        "POST", "/api/v1/namespaces/default/serviceaccounts/default/token", {"spec": {}}
    )
    token = made["status"]["token"]
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(
        token,
        key,
        algorithms=configuration["id_token_signing_alg_values_supported"],
        audience="https://kubernetes.default.svc.cluster.local",
        issuer=configuration["issuer"],
    )
    assert claims["sub"] == "system:serviceaccount:default:default"
    assert claims["kubernetes.io"]["serviceaccount"]["name"] == "default"
    assert claims.keys() >= {"aud", "exp", "iat", "iss", "jti", "nbf", "sub", "kubernetes.io"}


async def test_nothing_but_reading(rig: Rig) -> None:
    for path in ("/version", "/openapi/v3", "/metrics"):
        status, _, _ = await rig.http("POST", path, {})
        assert status == 405
