"""What runs in a pod may answer anything: the client is told of it, and the server goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from tests.apiserver.hostile.wire import Reply, connected, request
from tests.apiserver.rig import Rig
from tests.apiserver.subresources.wild_server import WildServer, wild_server
from tests.timing import PATIENCE_S
from wherry.apiserver.subresources import proxies

UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket"}


@pytest.fixture
async def wild(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WildServer]:
    monkeypatch.setattr(proxies, "_check_address", lambda address: None)
    async with wild_server(rig) as server:
        yield server


def answered(status: str, body: bytes = b"", *headers: str) -> bytes:
    """An answer as it goes on the wire."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def ask(rig: Rig, path: str, upgrade: bool, method: str = "GET") -> Reply:
    """The answer as it comes over the wire."""
    async with connected(rig.server.port) as peer:
        await peer.send(request(method, path, headers=UPGRADE if upgrade else None))
        return await peer.reply(has_body=method != "HEAD")


@pytest.mark.parametrize("status", ["400 Bad Request", "503 x"])
async def test_a_refused_upgrade_is_told_as_it_is(
    rig: Rig, wild: WildServer, status: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What the body says of a code changes nothing."""
    details = {"retryAfterSeconds": "x\r\nA: b"}
    for code in (101, 200, 99, -5, 4.5, 1000, "abc", [1], None):
        body = json.dumps({"kind": "Status", "code": code, "details": details}).encode()
        wild.answer = answered(status, body, "Content-Type: application/json", "X-Own: 1")
        reply = await ask(rig, wild.path, upgrade=True)
        assert (reply.code, reply.body) == (int(status[:3]), body)
        assert (reply.headers["content-type"], reply.headers["x-own"]) == ("application/json", "1")
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("code", [100, 200, 204, 302, 304, 399])
async def test_an_upgrade_that_is_neither_granted_nor_refused(rig: Rig, wild: WildServer, code: int) -> None:
    """Upstream's UpgradeAwareHandler."""
    wild.answer = answered(f"{code} x", b"", "Location: /elsewhere")
    reply = await ask(rig, wild.path, upgrade=True)
    assert reply.code == 500
    assert reply.json["message"] == f"invalid upgrade response: status code {code}"


async def test_a_refusal_without_a_length_ends_with_its_connection(rig: Rig, wild: WildServer) -> None:
    wild.answer = b"HTTP/1.1 404 Not Found\r\n\r\nno such thing"
    assert (await ask(rig, wild.path, upgrade=True))[::2] == (404, b"no such thing")
    wild.answer = b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n"
    assert (await ask(rig, wild.path, upgrade=True))[::2] == (404, b"no")


async def test_a_refusal_that_is_cut_off_is_not_taken_for_whole(rig: Rig, wild: WildServer) -> None:
    wild.answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 50\r\n\r\nno such thing"
    async with connected(rig.server.port) as peer:
        await peer.send(request("GET", wild.path, headers=UPGRADE))
        assert not (await peer.ended()).endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("upgrade", [False, True])
@pytest.mark.parametrize("status", ["000 x", "600 x", "999 x", "1000 x", "20 x", "abc x", ""])
async def test_a_status_no_answer_may_have(rig: Rig, wild: WildServer, status: str, upgrade: bool) -> None:
    wild.answer = answered(status, b"hello")
    reply = await ask(rig, wild.path, upgrade)
    assert reply.code in (500, 502, 503)
    assert reply.json["kind"] == "Status"


async def test_nobody_switches_protocols_unasked(rig: Rig, wild: WildServer) -> None:
    wild.answer = b"HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: own\r\n\r\nhello"
    reply = await ask(rig, wild.path, upgrade=False)
    assert (reply.code, reply.json["code"]) == (502, 502)
    assert reply.json["message"] == 'backend tried to switch protocol "own" when "" was requested'


@pytest.mark.parametrize("code", [204, 304])
async def test_an_answer_that_has_no_body_is_not_sent_in_chunks(
    rig: Rig, wild: WildServer, code: int
) -> None:
    wild.answer = f"HTTP/1.1 {code} x\r\n\r\n".encode()
    reply = await ask(rig, wild.path, upgrade=False)
    assert reply.code == code
    assert "transfer-encoding" not in reply.headers


@pytest.mark.parametrize("upgrade", [False, True])
@pytest.mark.parametrize("name", ["€.txt".encode(), b"\xff\xfe.txt"])
async def test_headers_pass_byte_for_byte(rig: Rig, wild: WildServer, name: bytes, upgrade: bool) -> None:
    status = b"404 x" if upgrade else b"200 x"
    told = b'attachment; filename="' + name + b'"'
    wild.answer = (
        b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nContent-Type: a/" + name
        + b"\r\nContent-Disposition: " + told + b"\r\n\r\n"
    )  # fmt: skip
    reply = await ask(rig, wild.path, upgrade)
    assert reply.headers["content-disposition"].encode("latin-1") == told
    assert reply.headers["content-type"].encode("latin-1") == b"a/" + name


@pytest.mark.parametrize("upgrade", [False, True])
async def test_a_clients_headers_pass_byte_for_byte(rig: Rig, wild: WildServer, upgrade: bool) -> None:
    wild.answer = answered("404 x")
    lines = [f"GET {wild.path} HTTP/1.1", "Host: x", "Authorization: Bearer admin-token", "User-Agent: €"]
    lines += [f"{name}: {value}" for name, value in UPGRADE.items()] if upgrade else []
    async with connected(rig.server.port) as peer:
        await peer.send("\r\n".join([*lines, "", ""]).encode())
        assert (await peer.reply()).code == 404
    assert "user-agent: €".encode() in wild.heads[0].lower()


async def test_pages_that_do_not_end_are_told_as_they_come(rig: Rig, wild: WildServer) -> None:
    """Nothing of them is kept for the rest."""
    wild.answer = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 100_000
    )
    ended = asyncio.Event()

    async def wait(writer: asyncio.StreamWriter) -> None:
        await ended.wait()

    wild.then = wait
    url = f"{rig.server.url}{wild.path}"
    async with rig.session.get(url, headers={"Authorization": "Bearer admin-token"}) as response:
        async with asyncio.timeout(PATIENCE_S):
            assert await response.content.readexactly(100_000) == b"x" * 100_000
        ended.set()
        response.close()


@pytest.mark.parametrize("upgrade", [False, True])
async def test_nobody_waits_for_informational_answers_without_end(
    rig: Rig, wild: WildServer, upgrade: bool
) -> None:
    """Five are read, as by Go's net/http."""

    async def flood(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000)
            await writer.drain()

    wild.then = flood
    async with asyncio.timeout(PATIENCE_S):
        reply = await ask(rig, wild.path, upgrade)
    assert reply.code == (500 if upgrade else 503)
    told = "invalid upgrade response: status code 100" if upgrade else "too many 1xx informational responses"
    assert told in reply.json["message"]


async def test_a_few_informational_answers_are_read(rig: Rig, wild: WildServer) -> None:
    wild.answer = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 5 + answered("200 OK", b"hello")
    reply = await ask(rig, wild.path, upgrade=False)
    assert (reply.code, reply.body) == (200, b"hello")
