"""Between a client's WebSocket and the runtime's SPDY streams, for exec and attach.

kubectl speaks `v5.channel.k8s.io`: one byte of channel before each message, and a message to say
that stdin has ended, which `v4` lacks. containerd 1.6 knows v4 at most, so `cat < file` would never
end; its SPDY side can close stdin, hence this translation.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Protocol

from wherry.kit.tasks import Tasks
from wherry.kubelet.server.spdy import SpdyClient
from wherry.kubelet.server.tunnel import Upstream, connect

PROTOCOL = "v5.channel.k8s.io"
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
_SPDY_HEADERS = {
    "Connection": "Upgrade",
    "Upgrade": "SPDY/3.1",
    "X-Stream-Protocol-Version": "v4.channel.k8s.io",
}
_TYPES = {STDIN: "stdin", STDOUT: "stdout", STDERR: "stderr", ERROR: "error", RESIZE: "resize"}
_PIECE = 32 * 1024


class Socket(Protocol):
    """The client's WebSocket."""

    async def receive(self) -> bytes | str | None: ...

    async def send(self, message: bytes | str) -> None: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which streams were asked for."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False

    def channels(self) -> list[int]:
        """The channels to open, in the order upstream opens them."""
        flags = ((ERROR, True), (STDIN, self.stdin), (STDOUT, self.stdout))
        # On a terminal both outputs are one.
        more = ((STDERR, self.stderr and not self.tty), (RESIZE, self.tty))
        return [channel for channel, wanted in (*flags, *more) if wanted]


async def dial(url: str) -> Upstream:
    """Connect to the runtime's streaming server for SPDY. Raises UpgradeRefused, OSError."""
    return await connect(url, "POST", _SPDY_HEADERS)


async def bridge(socket: Socket, upstream: Upstream, wanted: Wanted) -> None:
    """Carry channels over to streams and back until the runtime is done or the client leaves."""
    client = SpdyClient(upstream.reader, upstream.writer)
    tasks = Tasks("bridge")
    try:
        streams = {
            channel: await client.open({"streamtype": _TYPES[channel]}) for channel in wanted.channels()
        }
        inward = tasks.spawn(_inward(socket, client, streams), "inward")
        outward = tasks.spawn(_outward(client, socket, streams), "outward")
        await asyncio.wait((inward, outward), return_when=asyncio.FIRST_COMPLETED)
    except ConnectionError:
        # The runtime hung up while streams were being opened: there is nothing more to carry.
        return
    finally:
        await tasks.close()
        await client.close()


async def _inward(socket: Socket, client: SpdyClient, streams: dict[int, int]) -> None:
    """From the client; returns when it leaves."""
    open_streams = {channel: streams[channel] for channel in (STDIN, RESIZE) if channel in streams}
    while (message := await socket.receive()) is not None:
        data = message.encode() if isinstance(message, str) else message
        if not data:
            continue
        channel, rest = data[0], data[1:]
        try:
            if channel == CLOSE:
                stream = open_streams.pop(rest[0], None) if rest else None
                if stream is not None:
                    await client.send(stream, b"", fin=True)
            elif channel in open_streams and rest:
                await client.send(open_streams[channel], rest)
        except ConnectionError:
            # The command is done and its stdin gone; what it said is still on its way out.
            open_streams.clear()


async def _outward(client: SpdyClient, socket: Socket, streams: dict[int, int]) -> None:
    """To the client; returns when every stream from the runtime has ended.

    The error channel must say how it ended, or the client would take a broken connection for success.
    """
    channels = {stream: channel for channel, stream in streams.items() if channel in (STDOUT, STDERR, ERROR)}
    left = set(channels)
    has_outcome = False
    async for frame in client.frames():
        channel = channels.get(frame.stream)
        if channel is None:
            continue
        has_outcome = has_outcome or (channel == ERROR and bool(frame.data))
        for at in range(0, len(frame.data), _PIECE):
            await socket.send(bytes((channel,)) + frame.data[at : at + _PIECE])
        if frame.fin:
            left.discard(frame.stream)
            if not left:
                break
    if not has_outcome:
        await socket.send(bytes((ERROR,)) + _failure("the container runtime hung up before the end"))


def _failure(message: str) -> bytes:
    """A `v1.Status` for the error channel."""
    status = {"metadata": {}, "status": "Failure", "message": message, "reason": "InternalError"}
    return json.dumps(status).encode()
