"""A server in a pod that answers with any bytes it likes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.apiserver.rig import Rig, account, pod
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.apiserver.encoding import decode, encode_stored


class WildServer:
    """Reads a request's head, sends `answer`, then does what `then` says and closes the connection."""

    def __init__(self) -> None:
        self.answer = b""
        self.port = 0
        self.heads: list[bytes] = []
        self.then: Callable[[asyncio.StreamWriter], Awaitable[None]] | None = None

    @property
    def path(self) -> str:
        """The pod's proxy."""
        return f"/api/v1/namespaces/default/pods/p:{self.port}/proxy/"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self.answer)
            await writer.drain()
            if self.then is not None:
                await self.then(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def wild_server(rig: Rig) -> AsyncIterator[WildServer]:
    """The server of pod p, on loopback: the caller lets that pass."""
    wild = WildServer()
    server = await asyncio.start_server(wild._serve, "127.0.0.1", 0)
    wild.port = server.sockets[0].getsockname()[1]
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    await rig.admin.create(PODS, pod("p", nodeName="n"))
    cached = await rig.store.get("/registry/pods/default/p")
    assert cached is not None
    stored = {**decode(cached.value), "status": {"podIP": "127.0.0.1"}}
    await rig.store.update("/registry/pods/default/p", encode_stored(stored), expected=cached.revision)
    try:
        yield wild
    finally:
        server.close()
