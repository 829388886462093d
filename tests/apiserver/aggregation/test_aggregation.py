"""Group versions of another API server are passed on to it, and say whether it is there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from aiohttp import web

from tests.apiserver.backing import backing, ca_bundle, publish
from tests.apiserver.customresources.established import condition, define, until
from tests.apiserver.customresources.samples import definition
from tests.apiserver.rig import Rig, files, running
from wherry.api.resource import Resource
from wherry.apiserver.aggregation import aggregator
from wherry.apiserver.aggregation.availability import check
from wherry.apiserver.aggregation.local import local_services
from wherry.apiserver.aggregation.remote import Remote, Verdict
from wherry.apiserver.parts import Parts
from wherry.objects.meta import Object

SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
NAME = "v1beta1.metrics.example.com"
ROOT = "/apis/metrics.example.com/v1beta1"


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A running API server over an empty memory store."""
    async with running() as made:
        yield made


def api_service(**spec: Any) -> Object:
    """The APIService of the extension server."""
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": NAME},
        "spec": {
            "group": "metrics.example.com",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 10,
            "service": {"namespace": "default", "name": "backing"},
            **spec,
        },
    }


def _common_name(request: web.Request) -> str:
    """Whom the client's certificate names."""
    transport = request.transport
    certificate = transport.get_extra_info("peercert") if transport is not None else None
    names = [pair for part in (certificate or {}).get("subject", ()) for pair in part]
    return str(dict(names).get("commonName", ""))


async def answer(request: web.Request) -> web.Response:
    """The extension server: discovery, and an echo of who asks."""
    if request.path == ROOT:
        listed = [
            {
                "name": "nodes",
                "singularName": "",
                "namespaced": False,
                "kind": "NodeMetrics",
                "verbs": ["get"],
            }
        ]
        return web.json_response(
            {
                "kind": "APIResourceList",
                "apiVersion": "v1",
                "groupVersion": "metrics.example.com/v1beta1",
                "resources": listed,
            }
        )
    who = {
        "user": request.headers.getall("X-Remote-User", []),
        "groups": request.headers.getall("X-Remote-Group", []),
        "authorization": request.headers.get("Authorization"),
        "headers": list(request.headers.values()),
        "types": request.headers.getall("Content-Type", []),
        "certificate": _common_name(request),
    }
    return web.json_response({"kind": "NodeMetrics", "who": who, "path": request.path_qs})


def reason(obj: Object) -> str:
    """Why it is (not) available."""
    found = (obj.get("status") or {}).get("conditions") or [{}]
    return str(found[0].get("reason"))


async def test_what_is_served_here_is_available(rig: Rig) -> None:
    _, body, _ = await rig.http("GET", f"{SERVICES}/v1.apps")
    assert (condition(body, "Available"), reason(body)) == ("True", "Local")
    _, body, _ = await rig.http("GET", f"{SERVICES}/v1.")
    assert body["spec"]["version"] == "v1"


async def test_custom_groups_come_and_go(rig: Rig) -> None:
    await define(rig, definition())
    path = f"{SERVICES}/v1.stable.example.com"
    body = await until(rig, path, lambda obj: obj["kind"] == "APIService")
    assert (condition(body, "Available"), body["spec"]["groupPriorityMinimum"]) == ("True", 1000)
    await rig.http(
        "DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/crontabs.stable.example.com"
    )
    await until(rig, path, lambda obj: obj.get("code") == 404)


async def test_a_missing_service_is_told_and_503(rig: Rig) -> None:
    await rig.http("POST", SERVICES, api_service(caBundle=ca_bundle()))
    body = await until(rig, f"{SERVICES}/{NAME}", lambda obj: reason(obj) == "ServiceNotFound")
    assert body["status"]["conditions"][0]["message"] == 'service/backing in "default" is not present'
    status, body, _ = await rig.http("GET", f"{ROOT}/nodes/n1")
    assert (status, body["message"]) == (503, "service unavailable")


