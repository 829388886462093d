"""The HTTP front is tried on both event loops; they differ in more than speed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import pytest
import uvloop

from tests.kit.httpd.peer import Peer

Dial = Callable[..., Awaitable[Peer]]


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every test of this folder on each of these loops."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def dial() -> AsyncIterator[Dial]:
    """Connect to a port, with TLS if given a context; hangs up at the test's end."""
    peers: list[Peer] = []

    async def connect(port: int, tls: ssl.SSLContext | None = None) -> Peer:
        peers.append(await Peer.connect(port, tls))
        return peers[-1]

    yield connect
    for peer in peers:
        await peer.close()
