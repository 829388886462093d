"""Connections to other servers: where they lead, whom they believe, what they carry."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from tests.timing import PATIENCE_S
from wherry.apiserver import outbound as outbound_module
from wherry.apiserver.outbound import (
    ANYBODY,
    Outbound,
    Target,
    Trust,
    Unreachable,
    passed_headers,
    read_answer,
)
from wherry.cluster.leaves import Subject
from wherry.cluster.pki import Pki
from wherry.kit.httpd.message import Request, RequestHeaders, Response
from wherry.kit.httpd.server import Server
from wherry.kit.sockets import client_socket

SERVER = Subject(common_name="server", hosts=("127.0.0.1",))


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    made = Outbound()
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def serving(
    context: ssl.SSLContext | None = None, headers: tuple[tuple[str, str], ...] = ()
) -> AsyncIterator[tuple[Target, list[Request]]]:
    """A server on loopback, and the requests it got."""
    requests: list[Request] = []

    def handle(request: Request) -> Response:
        requests.append(request)
        return Response(b"hello", headers=headers)

    server = Server(handle, ssl_context=context)
    port = await server.start()
    try:
        yield Target("https" if context else "http", "127.0.0.1", port), requests
    finally:
        await server.close()


@pytest.mark.parametrize(
    ("host", "path", "asked"),
    [
        ("10.0.0.1", "/", "http://10.0.0.1:8080/?a=%20"),
        ("fd00::1", "/%2f@127.0.0.1:1/x", "http://[fd00::1]:8080/%2f@127.0.0.1:1/x?a=%20"),
        ("Node-A.example", "//x/..//@y", "http://Node-A.example:8080//x/..//@y?a=%20"),
    ],
)
def test_a_url_leads_to_its_target(host: str, path: str, asked: str) -> None:
    url = Target("http", host, 8080).url(path, "a=%20")
    assert str(url) == asked
    assert (url.raw_host, url.port, url.raw_path) == (host, 8080, path)


@pytest.mark.parametrize(
    "path", ["", "@127.0.0.1", "%2f@127.0.0.1:1/", "x", "/a b", "/a\r\nX: y", "/a#b", "/a?b"]
)
def test_no_path_leads_elsewhere(path: str) -> None:
    with pytest.raises(Unreachable):
        Target("http", "10.0.0.1", 80).url(path)


@pytest.mark.parametrize("host", ["", "a@b", "a/b", "a b", "ä.de", "[::1]", "a?b", "a#b", "a\\b"])
def test_no_host_leads_elsewhere(host: str) -> None:
    with pytest.raises(Unreachable):
        Target("http", host, 80).url("/")


@pytest.mark.parametrize("port", [0, -1, 65536, 99999])
async def test_ports_that_are_none(outbound: Outbound, port: int) -> None:
    target = Target("http", "127.0.0.1", port)
    with pytest.raises(Unreachable, match=f"dial tcp: address {port}: invalid port"):
        target.url("/")
    with pytest.raises(Unreachable, match="invalid port"):
        await outbound.connect(target)


async def test_nothing_is_sent_but_what_the_caller_says(outbound: Outbound) -> None:
    async with serving(headers=(("Set-Cookie", "who=first; Path=/"),)) as (target, requests):
        for _ in range(2):
            async with outbound.request("POST", target, "/x", headers={"a": "b"}, body=b"{}") as response:
                assert await read_answer(response, 100) == b"hello"
    assert {name: value for name, value in requests[1].headers.items() if name != "host"} == {
        "a": "b",
        "content-length": "2",
    }


async def test_a_large_body_goes_in_pieces(outbound: Outbound) -> None:
    body = bytes(range(256)) * 10_000
    async with serving() as (target, requests), outbound.request("PUT", target, "/", body=body) as response:
        assert response.status == 200
    assert (requests[0].body, requests[0].headers["content-length"]) == (body, str(len(body)))
    assert "content-type" not in requests[0].headers


async def test_redirects_are_not_followed(outbound: Outbound) -> None:
    elsewhere = (("Location", "http://127.0.0.1:1/"),)
    async with serving(headers=elsewhere) as (target, _), outbound.request("GET", target, "/") as response:
        assert response.status == 200


async def test_an_answer_that_is_too_long(outbound: Outbound) -> None:
    async with serving() as (target, _), outbound.request("GET", target, "/") as response:
        with pytest.raises(Unreachable, match="more than 3 bytes"):
            await read_answer(response, 3)


async def test_nobody_there(outbound: Outbound) -> None:
    async with serving() as (target, _):
        pass
    with pytest.raises(Unreachable, match=f"^GET http://{target.authority}/x: "):
        async with outbound.request("GET", target, "/x"):
            pass
    with pytest.raises(Unreachable, match=f"^dial tcp {target.authority}: "):
        await outbound.connect(target)


async def test_a_peer_that_vanishes_is_noticed(outbound: Outbound, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else an exec of a node that lost its power stays open for ever."""
    made: list[socket.socket] = []

    def recorded(address: tuple[Any, ...]) -> socket.socket:
        made.append(client_socket(address))
        return made[-1]

    monkeypatch.setattr(outbound_module, "client_socket", recorded)
    async with serving() as (target, _):
        _, writer = await outbound.connect(target)
        found = writer.get_extra_info("socket")
        assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        writer.close()
        async with outbound.request("GET", target, "/") as response:
            assert response.status == 200
            assert [item.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) for item in made] == [1]


