"""Port forwarding inside a WebSocket: kubectl wraps the SPDY it always spoke in binary messages.

Nothing needs translating, only unwrapping: the messages' bytes, joined, are the SPDY connection.
"""

from __future__ import annotations

import asyncio

from wherry.kit.tasks import Tasks
from wherry.kubelet.server.bridge import Socket
from wherry.kubelet.server.tunnel import Upstream, connect

PORT_FORWARD_TUNNEL = "SPDY/3.1+portforward.k8s.io"
_SPDY_HEADERS = {
    "Connection": "Upgrade",
    "Upgrade": "SPDY/3.1",
    "X-Stream-Protocol-Version": "portforward.k8s.io",
}
_PIECE = 32 * 1024


async def dial_ports(url: str) -> Upstream:
    """Connect to the runtime for port forwarding. Raises UpgradeRefused, OSError."""
    return await connect(url, "POST", _SPDY_HEADERS)


async def tunnel_frames(socket: Socket, upstream: Upstream) -> None:
    """Carry bytes over until either side ends."""
    tasks = Tasks("port-forward")
    try:
        inward = tasks.spawn(_inward(socket, upstream), "inward")
        outward = tasks.spawn(_outward(upstream, socket), "outward")
        await asyncio.wait((inward, outward), return_when=asyncio.FIRST_COMPLETED)
    finally:
        upstream.writer.close()  # at once: whoever is told to end here may be told so again
        await tasks.close()
        await upstream.close()


async def _inward(socket: Socket, upstream: Upstream) -> None:
    try:
        while (message := await socket.receive()) is not None:
            upstream.writer.write(message.encode() if isinstance(message, str) else message)
            await upstream.writer.drain()
    except ConnectionError:
        return


async def _outward(upstream: Upstream, socket: Socket) -> None:
    try:
        while data := await upstream.reader.read(_PIECE):
            await socket.send(data)
    except ConnectionError:
        return
