"""Settings of who is let in: audiences, how long tokens live, what TLS is at least, proxies in front."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict

from tests.apiserver.rig import ALICE, Rig, api_server, files, running
from tests.apiserver.rig import config as rig_config
from wherry.apiserver.authentication.front_proxy import FrontProxy
from wherry.apiserver.config import FrontProxyConfig
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.user import User
from wherry.cluster.identities import FRONT_PROXY_AUTHORITY
from wherry.cluster.leaves import KeyPair, Subject
from wherry.cluster.pki import Pki
from wherry.kit.clock import SystemClock
from wherry.kit.httpd.message import Connection, RequestHeaders
from wherry.kit.tls import COMMON_NAME, tls_rules

ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default/token"
SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
PROXIES = FrontProxyConfig(
    names=("front-proxy",),
    username_headers=("X-Remote-User",),
    group_headers=("X-Remote-Group",),
    extra_prefixes=("X-Remote-Extra-",),
    uid_headers=("X-Remote-Uid",),
)
ASKED = CIMultiDict(
    [
        ("X-Remote-User", "jane"),
        ("X-Remote-Group", "dev"),
        ("X-Remote-Group", "CN=a,system:masters,O=b"),
        ("X-Remote-Extra-Team%2Fa", "x"),
        ("X-Remote-Uid", "7"),
    ]
)


async def account(rig: Rig) -> None:
    await rig.http("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})


async def issued(rig: Rig, **spec: Any) -> tuple[dict[str, Any], Any]:
    """What a TokenRequest is answered, and the warnings beside."""
    await account(rig)
    status, body, headers = await rig.http("POST", ACCOUNT, {"spec": spec})
    assert status == 201, body
    return body, headers


async def test_a_token_must_be_for_one_of_the_audiences() -> None:
    async with running(api_audiences=("here", "there")) as rig:
        body, _ = await issued(rig)
        assert body["spec"]["audiences"] == ["here", "there"]
        for audiences, status in ((["there"], 201), ([rig.server.core.config.service_account_issuer], 401)):
            body, _ = await issued(rig, audiences=audiences)
            token = body["status"]["token"]
            assert (await rig.http("POST", SELF, {}, token=token))[0] == status
            review = {"spec": {"token": token}}
            _, answer, _ = await rig.http("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)
            assert answer["status"].get("authenticated", False) is (status == 201)


async def test_tokens_of_a_former_issuer_are_taken() -> None:
    async with running(service_account_issuer="https://old") as rig:
        body, _ = await issued(rig)
        copied = rig.store.copy(SystemClock())
    for former, status in ((("https://old",), 201), ((), 401)):
        issuers: dict[str, Any] = {
            "service_account_issuer": "https://new",
            "service_account_former_issuers": former,
        }
        server = api_server(copied, SystemClock(), **issuers)
        await server.start(listens=False)
        found = server.core.authenticator.review(body["status"]["token"], server.core.authenticator.audiences)
        assert (found is not None) is (status == 201)
        await server.close()
    await copied.close()


@pytest.mark.parametrize(
    ("modes", "node", "alice"),
    [
        (("Node", "RBAC"), True, False),
        (("RBAC",), False, False),
        (("AlwaysAllow",), True, True),
        (("Node",), True, False),
    ],
)
async def test_only_modes_that_are_named_decide(modes: tuple[str, ...], node: bool, alice: bool) -> None:
    async with running(authorization_modes=modes) as rig:
        core = rig.server.core
        own = RequestInfo("get", "", True, "", "v1", "", "nodes", "n1", "")
        as_node = User("system:node:n1", ("system:nodes", "system:authenticated"))
        assert core.authorizer.decide(as_node, own).allowed is node
        assert core.authorizer.decide(ALICE, own).allowed is alice
        reviews = RequestInfo(
            "create", "", True, "authorization.k8s.io", "v1", "", "selfsubjectaccessreviews", "", ""
        )
        assert core.authorizer.decide(ALICE, reviews).allowed is (modes != ("Node",)), "what roles give"


@pytest.mark.parametrize(("asked_s", "given_s"), [(7200, 3600), (3600, 3600), (600, 600)])
async def test_a_longer_token_is_cut_down(asked_s: int, given_s: int) -> None:
    async with running(longest_token_s=3600) as rig:
        body, headers = await issued(rig, expirationSeconds=asked_s)
        assert body["spec"]["expirationSeconds"] == given_s
        warning = f"requested expiration of {asked_s} seconds shortened to {given_s} seconds"
        assert (warning in headers.get("Warning", "")) is (asked_s != given_s)


async def test_an_older_version_of_tls_is_refused() -> None:
    async with running(tls=tls_rules("VersionTLS13", ())) as rig:
        context = ssl.create_default_context(cafile=str(files().authority.cert))
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
            with pytest.raises(aiohttp.ClientError):
                await session.get(f"{rig.server.url}/version")
        assert (await rig.http("GET", "/version"))[0] == 200


async def who(rig: Rig, pair: KeyPair, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    """As whom the server takes somebody who shows a certificate and says `headers`."""
    context = ssl.create_default_context(cafile=str(files().authority.cert))
    context.load_cert_chain(pair.cert, pair.key)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session,
        session.post(rig.server.url + SELF, json={}, headers=headers) as answer,
    ):
        body = await answer.json()
        return answer.status, body["status"]["userInfo"] if answer.ok else {}


async def test_a_proxy_with_the_right_name_says_whom_it_asks_for() -> None:
    async with running(front_proxy=PROXIES) as rig:
        status, user = await who(rig, files().front_proxy_client, ASKED)
        assert (status, user["username"]) == (201, "jane")
        assert user["groups"] == ["dev", "CN=a,system:masters,O=b", "system:authenticated"]
        assert (user["extra"], user["uid"]) == ({"team/a": ["x"]}, "7")
        assert (await who(rig, files().front_proxy_client, {}))[0] == 401, "it is nobody itself"
        status, user = await who(rig, files().admin, ASKED)
        assert (status, user["username"]) == (201, "kubernetes-admin"), "a client's headers say nothing"


async def test_a_proxy_with_another_name_is_nobody() -> None:
    pki = Pki(files().tokens_key.parent, datetime.now(UTC))
    other = pki.leaf("other-proxy", Subject(common_name="kubernetes-admin", authority=FRONT_PROXY_AUTHORITY))
    async with running(front_proxy=PROXIES) as rig:
        assert (await who(rig, other, ASKED))[0] == 401
    async with running() as rig:  # no headers are believed, so nobody signed so may come at all
        with pytest.raises(aiohttp.ClientError):
            await who(rig, files().front_proxy_client, ASKED)


def test_a_session_that_is_taken_up_again_says_the_same() -> None:
    """It does not say to which authority a certificate leads: who signed it does."""
    told = FrontProxy.of(rig_config(front_proxy=PROXIES))
    assert told is not None
    for pair, name, is_client in (
        (files().front_proxy_client, PROXIES.names[0], False),
        (files().admin, "kubernetes-admin", True),
    ):
        shown = ssl.PEM_cert_to_DER_cert(pair.cert.read_text())
        connection = Connection(None, shown, None, [(COMMON_NAME, name)])
        assert told.is_client(connection) is is_client
        assert (told.user_of(connection, RequestHeaders({"x-remote-user": "jane"})) is None) is is_client


async def test_extension_servers_are_told_the_same() -> None:
    async with running(front_proxy=PROXIES, from_nothing=True) as rig:
        path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
        _, body, _ = await rig.http("GET", path)
        assert body["data"]["requestheader-allowed-names"] == '["front-proxy"]'
        assert body["data"]["requestheader-username-headers"] == '["X-Remote-User"]'
