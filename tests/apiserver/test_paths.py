"""Health, version, metrics, discovery, keys: what is no resource."""

from __future__ import annotations

import io
import ssl

import aiohttp
import jwt
import pytest

from tests.apiserver.rig import Rig, files, running
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.apiserver.health import Health
from wherry.objects.errors import ApiError


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
async def test_everybody_may_see_that_all_is_well(rig: Rig, path: str) -> None:
    status, text, _ = await rig.http("GET", path, token="")
    assert (status, text) == (200, "ok")


async def test_checks_are_listed_when_asked(rig: Rig) -> None:
    _, text, _ = await rig.http("GET", "/readyz?verbose")
    assert "[+]etcd ok" in text
    assert text.endswith("readyz check passed\n")
    assert (await rig.http("GET", "/readyz/none"))[0] == 404


async def test_a_failing_check_fails_the_whole() -> None:
    from wherry.apiserver.call import Call
    from wherry.apiserver.request import RequestInfo
    from wherry.apiserver.user import ANONYMOUS

    health = Health({"disk": lambda: "full"}, {})
    outcome = health.answer(Call(RequestInfo("get", "/livez", False), ANONYMOUS, {}))
    assert outcome.status == 500
    assert b"[-]disk failed: reason withheld" in outcome.data
    excluded = health.answer(Call(RequestInfo("get", "/livez", False), ANONYMOUS, {"exclude": "disk"}))
    assert excluded.status == 200


async def test_a_warning_fails_nothing_and_stands_in_verbose_answers() -> None:
    from wherry.apiserver.call import Call
    from wherry.apiserver.request import RequestInfo
    from wherry.apiserver.user import ANONYMOUS

    health = Health({}, {}, lambda: "the store is full")
    brief = health.answer(Call(RequestInfo("get", "/readyz", False), ANONYMOUS, {}))
    assert (brief.status, brief.data) == (200, b"ok")
    whole = health.answer(Call(RequestInfo("get", "/readyz", False), ANONYMOUS, {"verbose": ""}))
    assert whole.data.endswith(b"warn: the store is full\nreadyz check passed\n")


async def test_version_and_index(rig: Rig) -> None:
    _, version, _ = await rig.http("GET", "/version", token="")
    assert (version["major"], version["minor"], version["gitVersion"]) == ("1", "37", "v1.37.0")
    _, index, _ = await rig.http("GET", "/")
    assert {"/version", "/metrics", "/livez"} <= set(index["paths"])


async def test_metrics_count_requests(rig: Rig) -> None:
    await rig.admin.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "default"}})
    for _ in range(3):
        await rig.http("GET", "/api/v1/namespaces/default/configmaps/a")
    _, text, _ = await rig.http("GET", "/metrics")
    wanted = (
        'apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="configmaps",'
        'scope="resource",subresource="",verb="GET",version="v1"} 3'
    )
    assert wanted in text.splitlines()
    assert "# TYPE apiserver_request_duration_seconds histogram" in text


async def test_discovery_and_open_api(rig: Rig) -> None:
    _, found, _ = await rig.http("GET", "/api/v1", token="alice-token")
    assert found["kind"] == "APIResourceList"
    _, groups, headers = await rig.http("GET", "/apis")
    assert any(group["name"] == "apps" for group in groups["groups"])
    status, _, _ = await rig.http("GET", "/apis", headers={"If-None-Match": headers["ETag"]})
    assert status == 304
    _, index, _ = await rig.http("GET", "/openapi/v3")
    assert "apis/apps/v1" in index["paths"]


async def test_tokens_can_be_verified_with_the_published_keys(rig: Rig) -> None:
    account = await rig.admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": "a", "namespace": "default"}})
    token, _ = rig.server.core.tokens.issue(account, ["https://example.com"], 3600)
    _, configuration, _ = await rig.http("GET", "/.well-known/openid-configuration")
    status, text, headers = await rig.http("GET", "/openid/v1/jwks")
    assert (status, headers["Content-Type"]) == (200, "application/jwk-set+json")
    keys = jwt.PyJWKSet.from_dict(text)
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, ["ES256"], audience="https://example.com", issuer=configuration["issuer"])
    assert claims["sub"] == "system:serviceaccount:default:a"


async def test_a_client_certificate_is_who_it_says(rig: Rig) -> None:
    context = ssl.create_default_context(cafile=str(files().authority.cert))
    context.load_cert_chain(str(files().admin.cert), str(files().admin.key))
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    url = f"{rig.server.url}/apis/authentication.k8s.io/v1/selfsubjectreviews"
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session,
        session.post(url, json=body) as response,
    ):
        info = (await response.json())["status"]["userInfo"]
    assert info == {"username": "kubernetes-admin", "groups": ["system:masters", "system:authenticated"]}


@pytest.mark.parametrize(("token", "code"), [("nonsense", 401), ("", 403)])
async def test_without_good_credentials(rig: Rig, token: str, code: int) -> None:
    status, body, _ = await rig.http("GET", "/api/v1/nodes", token=token)
    assert (status, body["kind"]) == (code, "Status")


async def test_without_anonymous_access_everything_needs_credentials() -> None:
    async with running(anonymous=False) as rig:
        assert (await rig.http("GET", "/livez", token=""))[0] == 401
        assert (await rig.http("GET", "/livez"))[0] == 200


async def test_too_many_requests_at_once_are_refused() -> None:
    async with running(max_mutating_in_flight=0) as rig:
        status, body, headers = await rig.http(
            "POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": "a"}}, token="alice-token"
        )
        assert (status, body["reason"], headers["Retry-After"]) == (429, "TooManyRequests", "1")
        assert (await rig.http("GET", "/api/v1/namespaces"))[0] == 200


async def test_an_endless_body_is_refused(rig: Rig) -> None:
    url = f"{rig.server.url}/api/v1/namespaces/default/configmaps"
    body = io.BytesIO(b"x" * (3 * 1024 * 1024 + 1))
    headers = {"Authorization": "Bearer admin-token"}
    async with rig.session.post(url, data=body, headers=headers) as response:
        assert (response.status, (await response.json())["reason"]) == (413, "RequestEntityTooLarge")


async def test_a_store_that_fails_is_told_and_shows_in_health(rig: Rig) -> None:
    await rig.admin.create(CONFIG_MAPS, {"metadata": {"name": "before", "namespace": "default"}})
    await rig.store.close()
    with pytest.raises(ApiError, match="the write could not be stored") as caught:
        await rig.admin.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "default"}})
    assert caught.value.code == 503
    status, text, _ = await rig.http("GET", "/livez")
    assert status == 500
    assert "[-]etcd failed" in text
