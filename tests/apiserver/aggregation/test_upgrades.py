"""WebSockets and SPDY on the way to an extension API server: bytes go both ways, and it knows who asks."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.apiserver.aggregation.test_aggregation import NAME, ROOT, SERVICES, api_service, reason
from tests.apiserver.backing import ca_bundle, certificates, publish
from tests.apiserver.customresources.established import until
from tests.apiserver.rig import Rig, files, running

DISCOVERY = (
    b'{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"metrics.example.com/v1beta1",'
    b'"resources":[]}'
)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running() as made:
        yield made


@asynccontextmanager
async def extension(heads: list[str]) -> AsyncIterator[int]:
    """A server that grants every upgrade and says all it hears; `heads` gets what it was asked."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    pair = certificates()[1]
    context.load_cert_chain(str(pair.cert), str(pair.key))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            if "upgrade:" not in head.lower():
                length = f"Content-Type: application/json\r\nContent-Length: {len(DISCOVERY)}"
                writer.write(f"HTTP/1.1 200 OK\r\n{length}\r\nConnection: close\r\n\r\n".encode() + DISCOVERY)
                return
            heads.append(head)
            if "/refused" in head:
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
                return
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: any\r\n\r\n")
            while data := await reader.read(1024):
                writer.write(b"heard " + data)
                await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def ask(
    rig: Rig, method: str, path: str, protocol: str, token: str = "admin-token"
) -> tuple[str, bytes]:
    """The answer's head, and what comes back once "hello" was said."""
    context = ssl.create_default_context(cafile=str(files().authority.cert))
    context.check_hostname = False
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.server.port, ssl=context)
    try:
        lines = [
            f"{method} {path} HTTP/1.1",
            "Host: localhost",
            f"Authorization: Bearer {token}",
            "Connection: Upgrade",
            f"Upgrade: {protocol}",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
            "X-Remote-User: evil",
            "X-Own: kept",
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if " 101 " not in head.splitlines()[0]:
            return head, await reader.read(1024)
        writer.write(b"hello")
        return head, await reader.readexactly(len(b"heard hello"))
    finally:
        writer.close()


def _header(head: str, name: str) -> str:
    found = (line.partition(": ") for line in head.splitlines())
    return next((value for key, _, value in found if key.lower() == name), "")


@asynccontextmanager
async def served(rig: Rig) -> AsyncIterator[list[str]]:
    heads: list[str] = []
    async with extension(heads) as port:
        await publish(rig, port)
        await rig.http("POST", SERVICES, api_service(caBundle=ca_bundle()))
        await until(rig, f"{SERVICES}/{NAME}", lambda obj: reason(obj) == "Passed")
        yield heads


@pytest.mark.parametrize(("method", "protocol"), [("GET", "websocket"), ("POST", "SPDY/3.1")])
async def test_upgrades_are_passed_through(rig: Rig, method: str, protocol: str) -> None:
    async with served(rig) as heads:
        head, heard = await ask(rig, method, f"{ROOT}/nodes/n1/exec?command=a%20b", protocol)
        assert (head.splitlines()[0].split()[1], heard) == ("101", b"heard hello")
    lines = heads[0].splitlines()
    assert lines[0] == f"{method} {ROOT}/nodes/n1/exec?command=a%20b HTTP/1.1"
    assert _header(heads[0], "upgrade") == protocol
    assert _header(heads[0], "x-remote-user") == "admin"
    assert _header(heads[0], "x-own") == "kept"
    assert "X-Remote-Group: system:masters" in lines
    assert not [line for line in lines if "evil" in line or "Bearer" in line]
    assert len([line for line in lines if line.lower().startswith(("host:", "connection:"))]) == 2


async def test_refusals_are_passed_on(rig: Rig) -> None:
    async with served(rig):
        head, body = await ask(rig, "GET", f"{ROOT}/refused", "websocket")
        assert (head.splitlines()[0].split()[1], b"no" in body) == ("403", True)


async def test_a_stranger_gets_no_connection(rig: Rig) -> None:
    async with served(rig) as heads:
        head, _ = await ask(rig, "GET", f"{ROOT}/nodes/n1", "websocket", token="alice-token")
        assert head.splitlines()[0].split()[1] == "403"
        assert heads == []