def server_context(pki: Pki) -> ssl.SSLContext:
    """TLS that asks for certificates of the same authority."""
    pair = pki.leaf("server", SERVER)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(pair.cert), str(pair.key))
    context.load_verify_locations(str(pki.authority.cert))
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def test_certificates_are_read_again_when_they_change(outbound: Outbound, tmp_path: Path) -> None:
    pki, other = Pki(tmp_path / "a", datetime.now(UTC)), Pki(tmp_path / "b", datetime.now(UTC))
    pair, strange = (
        pki.leaf("client", Subject(common_name="c")),
        other.leaf("client", Subject(common_name="c")),
    )
    shown = tmp_path / "shown.pem"
    trust = Trust(ca_file=pki.authority.cert, cert_file=shown)
    async with serving(server_context(pki)) as (target, requests):
        shown.write_bytes(strange.cert.read_bytes() + strange.key.read_bytes())
        with pytest.raises(Unreachable):
            async with outbound.request("GET", target, "/", trust=trust) as response:
                await response.read()
        shown.write_bytes(pair.cert.read_bytes() + pair.key.read_bytes())
        async with outbound.request("GET", target, "/", trust=trust) as response:
            assert response.status == 200
        assert outbound._tls(trust, target) is outbound._tls(trust, target), "made once, not per request"
    assert len(requests) == 1


@pytest.mark.parametrize(("name", "is_believed"), [("127.0.0.1", True), ("", True), ("other.svc", False)])
async def test_the_certificate_must_be_for_the_name(
    outbound: Outbound, tmp_path: Path, name: str, is_believed: bool
) -> None:
    pki = Pki(tmp_path, datetime.now(UTC))
    client = pki.leaf("client", Subject(common_name="c"))
    trust = Trust(ca_file=pki.authority.cert, server_name=name, cert_file=client.cert, key_file=client.key)
    async with serving(server_context(pki)) as (target, requests):
        try:
            async with outbound.request("GET", target, "/", trust=trust) as response:
                await response.read()
            _, writer = await outbound.connect(target, trust)
            writer.close()
        except Unreachable:
            pass
    assert bool(requests) is is_believed


async def test_a_server_certificate_is_no_clients(outbound: Outbound, tmp_path: Path) -> None:
    """Nobody logs in with what a server shows: it may only serve."""
    pki = Pki(tmp_path, datetime.now(UTC))
    pair = pki.leaf(
        "kubelet", Subject(common_name="system:node:a", organizations=("system:nodes",), hosts=("a",))
    )
    trust = Trust(ca_file=pki.authority.cert, cert_file=pair.cert, key_file=pair.key)
    async with serving(server_context(pki)) as (target, requests):
        with pytest.raises(Unreachable):
            async with outbound.request("GET", target, "/", trust=trust) as response:
                await response.read()
    assert requests == []


async def test_anybody_will_do_for_pods(outbound: Outbound, tmp_path: Path) -> None:
    pki = Pki(tmp_path, datetime.now(UTC))
    pair = pki.leaf("server", SERVER)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(pair.cert), str(pair.key))
    async with serving(context) as (target, requests):
        async with outbound.request("GET", target, "/", trust=ANYBODY) as response:
            assert response.status == 200
        _, writer = await asyncio.wait_for(outbound.connect(target), PATIENCE_S)
        writer.close()
    assert len(requests) == 1


def test_what_goes_on_of_a_clients_headers() -> None:
    kept = {"accept": "text/html", "content-type": "text/plain", "cookie": "a=b", "x-remotely": "1"}
    dropped = {
        "host": "h", "authorization": "Bearer t", "connection": "keep-alive, X-Own", "x-own": "1",
        "impersonate-user": "root", "impersonate-extra-a": "b", "x-remote-user": "u", "x_remote_group": "g",
        "x-remote-extra-a": "b", "transfer-encoding": "chunked", "content-length": "3", "te": "trailers",
    }  # fmt: skip
    headers = RequestHeaders({**kept, **dropped})
    headers.add("cookie", "c=d")
    passed = passed_headers(headers)
    assert dict(passed[:2] + passed[4:]) == {k: v for k, v in kept.items() if k != "cookie"} | {
        "accept-encoding": "identity"
    }
    assert passed[2:4] == [("cookie", "a=b"), ("cookie", "c=d")], "joined by a comma they would be one cookie"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://10.0.0.1:80/x",
        "http://10.0.0.2:80/x",
        "http://10.0.0.1:81/x",
        "http://who@10.0.0.1:80/x",
        "http://10.0.0.1:80/y",
    ],
)
def test_a_url_that_came_out_otherwise_is_not_asked_for(
    monkeypatch: pytest.MonkeyPatch, elsewhere: str
) -> None:
    """Whatever the library that makes URLs makes of one."""
    monkeypatch.setattr(URL, "build", lambda **_: URL(elsewhere, encoded=True))
    with pytest.raises(Unreachable, match=r"leads elsewhere than to 10\.0\.0\.1:80"):
        Target("http", "10.0.0.1", 80).url("/x")
