"""Logs, exec, attach, port-forward and proxies, through to a kubelet."""

from __future__ import annotations

import asyncio
import base64
import gzip
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.apiserver.rig import Rig, account, files, pod
from tests.apiserver.subresources.fake_kubelet import FakeKubelet, kubelet
from tests.timing import PATIENCE_S
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.core.services import SERVICES
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.api.rbac.cluster_role_bindings import CLUSTER_ROLE_BINDINGS
from wherry.api.rbac.cluster_roles import CLUSTER_ROLES
from wherry.apiserver.encoding import decode, encode_stored
from wherry.apiserver.subresources.proxies import split_name
from wherry.objects.errors import ApiError

POD = "/api/v1/namespaces/default/pods/p"
TOKEN = {"Authorization": "Bearer admin-token"}


@pytest.fixture
async def node(rig: Rig) -> AsyncIterator[FakeKubelet]:
    """The kubelet of node n, on which pod p runs."""
    async with kubelet() as fake:
        made = await rig.admin.create(NODES, {"metadata": {"name": "n"}})
        made["status"] = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": fake.port}},
        }
        await rig.admin.update_status(NODES, made)
        await rig.admin.create(SERVICE_ACCOUNTS, account())
        for name in ("p", "broken"):
            await rig.admin.create(PODS, pod(name, nodeName="n"))
        yield fake


async def test_logs_come_as_they_are_written(rig: Rig, node: FakeKubelet) -> None:
    url = f"{rig.server.url}{POD}/log?follow=true&tailLines=5"
    async with rig.session.get(url, headers=TOKEN) as response:
        assert response.headers["Content-Type"].startswith("text/plain")
        assert await response.content.readline() == b"first\n"
        node.more_log.set()
        assert await response.content.readline() == b"second\n"
    (request,) = node.requests
    assert request.path == "/containerLogs/default/p/web"
    assert request.query == "follow=true&tailLines=5"


@pytest.mark.parametrize(
    ("protocol", "first", "second"),
    [
        ("", b"first\n", b"second\n"),
        ("binary.k8s.io", b"first\n", b"second\n"),
        ("base64.binary.k8s.io", "Zmlyc3QK", "c2Vjb25kCg=="),
    ],
)
async def test_logs_over_a_websocket(
    rig: Rig, node: FakeKubelet, protocol: str, first: bytes | str, second: bytes | str
) -> None:
    """Who follows sees by an empty message that the log is open."""
    url = f"{rig.server.url}{POD}/log?follow=true"
    protocols = [protocol] if protocol else []
    async with rig.session.ws_connect(url, headers=TOKEN, protocols=protocols) as socket:
        assert socket.protocol == (protocol or None)
        opened = await socket.receive()
        assert opened.data == ("" if isinstance(first, str) else b"")
        assert (await socket.receive()).data == first
        node.more_log.set()
        assert (await socket.receive()).data == second
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE


async def test_a_log_that_is_not_followed_says_nothing_first(rig: Rig, node: FakeKubelet) -> None:
    node.more_log.set()
    async with rig.session.ws_connect(f"{rig.server.url}{POD}/log", headers=TOKEN) as socket:
        told = b""
        while (message := await socket.receive()).type is aiohttp.WSMsgType.BINARY:
            assert message.data
            told += message.data
    assert told == b"first\nsecond\n"


async def test_a_log_nobody_reads_any_more_ends(rig: Rig, node: FakeKubelet) -> None:
    async with rig.session.ws_connect(f"{rig.server.url}{POD}/log?follow=true", headers=TOKEN) as socket:
        assert (await socket.receive()).data == b""
    await asyncio.wait_for(node.log_ended.wait(), PATIENCE_S)


async def test_a_refusal_is_told_instead_of_a_websocket(rig: Rig, node: FakeKubelet) -> None:
    url = f"{rig.server.url}/api/v1/namespaces/default/pods/broken/log"
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await rig.session.ws_connect(url, headers=TOKEN)
    assert refused.value.status == 400