async def test_a_service_may_change_while_its_check_is_taken_away(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    await rig.http("POST", SERVICES, api_service(caBundle=ca_bundle()))
    await until(rig, f"{SERVICES}/{NAME}", lambda obj: reason(obj) == "ServiceNotFound")
    checks = rig.server.core.aggregator._checks
    taken = checks.pop(NAME)  # whoever takes it away waits for its end before the rest is brought up to date
    async with backing(answer) as port:
        await publish(rig, port)
        checks[NAME] = taken
        taken.poke()
        await until(rig, f"{SERVICES}/{NAME}", lambda obj: reason(obj) == "Passed")
    assert "KeyError" not in caplog.text


async def test_requests_are_passed_on_with_who_asks(rig: Rig) -> None:
    async with backing(answer) as port:
        await publish(rig, port)
        await rig.http("POST", SERVICES, api_service(caBundle=ca_bundle()))
        await until(rig, f"{SERVICES}/{NAME}", lambda obj: reason(obj) == "Passed")
        status, body, _ = await rig.http(
            "GET",
            f"{ROOT}/nodes/n1?pretty=1",
            headers={"X-Remote-User": "evil", "X_Remote_Group": "evil", "x-remote-extra-a": "evil"},
        )
        assert (status, body["path"]) == (200, f"{ROOT}/nodes/n1?pretty=1")
        assert body["who"]["user"] == ["admin"]
        assert "system:masters" in body["who"]["groups"]
        assert body["who"]["authorization"] is None
        assert "evil" not in body["who"]["headers"]
        _, body, _ = await rig.http("GET", "/apis")
        assert "metrics.example.com" in [group["name"] for group in body["groups"]]
        _, body, _ = await rig.http("GET", ROOT)
        assert body["resources"][0]["kind"] == "NodeMetrics"
        _, body, _ = await rig.http("GET", "/openapi/v3")
        assert ROOT.strip("/") in body["paths"]
        body = await rig.admin.raw(f"{ROOT}/nodes/n1")
        assert body["kind"] == "NodeMetrics"


@pytest.mark.parametrize("content_type", ["application/json", "application/x-own; a=b", ""])
async def test_the_body_is_what_the_client_says_it_is(rig: Rig, content_type: str) -> None:
    async with backing(answer) as port:
        await publish(rig, port)
        await rig.http("POST", SERVICES, api_service(caBundle=ca_bundle()))
        await until(rig, f"{SERVICES}/{NAME}", lambda obj: reason(obj) == "Passed")
        url = f"{rig.server.url}{ROOT}/nodes"
        headers = {"Authorization": "Bearer admin-token"} | (
            {"Content-Type": content_type} if content_type else {}
        )
        async with rig.session.post(
            url, data=b"{}", headers=headers, skip_auto_headers=["Content-Type"]
        ) as response:
            body = await response.json()
        assert body["who"]["types"] == ([content_type] if content_type else [])
        await rig.http("POST", f"{ROOT}/nodes", {"kind": "NodeMetrics"})


async def test_extension_servers_are_shown_the_front_proxys_certificate(rig: Rig) -> None:
    async with backing(answer, clients_of=files().front_proxy_authority.cert) as port:
        await publish(rig, port)
        await rig.http("POST", SERVICES, api_service(caBundle=ca_bundle()))
        await until(rig, f"{SERVICES}/{NAME}", lambda obj: reason(obj) == "Passed")
        _, body, _ = await rig.http("GET", f"{ROOT}/nodes/n1")
        assert body["who"]["certificate"] == "front-proxy"


async def test_a_stranger_is_refused_before_anything_is_passed_on(rig: Rig) -> None:
    await rig.http("POST", SERVICES, api_service(insecureSkipTLSVerify=True))
    await until(rig, f"{SERVICES}/{NAME}", lambda obj: reason(obj) == "ServiceNotFound")
    status, _, _ = await rig.http("GET", f"{ROOT}/nodes/n1", token="alice-token")
    assert status == 403


async def test_a_wrong_certificate_fails_the_check(rig: Rig) -> None:
    async with backing(answer) as port:
        await publish(rig, port)
        await rig.http("POST", SERVICES, api_service())
        body = await until(rig, f"{SERVICES}/{NAME}", lambda obj: reason(obj) == "FailedDiscoveryCheck")
        assert (
            "failing or missing response from https://127.0.0.1" in body["status"]["conditions"][0]["message"]
        )


async def test_removal_ends_it(rig: Rig) -> None:
    async with backing(answer) as port:
        await publish(rig, port)
        await rig.http("POST", SERVICES, api_service(insecureSkipTLSVerify=True))
        await until(rig, f"{SERVICES}/{NAME}", lambda obj: reason(obj) == "Passed")
        await rig.http("DELETE", f"{SERVICES}/{NAME}")
        await until(rig, f"{ROOT}/nodes/n1", lambda obj: obj.get("code") == 404)


async def test_extension_servers_are_told_whom_to_trust(rig: Rig) -> None:
    path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
    _, body, _ = await rig.http("GET", path)
    assert body["data"]["requestheader-allowed-names"] == '["front-proxy"]'
    assert body["data"]["requestheader-client-ca-file"] == files().front_proxy_authority.cert.read_text()
    assert body["data"]["requestheader-client-ca-file"] != body["data"]["client-ca-file"]
    assert body["data"]["client-ca-file"].startswith("-----BEGIN CERTIFICATE-----")


@pytest.mark.parametrize("fault", [RuntimeError("broken"), OSError("no descriptors")], ids=repr)
async def test_a_look_that_fails_is_taken_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    faults = [fault]

    async def breaks_once(core: Parts, remote: Remote) -> Verdict:
        if faults:
            raise faults.pop()
        return await check(core, remote)

    monkeypatch.setattr(aggregator, "check", breaks_once)
    await rig.http("POST", SERVICES, api_service(caBundle=ca_bundle()))
    body = await until(rig, f"{SERVICES}/{NAME}", lambda obj: reason(obj) == "ServiceNotFound")
    assert condition(body, "Available") == "False"
    assert not faults


async def test_definitions_and_services_are_followed_after_a_fault(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults: list[Exception] = [RuntimeError("broken"), OSError("no descriptors")]

    def breaks(resources: Sequence[Resource]) -> list[Object]:
        if faults:
            raise faults.pop()
        return local_services(resources)

    monkeypatch.setattr(aggregator, "local_services", breaks)
    await define(rig, definition())
    body = await until(rig, f"{SERVICES}/v1.stable.example.com", lambda obj: obj["kind"] == "APIService")
    assert condition(body, "Available") == "True"
    assert not faults


async def test_one_deleted_and_made_again_is_checked_again(rig: Rig) -> None:
    """Even where nobody saw it gone in between."""
    async with backing(answer) as port:
        await publish(rig, port)
        service = api_service(caBundle=ca_bundle())
        for _ in range(3):
            await rig.http("POST", SERVICES, service)
            await until(rig, f"{SERVICES}/{NAME}", lambda obj: reason(obj) == "Passed")
            await rig.http("DELETE", f"{SERVICES}/{NAME}")


async def test_one_that_was_exchanged_before_anybody_looked_is_checked_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleted and made again within one batch: the same but for its uid."""
    async with backing(answer) as port:
        await publish(rig, port)
        service = api_service(caBundle=ca_bundle())
        await rig.http("POST", SERVICES, service)
        await until(rig, f"{SERVICES}/{NAME}", lambda obj: reason(obj) == "Passed")
        syncing = rig.server.core.aggregator._syncing
        assert syncing is not None
        with monkeypatch.context() as patch:
            patch.setattr(syncing, "poke", lambda: None)
            await rig.http("DELETE", f"{SERVICES}/{NAME}")
            _, made, _ = await rig.http("POST", SERVICES, service)
        syncing.poke()
        await until(rig, f"{SERVICES}/{NAME}", lambda obj: reason(obj) == "Passed")
        (remote,) = rig.server.core.aggregator.remotes.values()
        assert remote.uid == made["metadata"]["uid"]
