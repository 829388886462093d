"""Proxies lead to the address that was checked and nowhere else, however a path is spelt."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from yarl import URL

from tests.apiserver.rig import Rig, account, pod
from tests.apiserver.subresources.fake_kubelet import FakeKubelet, kubelet
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.core.services import SERVICES
from wherry.apiserver.encoding import decode, encode_stored
from wherry.apiserver.subresources import proxies
from wherry.kit.httpd.message import Request, Response
from wherry.kit.httpd.server import Server

TOKEN = {"Authorization": "Bearer admin-token"}
KINDS = ("namespaces/default/pods/https:p:{port}", "namespaces/default/services/https:s:https", "nodes/n")


@pytest.fixture
async def backend(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeKubelet]:
    """Kubelet of node n, pod p and service s alike; on loopback, which is let pass here alone."""
    monkeypatch.setattr(proxies, "_check_address", lambda address: None)
    async with kubelet(demands=False) as fake:
        node = await rig.admin.create(NODES, {"metadata": {"name": "n"}})
        node["status"] = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": fake.port}},
        }
        await rig.admin.update_status(NODES, node)
        await rig.admin.create(SERVICE_ACCOUNTS, account())
        await rig.admin.create(PODS, pod("p", nodeName="n"))
        cached = await rig.store.get("/registry/pods/default/p")
        assert cached is not None
        stored = {**decode(cached.value), "status": {"podIP": "127.0.0.1"}}
        await rig.store.update("/registry/pods/default/p", encode_stored(stored), expected=cached.revision)
        ports = [{"name": "https", "port": 443}]
        await rig.admin.create(
            SERVICES, {"metadata": {"name": "s", "namespace": "default"}, "spec": {"ports": ports}}
        )
        slice_ = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "s", "namespace": "default", "labels": {"kubernetes.io/service-name": "s"}},
            "addressType": "IPv4",
            "ports": [{"name": "https", "port": fake.port}],
            "endpoints": [{"addresses": ["127.0.0.1"]}],
        }
        await rig.store.create("/registry/endpointslices/default/s", encode_stored(slice_))
        yield fake


@pytest.fixture
async def bystander() -> AsyncIterator[tuple[int, list[Request]]]:
    """Something else on the machine, which trusts whoever reaches it."""
    requests: list[Request] = []

    def handle(request: Request) -> Response:
        requests.append(request)
        return Response(b"secret", content_type="text/plain")

    server = Server(handle)
    port = await server.start()
    try:
        yield port, requests
    finally:
        await server.close()


TAILS = (
    ("%2f@127.0.0.1:{port}/x", "/@127.0.0.1:{port}/x"),
    ("%2F%40127.0.0.1:{port}/x", "/@127.0.0.1:{port}/x"),
    ("%2f%2f@127.0.0.1:{port}/x", "//@127.0.0.1:{port}/x"),
    ("%2f:x@127.0.0.1:{port}/x", "/:x@127.0.0.1:{port}/x"),
    ("%2f.127.0.0.1:{port}/x", "/.127.0.0.1:{port}/x"),
    ("/@127.0.0.1:{port}/x", "/@127.0.0.1:{port}/x"),
    ("//127.0.0.1:{port}/x", "//127.0.0.1:{port}/x"),
    ("/http://127.0.0.1:{port}/x", "/http://127.0.0.1:{port}/x"),
    ("/%5c@127.0.0.1:{port}/x", "/\\@127.0.0.1:{port}/x"),
)
"""What stands behind `proxy` in a path, and the path the server behind it is asked for."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("upgraded", [False, True])
async def test_no_path_leads_past_the_server(
    rig: Rig, backend: FakeKubelet, bystander: tuple[int, list[Request]], kind: str, upgraded: bool
) -> None:
    port, reached = bystander
    headers = {**TOKEN, **({"Connection": "Upgrade", "Upgrade": "SPDY/3.1"} if upgraded else {})}
    for tail, _ in TAILS:
        path = f"/api/v1/{kind.format(port=backend.port)}/proxy{tail.format(port=port)}"
        async with rig.session.get(URL(rig.server.url + path, encoded=True), headers=headers) as response:
            assert response.status == (101 if upgraded else 200), tail
            response.close()
    assert reached == []
    assert [request.path for request in backend.requests] == [path.format(port=port) for _, path in TAILS]
    assert {request.headers["host"] for request in backend.requests} == {f"127.0.0.1:{backend.port}"}