async def test_the_kubelets_refusal_is_told(rig: Rig, node: FakeKubelet) -> None:
    status, body, _ = await rig.http("GET", "/api/v1/namespaces/default/pods/broken/log")
    assert (status, body["reason"]) == (400, "BadRequest")
    assert body["message"] == 'container "web" in pod "broken" is waiting to start'


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        (f"{POD}/log?container=none", 400, "container none is not valid for pod p"),
        ("/api/v1/namespaces/default/pods/none/log", 404, 'pods "none" not found'),
        (f"{POD}/exec?stdout=1", 400, "you must specify at least 1 command for the container"),
        (f"{POD}/exec?command=ls", 400, "you must specify at least 1 of stdin, stdout, stderr"),
        (f"{POD}/exec?command=ls&stdout=1", 400, "Upgrade request required"),
        ("/api/v1/namespaces/default/services/none/proxy/", 404, 'services "none" not found'),
        (f"{POD}/proxy/", 400, "address not allowed"),
    ],
)
async def test_refusals(rig: Rig, node: FakeKubelet, path: str, code: int, message: str) -> None:
    status, body, _ = await rig.http("GET", path)
    assert (status, body["message"]) == (code, message)


async def upgrade(rig: Rig, method: str, path: str) -> tuple[str, asyncio.StreamReader, asyncio.StreamWriter]:
    """Ask for SPDY: the answer's head, and both ends of the connection."""
    context = ssl.create_default_context(cafile=str(files().authority.cert))
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.server.port, ssl=context)
    writer.write(
        f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n"
        "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n"
        "Content-Length: 0\r\n\r\n".encode()
    )
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    return head, reader, writer


@pytest.mark.parametrize(
    ("path", "target", "query"),
    [
        (f"{POD}/exec?command=ls&command=-l&stdin=true&stdout=true&tty=true", "/exec/default/p/web",
         "command=ls&command=-l&input=1&output=1&tty=1"),
        (f"{POD}/attach?stderr=1&container=web", "/attach/default/p/web", "error=1"),
        (f"{POD}/portforward?ports=80", "/portForward/default/p", "ports=80"),
        ("/api/v1/nodes/n/proxy/exec/x?y=1", "/exec/x", "y=1"),
    ],
)  # fmt: skip
async def test_upgraded_connections_are_passed_through(
    rig: Rig, node: FakeKubelet, path: str, target: str, query: str
) -> None:
    head, reader, writer = await upgrade(rig, "POST", path)
    assert head.startswith("HTTP/1.1 101 ")
    assert "SPDY/3.1" in head
    assert await reader.readexactly(6) == b"ready;"
    writer.write(b"some bytes")
    assert await reader.readexactly(10) == b"SOME BYTES"
    writer.write(b"end")
    assert await reader.read() == b"END"
    writer.close()
    (request,) = node.requests
    assert (request.path, request.query) == (target, query)
    assert "authorization" not in request.headers
    assert request.connection.peer_certificate is not None


@pytest.mark.parametrize("upgraded", [False, True])
async def test_no_second_request_hides_in_a_path(rig: Rig, node: FakeKubelet, upgraded: bool) -> None:
    """However the path up to the proxy is spelt, what follows goes on as it came."""
    tail = "a%0d%0aHost:%20evil%0d%0a%0d%0aGET%20/b%3Fc"
    headers = {**TOKEN, **(UPGRADE if upgraded else {})}
    url = URL(f"{rig.server.url}/api/v1/nodes/%6e/proxy/{tail}", encoded=True)
    async with rig.session.get(url, headers=headers) as response:
        assert response.status == (101 if upgraded else 200)
        response.close()
    (request,) = node.requests
    assert (request.path, request.query) == ("/a\r\nHost: evil\r\n\r\nGET /b?c", "")


async def test_looking_at_a_node_is_no_leave_to_act_on_it(rig: Rig, node: FakeKubelet) -> None:
    """A WebSocket is a GET, and may be a command in a container."""
    rules = [{"verbs": ["get"], "apiGroups": [""], "resources": ["nodes/proxy"]}]
    await rig.admin.create(CLUSTER_ROLES, {"metadata": {"name": "look"}, "rules": rules})
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "look"}
    subjects = [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "alice"}]
    made = {"metadata": {"name": "look"}, "roleRef": ref, "subjects": subjects}
    await rig.admin.create(CLUSTER_ROLE_BINDINGS, made)
    assert (await rig.http("GET", "/api/v1/nodes/n/proxy/healthz", token="alice-token"))[0] == 200
    path = "/api/v1/nodes/n/proxy/exec/default/p/web?command=id&output=1"
    status, body, _ = await rig.http("GET", path, token="alice-token", headers=UPGRADE)
    assert (status, body["reason"]) == (403, "Forbidden")
    assert 'cannot create resource "nodes/proxy"' in body["message"]


