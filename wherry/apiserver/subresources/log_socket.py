"""Logs over a WebSocket, as browsers ask for them: what comes from the kubelet, a message per piece.

Messages are binary, or base64 in text for `base64.binary.k8s.io`; one who follows gets an empty message at
once, to see that the log is open. Source: apiserver's util/wsstream, Reader.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from wherry.apiserver.outbound import Unreachable
from wherry.apiserver.watch_socket import until_closed
from wherry.kit.httpd.message import Request, Response, UpgradeResponse
from wherry.kit.httpd.websocket import WebSocket, accept

if TYPE_CHECKING:
    import aiohttp

log = logging.getLogger(__name__)

BINARY, BASE64 = "binary.k8s.io", "base64.binary.k8s.io"
PIECE_B = 64 * 1024
"""Bytes of a message at most."""


def log_socket(
    request: Request, response: aiohttp.ClientResponse, held: AsyncExitStack, *, follows: bool
) -> UpgradeResponse | Response:
    """The answer that sends `response` on as messages; `held` is closed at its end."""

    async def serve(socket: WebSocket) -> None:
        encode = _encoder(socket.subprotocol)

        async def pump() -> None:
            try:
                if follows:
                    await socket.send(encode(b""))
                while piece := await response.content.read(PIECE_B):
                    await socket.send(encode(piece))
            except (Unreachable, OSError, TimeoutError) as error:
                log.info("a log passed on broke off: %s", error)
                socket.abort()

        async with held:
            await until_closed(socket, pump())

    return accept(request, (BINARY, BASE64), serve)


def _encoder(subprotocol: str) -> Callable[[bytes], bytes | str]:
    if subprotocol == BASE64:
        return lambda piece: base64.b64encode(piece).decode("ascii")
    return bytes
