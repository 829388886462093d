"""What `wherry status` learns from /readyz: nothing fails, checks that fail, no answer."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wherry.cluster.config import Setup
from wherry.cluster.health import ServerHealth, server_health
from wherry.cluster.identities import API_SERVER, ensure_identities
from wherry.cluster.paths import ClusterPaths

FAILING = """\
[+]ping ok
[-]store failed: reason withheld
[+]log ok
[-]poststarthook/bootstrap failed: not finished
readyz check failed
"""


@pytest.fixture
def paths(tmp_path: Path) -> ClusterPaths:
    return ClusterPaths.of("t", tmp_path / "data", tmp_path / "r")


@asynccontextmanager
async def api_server(paths: ClusterPaths, status: int, body: str) -> AsyncIterator[Setup]:
    """Something that answers /readyz like that, over TLS; gives the configuration that leads there."""
    config = Setup.of("t", node_name="t")
    identities = ensure_identities(config, paths, "127.0.0.1", datetime.now(UTC))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(identities.authority.cert))
    pair = identities.of(API_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    context.verify_mode = ssl.CERT_REQUIRED

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"GET /readyz?verbose ")
        writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        yield config.having({"api_port": server.sockets[0].getsockname()[1]})


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, "[+]ping ok\nreadyz check passed\n", ServerHealth([], [])),
        (200, "[+]ping ok\nwarn: it is full\nreadyz check passed\n", ServerHealth([], ["it is full"])),
        (500, FAILING, ServerHealth(["store", "poststarthook/bootstrap"], [])),
        (429, "too many requests", ServerHealth(["/readyz answers 429"], [])),
    ],
)
async def test_the_checks_that_fail_are_named(
    paths: ClusterPaths, status: int, body: str, expected: ServerHealth
) -> None:
    async with api_server(paths, status, body) as config:
        assert await asyncio.to_thread(server_health, config, paths) == expected


def test_no_answer_is_one_sentence(paths: ClusterPaths) -> None:
    config = Setup.of("t", node_name="t", api_port=1)
    ensure_identities(config, paths, "127.0.0.1", datetime.now(UTC))
    said = server_health(config, paths)
    assert said == ServerHealth(["the API server does not answer: Connection refused"], [])


def test_one_that_hangs_is_not_waited_for(paths: ClusterPaths) -> None:
    config = Setup.of("t", node_name="t")
    ensure_identities(config, paths, "127.0.0.1", datetime.now(UTC))
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        (said,) = server_health(config.having({"api_port": nobody.getsockname()[1]}), paths, 0.2).failing
    assert "timed out" in said