async def test_a_token_among_the_subprotocols_stays_here(rig: Rig, node: FakeKubelet) -> None:
    """Browsers show their token that way; what is connected to must not learn it."""
    token = base64.urlsafe_b64encode(b"admin-token").rstrip(b"=").decode()
    offered = f"base64url.bearer.authorization.k8s.io.{token}, v5.channel.k8s.io"
    headers = {**UPGRADE, "Sec-WebSocket-Protocol": offered}
    url = f"{rig.server.url}/api/v1/nodes/n/proxy/x"
    async with rig.session.get(url, headers=headers) as response:
        assert response.status == 101
        response.close()
    assert node.requests[0].headers["sec-websocket-protocol"] == "v5.channel.k8s.io"


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "0.0.0.0", "224.0.0.1", "localhost"],
)
async def test_the_servers_own_machine_is_no_pod(rig: Rig, node: FakeKubelet, address: str) -> None:
    """Who writes a pod's status could else lead others' requests to what listens beside the server."""
    cached = await rig.store.get("/registry/pods/default/p")
    assert cached is not None
    stored = {**decode(cached.value), "status": {"podIP": address, "podIPs": [{"ip": address}]}}
    await rig.store.update("/registry/pods/default/p", encode_stored(stored), expected=cached.revision)
    path = f"/api/v1/namespaces/default/pods/https:p:{node.port}/proxy/"
    status, body, _ = await rig.http("GET", path)
    assert (status, body["message"]) == (400, "address not allowed")
    assert node.requests == []


async def test_a_node_without_an_address_is_unavailable(rig: Rig) -> None:
    await rig.admin.create(NODES, {"metadata": {"name": "n"}})
    status, body, _ = await rig.http("GET", "/api/v1/nodes/n/proxy/pods")
    assert status == 503
    assert "no preferred addresses found" in body["message"]


UPGRADE = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}


async def test_a_node_that_does_not_answer(rig: Rig, node: FakeKubelet) -> None:
    found = await rig.admin.get(NODES, "n")
    found["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"] = 1
    await rig.admin.update_status(NODES, found)
    status, body, _ = await rig.http("GET", f"{POD}/log")
    assert status == 500
    assert body["message"].startswith('Get "https://')
    status, body, _ = await rig.http("POST", f"{POD}/exec?command=ls&stdout=1", headers=UPGRADE)
    assert status == 500
    assert body["message"].startswith("error dialing backend: dial tcp 127.0.0.1:1: ")
    status, body, _ = await rig.http("GET", "/api/v1/nodes/n/proxy/pods")
    assert (status, body["reason"]) == (503, "ServiceUnavailable")
    assert body["message"].startswith("error trying to reach service: ")


async def test_plain_requests_are_proxied(rig: Rig, node: FakeKubelet) -> None:
    status, text, headers = await rig.http("GET", "/api/v1/nodes/n/proxy/healthz?a=b")
    assert (status, text, headers["X-Served-By"]) == (200, "hello", "kubelet")
    assert (node.requests[0].path, node.requests[0].query) == ("/healthz", "a=b")


async def test_redirects_and_links_lead_back(rig: Rig, node: FakeKubelet) -> None:
    proxy = "/api/v1/nodes/n/proxy"
    url = f"{rig.server.url}{proxy}/old"
    async with rig.session.get(url, headers=TOKEN, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, f"{proxy}/new/?x=1")
    sent = node.requests[-1].headers
    assert sent["x-forwarded-uri"] == f"{proxy}/old"
    assert sent["x-forwarded-proto"] == "https"
    assert rig.server.url.endswith(sent["x-forwarded-host"])
    status, page, headers = await rig.http("GET", f"{proxy}/page")
    assert (status, page) == (200, f'<a href="{proxy}/x">there</a>')
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("wanted", ["identity", "br, gzip"])
async def test_the_client_alone_chooses_the_encoding(rig: Rig, node: FakeKubelet, wanted: str) -> None:
    headers = {**TOKEN, "Accept-Encoding": wanted}
    async with rig.session.get(f"{rig.server.url}/api/v1/nodes/n/proxy/healthz", headers=headers) as response:
        assert response.status == 200
    assert node.requests[0].headers["accept-encoding"] == wanted


