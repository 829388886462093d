"""The HTTPS transport against a server that goes silent: a peer that vanished without a word."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.timing import PATIENCE_S
from wherry.client import http
from wherry.client.http import HttpIdentity, HttpTransport
from wherry.cluster.pki import Pki
from wherry.kit.sockets import client_socket
from wherry.objects.errors import ApiError

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b'{"type":"ADDED","object":{"metadata":{"name":"a"}}}\n'


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """Answers a watch with one event and then says nothing, for ever; gives its port."""
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"%x\r\n%s\r\n" % (len(EVENT), EVENT))
        await gone.wait()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        gone.set()


@pytest.fixture
def identity(tmp_path: Path) -> HttpIdentity:
    authority = Pki(tmp_path, datetime.now(UTC)).authority
    return HttpIdentity(ca_file=authority.cert)


async def test_a_watch_that_falls_silent_ends(
    identity: HttpIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "WATCH_SILENCE_S", 0.2)
    async with silent_server() as port:
        transport = HttpTransport(f"http://127.0.0.1:{port}", identity)
        stream = transport.watch("/api/v1/pods", {"watch": "true"})
        assert (await anext(stream)).type == "ADDED"
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(ApiError) as caught:
                await anext(stream)
        assert caught.value.code == 503
        await transport.close()


async def test_its_sockets_notice_a_peer_that_vanished(
    identity: HttpIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[socket.socket] = []
    original = client_socket

    def noting(address: tuple[object, ...]) -> socket.socket:
        made.append(original(address))
        return made[-1]

    monkeypatch.setattr("wherry.client.http.client_socket", noting)
    async with silent_server() as port:
        transport = HttpTransport(f"http://127.0.0.1:{port}", identity)
        stream = transport.watch("/api/v1/pods", {"watch": "true"})
        await anext(stream)
        (connection,) = made
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        await transport.close()
