"""WebSockets, as a client of another make sees them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.conftest import eventually
from tests.kit.httpd.conftest import Dial
from tests.timing import PATIENCE_S
from wherry.kit.httpd import Request
from wherry.kit.httpd.message import Answer
from wherry.kit.httpd.server import Server
from wherry.kit.httpd.websocket import WebSocket, accept


class Rig:
    """A server whose WebSockets run `run`."""

    def __init__(self) -> None:
        self.run = echo
        self.sockets: list[WebSocket] = []
        self.server = Server(self.handle)

    def handle(self, request: Request) -> Answer:
        async def serve(socket: WebSocket) -> None:
            self.sockets.append(socket)
            await self.run(socket)

        return accept(request, ["v2", "v1"], serve, message_limit=1_000_000)


async def echo(socket: WebSocket) -> None:
    while (message := await socket.receive()) is not None:
        await socket.send(message)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    yield made
    await made.server.close()


@pytest.fixture
async def client(rig: Rig) -> AsyncIterator[aiohttp.ClientSession]:
    port = await rig.server.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        yield session


async def test_messages_come_back_as_they_were_sent(client: aiohttp.ClientSession) -> None:
    async with client.ws_connect("/") as socket:
        assert socket.protocol is None
        await socket.send_str("tëxt")
        assert await socket.receive_str() == "tëxt"
        for size in (0, 1, 125, 126, 65535, 65536, 900_000):
            await socket.send_bytes(b"x" * size)
            assert await socket.receive_bytes() == b"x" * size


async def test_the_clients_first_known_protocol_is_spoken(client: aiohttp.ClientSession, rig: Rig) -> None:
    async with client.ws_connect("/", protocols=["v9", "v1", "v2"]) as socket:
        assert socket.protocol == "v1"
    assert rig.sockets[0].subprotocol == "v1"
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.ws_connect("/", protocols=["v9"])
    assert refused.value.status == 400


async def test_pings_are_answered(client: aiohttp.ClientSession) -> None:
    async with client.ws_connect("/", autoping=False) as socket:
        await socket.ping(b"are you there")
        answer = await socket.receive(timeout=60)
        assert (answer.type, answer.data) == (aiohttp.WSMsgType.PONG, b"are you there")


async def test_the_server_can_ping(client: aiohttp.ClientSession, rig: Rig) -> None:
    async def run(socket: WebSocket) -> None:
        await socket.ping(b"hello")
        await echo(socket)

    rig.run = run
    async with client.ws_connect("/", autoping=False) as socket:
        assert (await socket.receive(timeout=60)).type is aiohttp.WSMsgType.PING


async def test_what_is_sent_last_arrives_before_the_close(client: aiohttp.ClientSession, rig: Rig) -> None:
    async def run(socket: WebSocket) -> None:
        await socket.receive()
        await socket.send(b"status")
        await socket.close(1001, "going")
        await socket.send(b"too late")
        assert socket.closed

    rig.run = run
    async with client.ws_connect("/") as socket:
        for _ in range(50):
            await socket.send_bytes(bytes(10_000))  # unread by the server when it closes
        assert await socket.receive_bytes() == b"status"
        closing = await socket.receive(timeout=60)
        assert (closing.type, closing.data, closing.extra) == (aiohttp.WSMsgType.CLOSE, 1001, "going")


async def test_the_end_of_run_closes(client: aiohttp.ClientSession, rig: Rig) -> None:
    async def run(socket: WebSocket) -> None:
        await socket.send("bye")

    rig.run = run
    async with client.ws_connect("/") as socket:
        assert await socket.receive_str() == "bye"
        assert (await socket.receive(timeout=60)).data == 1000


async def test_a_run_that_fails_says_so(
    client: aiohttp.ClientSession, rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    async def run(socket: WebSocket) -> None:
        raise ValueError("broken")

    rig.run = run
    async with client.ws_connect("/") as socket:
        assert (await socket.receive(timeout=60)).data == 1011
    await eventually(lambda: "ValueError: broken" in caplog.text)


async def test_too_large_a_message_ends_it(client: aiohttp.ClientSession) -> None:
    async with client.ws_connect("/") as socket:
        await socket.send_bytes(bytes(1_000_001))
        assert (await socket.receive(timeout=60)).data == 1009


async def test_receive_ends_when_the_client_closes_or_vanishes(rig: Rig, dial: Dial) -> None:
    received: asyncio.Queue[bytes | str | None] = asyncio.Queue()

    async def run(socket: WebSocket) -> None:
        try:
            while True:
                received.put_nowait(message := await socket.receive())
                if message is None:
                    return
        except asyncio.CancelledError:
            received.put_nowait("cancelled")
            raise

    rig.run = run
    port = await rig.server.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        async with session.ws_connect("/") as socket:
            await socket.send_str("a")
        assert [await received.get(), await received.get()] == ["a", None]
    peer = await dial(port)
    peer.get("/", *HANDSHAKE)
    assert (await peer.head()).status == 101
    await peer.close()
    assert await asyncio.wait_for(received.get(), PATIENCE_S) in (None, "cancelled")


async def test_broken_frames_end_it(rig: Rig, dial: Dial) -> None:
    peer = await dial(await rig.server.start())
    peer.get("/", *HANDSHAKE)
    assert (await peer.head()).status == 101
    peer.send(b"\x81\x02hi")  # a client must mask
    frame = await peer.reader.readexactly(4)
    assert (frame[:1], frame[2:]) == (b"\x88", b"\x03\xea"), "a close with 1002, protocol error"
    await peer.close()


HANDSHAKE = (
    "Connection: keep-alive, Upgrade",
    "Upgrade: WebSocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


async def test_the_handshake_is_the_standards_example(rig: Rig, dial: Dial) -> None:
    peer = await dial(await rig.server.start())
    peer.get("/", *HANDSHAKE)
    reply = await peer.head()
    assert reply.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert "sec-websocket-protocol" not in reply.headers
    await peer.close()


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ((), 400),
        (HANDSHAKE[:3], 400),
        ((*HANDSHAKE[:2], "Sec-WebSocket-Version: 8", HANDSHAKE[3]), 426),
    ],
)
async def test_other_requests_are_refused(rig: Rig, lines: tuple[str, ...], status: int, dial: Dial) -> None:
    peer = await dial(await rig.server.start())
    peer.get("/", *lines)
    assert (await peer.reply()).status == status
    await peer.close()