async def test_nobody_asks_for_an_encoding_the_client_did_not_name(rig: Rig, node: FakeKubelet) -> None:
    url = f"{rig.server.url}/api/v1/nodes/n/proxy/healthz"
    async with rig.session.get(url, headers=TOKEN, skip_auto_headers=["Accept-Encoding"]) as response:
        assert response.status == 200
    assert node.requests[0].headers["accept-encoding"] == "identity"


async def test_services_are_proxied_to_a_ready_endpoint(rig: Rig, node: FakeKubelet) -> None:
    ports = [{"name": "https", "port": 443}]
    await rig.admin.create(
        SERVICES, {"metadata": {"name": "s", "namespace": "default"}, "spec": {"ports": ports}}
    )
    path = "/api/v1/namespaces/default/services/https:s:https/proxy"
    status, body, _ = await rig.http("GET", f"{path}/x")
    assert (status, body["message"]) == (503, 'no endpoints available for service "https:s:https"')
    slice_: dict[str, Any] = {
        "metadata": {
            "name": "s-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "s"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": node.port}],
    }
    with pytest.raises(ApiError):  # loopback is no endpoint address, as upstream has it
        await rig.admin.create(ENDPOINT_SLICES, slice_)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", ("http", "a", "")),
        ("a:80", ("http", "a", "80")),
        ("https:a:443", ("https", "a", "443")),
        ("https:a:", ("https", "a", "")),
        (":a:80", ("http", "a", "80")),
    ],
)
def test_names(text: str, expected: tuple[str, str, str]) -> None:
    assert split_name(text, "pod") == expected


@pytest.mark.parametrize("text", ["a:b:c", "https:a:b:c", "", ":80", "https::443"])
def test_names_that_make_no_sense(text: str) -> None:
    with pytest.raises(ApiError):
        split_name(text, "pod")


async def read_page(rig: Rig, path: str) -> bytes:
    """A page behind the proxy, as its bytes come."""
    url = f"{rig.server.url}/api/v1/nodes/n/proxy{path}"
    async with rig.session.get(url, headers=TOKEN, auto_decompress=False) as response:
        assert response.status == 200
        return await response.read()


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_pages_of_any_length_are_rewritten(rig: Rig, node: FakeKubelet, encoding: str) -> None:
    link = b'<a href="/x">there</a>'
    page = (link + b" " * 1_000_000) * 10
    node.pages = {"/large": (gzip.compress(page) if encoding == "gzip" else page, encoding)}
    found = await read_page(rig, "/large")
    assert found == page.replace(b'"/x"', b'"/api/v1/nodes/n/proxy/x"')


async def test_packed_pages_may_follow_one_another(rig: Rig, node: FakeKubelet) -> None:
    node.pages = {"/two": (gzip.compress(b"<a href=") + gzip.compress(b"/x>"), "gzip")}
    assert await read_page(rig, "/two") == b"<a href=/api/v1/nodes/n/proxy/x>"


@pytest.mark.parametrize("page", [b"no gzip", gzip.compress(b"x" * 1000)[:-9]], ids=["none", "half"])
async def test_a_page_that_cannot_be_unpacked_breaks_off(rig: Rig, node: FakeKubelet, page: bytes) -> None:
    node.pages = {"/bad": (page, "gzip")}
    with pytest.raises(aiohttp.ClientPayloadError):
        await read_page(rig, "/bad")


async def test_an_answer_that_breaks_off_is_no_fault_of_the_server(
    rig: Rig, node: FakeKubelet, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"{rig.server.url}/api/v1/nodes/n/proxy/cut"
    async with rig.session.get(url, headers=TOKEN) as response:
        assert await response.content.readline() == b"first\n"
        node.more_log.set()
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.content.read()
    assert "the handler failed" not in caplog.text
