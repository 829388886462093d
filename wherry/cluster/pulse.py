"""How a component shows that its event loop turns: it answers a byte on a socket of its own.

Not a request: who asks needs no certificate, and a server that is busy or refuses everybody still answers.
Nothing happens unless somebody asks. The supervisor's half is `watchdog`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

ANSWER = b"."


class _Answers(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's are not derived from it

    def data_received(self, data: bytes) -> None:
        self._transport.write(ANSWER)


@asynccontextmanager
async def answering(socket: Path) -> AsyncIterator[None]:
    """Answer on `socket` while the block runs. Raises OSError."""
    socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    socket.unlink(missing_ok=True)
    server = await asyncio.get_running_loop().create_unix_server(_Answers, str(socket))
    try:
        socket.chmod(0o600)
        yield
    finally:
        server.close()
        socket.unlink(missing_ok=True)
