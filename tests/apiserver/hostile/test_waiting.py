"""Clients that ask for much and read nothing of it: what waits for all of them together is bounded."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest

from tests.apiserver.hostile.served import Served, served
from tests.apiserver.hostile.wire import PROTOBUF, Peer, connected, head, request

log = logging.getLogger(__name__)

MIB = 1024 * 1024
MAPS = "/api/v1/namespaces/crowd/configmaps"
OBJECTS, OBJECT_BYTES = 500, 8 * 1024
CLIENTS = 200
GROWTH_BYTES = 224 * MIB
"""The bound for one user's clients, and 800 KiB each for the connection, its TLS and its first piece: 200 of
these lists at once would be 800 MiB."""


async def fill(server: Served) -> None:
    """500 ConfigMaps of 8 KiB, over one connection."""
    namespace = orjson.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "crowd"}})
    async with connected(server.port, server.context) as peer:
        await peer.send(
            request("POST", "/api/v1/namespaces", namespace, {"Content-Type": "application/json"})
        )
        assert (await peer.reply()).code == 201
        for number in range(OBJECTS):
            meta = {"name": f"m{number:03}", "namespace": "crowd"}
            data = {"text": f"{number:03}" * (OBJECT_BYTES // 3)}
            body = orjson.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})
            await peer.send(request("POST", MAPS, body, {"Content-Type": "application/json"}))
            assert (await peer.reply()).code == 201


@asynccontextmanager
async def deaf(server: Served, count: int, sent: bytes) -> AsyncIterator[None]:
    """Clients that send `sent`, and read nothing of the answer."""
    made: list[ssl.SSLSocket] = []

    def ask() -> None:
        bare = socket.socket()
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        bare.connect(("127.0.0.1", server.port))
        wrapped = server.context.wrap_socket(bare, server_hostname="127.0.0.1")
        wrapped.sendall(sent)
        made.append(wrapped)

    try:
        for _ in range(count):
            await asyncio.get_running_loop().run_in_executor(None, ask)
        yield
    finally:
        for one in made:
            one.close()


async def names_of(peer: Peer) -> int:
    """How many objects a whole list of JSON has, read on this connection."""
    await peer.send(head("GET", MAPS))
    return len((await peer.reply()).json["items"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(head("GET", MAPS), id="list"),
        pytest.param(head("GET", MAPS, Accept=PROTOBUF), id="list in protobuf"),
        pytest.param(head("GET", f"{MAPS}?watch=1&resourceVersion=0"), id="watch"),
    ],
)
async def test_many_who_do_not_read_hold_little(sent: bytes) -> None:
    async with served() as server:
        await fill(server)
        async with connected(server.port, server.context) as peer:
            assert await names_of(peer) == OBJECTS
            before = most = server.resident_bytes()
            async with deaf(server, CLIENTS, sent):
                for _ in range(10):
                    assert await names_of(peer) == OBJECTS, "who reads is served, and not cut off"
                    most = max(most, server.resident_bytes())
            log.info("%d MiB before, at most %d MiB", before // MIB, most // MIB)
            assert most - before < GROWTH_BYTES, (before // MIB, most // MIB)