@pytest.mark.parametrize("kind", ["pods/p:99999", "pods/https:p:99999", "pods/p:0", f"pods/p:{'9' * 5000}"])
@pytest.mark.parametrize("upgraded", [False, True])
async def test_a_port_that_is_none(rig: Rig, backend: FakeKubelet, kind: str, upgraded: bool) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"} if upgraded else {}
    status, body, _ = await rig.http("GET", f"/api/v1/namespaces/default/{kind}/proxy/", headers=headers)
    assert (status, body["reason"]) == (503, "ServiceUnavailable")
    assert body["message"].startswith("error trying to reach service: dial tcp: address ")
    assert body["message"].endswith(": invalid port")


async def test_the_kubelets_certificate_is_shown_to_kubelets_alone(
    rig: Rig, backend: FakeKubelet, bystander: tuple[int, list[Request]]
) -> None:
    """A port of the node that is not the kubelet's is asked as asked for: another scheme, no certificate."""
    port, reached = bystander
    assert (await rig.http("GET", f"/api/v1/nodes/n:{backend.port}/proxy/x"))[:2] == (200, "hello")
    assert (await rig.http("GET", f"/api/v1/nodes/n:{port}/proxy/x"))[:2] == (200, "secret")
    assert [request.path for request in reached] == ["/x"]
    node = await rig.admin.get(NODES, "n")
    node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"] = 1
    await rig.admin.update_status(NODES, node)
    assert (await rig.http("GET", f"/api/v1/nodes/https:n:{backend.port}/proxy/x"))[:2] == (200, "hello")
    assert [request.connection.peer_certificate is None for request in backend.requests] == [False, True]


async def test_a_nodes_loopback_is_the_servers_own(rig: Rig) -> None:
    node = await rig.admin.create(NODES, {"metadata": {"name": "n"}})
    for host in ("127.0.0.1", "localhost"):
        node["status"] = {"addresses": [{"type": "Hostname", "address": host}]}
        node = await rig.admin.update_status(NODES, node)
        status, body, _ = await rig.http("GET", "/api/v1/nodes/n:80/proxy/x")
        assert (status, body["message"]) == (400, "address not allowed")


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_is_told_who_asks(rig: Rig, backend: FakeKubelet, kind: str) -> None:
    headers = {**TOKEN, "X-Remote-User": "evil", "X_Remote_Group": "evil", "X-Remote-Extra-A": "evil"}
    url = f"{rig.server.url}/api/v1/{kind.format(port=backend.port)}/proxy/x"
    for more in ({}, {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}):
        async with rig.session.get(url, headers={**headers, **more}) as response:
            response.close()
    assert len(backend.requests) == 2
    assert not any("evil" in request.headers.values() for request in backend.requests)


@pytest.mark.parametrize(
    ("content_type", "is_rewritten"),
    [
        ("text/html", True),
        ("text/html; charset=UTF-8", True),
        ('text/html; charset="iso-8859-1"', True),
        ("text/html; charset=us-ascii", True),
        ("text/html; charset=punycode", False),
        ("text/html; charset=idna", False),
        ("text/html; charset=undefined", False),
        ("text/html; charset=utf-16", False),
        ("text/html; charset=utf-7", False),
        ("text/plain; charset=utf-8", False),
    ],
)
async def test_what_a_page_says_it_is_written_in(
    rig: Rig, backend: FakeKubelet, content_type: str, is_rewritten: bool
) -> None:
    """Only bytes of ASCII are looked at: a page comes out as it went in, its links apart."""
    page = b'<a href="/x">' + bytes(range(128, 256)) * 300
    backend.pages = {"/p": (page, "identity")}
    backend.page_type = content_type
    url = f"{rig.server.url}/api/v1/nodes/n/proxy/p"
    async with rig.session.get(url, headers=TOKEN) as response:
        assert response.headers["Content-Type"] == content_type
        body = await response.read()
    assert body == (page.replace(b"/x", b"/api/v1/nodes/n/proxy/x") if is_rewritten else page)


async def test_cookies_are_a_matter_of_the_client(rig: Rig, backend: FakeKubelet) -> None:
    session = aiohttp.ClientSession(connector=rig.session.connector, connector_owner=False)
    async with (
        session,
        session.get(f"{rig.server.url}/api/v1/nodes/n/proxy/x", headers={**TOKEN, "Cookie": "mine=1"}),
    ):
        assert backend.requests[0].headers["cookie"] == "mine=1"
