"""What peers may not do: let answers pile up, never take them, be too many, fill memory with bodies."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import eventually
from tests.kit.httpd.conftest import Dial
from tests.kit.httpd.peer import self_signed
from tests.timing import PATIENCE_S
from wherry.kit.clock import FakeClock, SystemClock
from wherry.kit.httpd import Request, Response, StreamResponse
from wherry.kit.httpd.message import Answer, Connection, Handler, Writer
from wherry.kit.httpd.parsing import Held
from wherry.kit.httpd.server import USER_TIMEOUT_MS, Server

Made = Callable[..., Server]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def server_of(clock: FakeClock) -> AsyncIterator[Made]:
    servers: list[Server] = []

    def make(handler: Handler, **options: Any) -> Server:
        servers.append(Server(handler, **{"clock": clock, **options}))
        return servers[-1]

    yield make
    for server in servers:
        await server.close()


def greedy(port: int) -> socket.socket:
    """A connection whose answers fill the kernel's buffers at once."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", port))
    sock.setblocking(False)
    return sock


async def settled(value: Callable[[], int]) -> int:
    """The value once it has not changed for a while."""
    last, same = value(), 0
    while same < 20:
        await asyncio.sleep(0.005)
        same = same + 1 if value() == last else 0
        last = value()
    return last


@pytest.mark.parametrize("is_late", [False, True])
async def test_no_request_begins_while_answers_wait_to_be_taken(server_of: Made, is_late: bool) -> None:
    answered = 0
    body = bytes(100_000)

    def handle(request: Request) -> Answer | Awaitable[Answer]:
        nonlocal answered
        answered += 1
        return later() if is_late else Response(body)

    async def later() -> Answer:
        await asyncio.sleep(0)
        return Response(body)

    port = await server_of(handle).start()
    sock = greedy(port)
    loop = asyncio.get_running_loop()
    count = 200
    sending = asyncio.ensure_future(loop.sock_sendall(sock, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * count))
    begun = await settled(lambda: answered)
    assert begun < 100, "the kernel takes some; the rest waits"
    got = 0
    while got < count * len(body):
        got += len(await loop.sock_recv(sock, 1 << 20))
    await sending
    await eventually(lambda: answered == count)
    sock.close()


async def test_what_waited_behind_an_answer_waits_for_it_to_be_taken(server_of: Made) -> None:
    """Of a whole pipeline that came while the first answer was made."""
    answered, release = 0, asyncio.Event()

    def handle(request: Request) -> Answer | Awaitable[Answer]:
        nonlocal answered
        answered += 1
        return later() if request.path == "/first" else Response(bytes(4_000_000))

    async def later() -> Answer:
        await release.wait()
        return Response(bytes(4_000_000))

    server = server_of(handle)
    sock = greedy(await server.start())
    loop = asyncio.get_running_loop()
    sent = b"GET /first HTTP/1.1\r\nHost: x\r\n\r\n" + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 8
    await loop.sock_sendall(sock, sent)
    await eventually(lambda: any(len(protocol._pending) == 8 for protocol in server._site.protocols))
    release.set()
    await eventually(lambda: answered > 0 and any(p._flow.paused for p in server._site.protocols))
    assert await settled(lambda: answered) <= 2
    got = 0
    while got < 9 * 4_000_000:
        got += len(await loop.sock_recv(sock, 1 << 20))
    await eventually(lambda: answered == 9)
    sock.close()


async def test_many_pipelined_requests_leave_others_their_turn(server_of: Made, dial: Dial) -> None:
    """However many requests one piece holds, the loop comes round after some of them."""
    turns: list[int] = []
    turn = 0

    def handle(request: Request) -> Answer:
        turns.append(turn)
        return Response(b"x")

    async def count() -> None:
        nonlocal turn
        while True:
            await asyncio.sleep(0)
            turn += 1

    peer = await dial(await server_of(handle).start())
    counting = asyncio.ensure_future(count())
    peer.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
    for _ in range(1000):
        assert (await peer.reply()).status == 200
    counting.cancel()
    assert max(turns.count(one) for one in set(turns)) <= 2 * 64


async def test_who_does_not_take_the_answer_is_cut_off(
    server_of: Made, clock: FakeClock, tmp_path: Path
) -> None:
    """Over TCP and over a Unix socket, where the kernel knows no timeout."""
    server = server_of(lambda request: Response(bytes(20_000_000)), write_timeout_s=60)
    path = tmp_path / "socket"
    await server.start_unix(path)
    port = await server.start()
    unix = socket.socket(socket.AF_UNIX)
    unix.connect(str(path))
    peers = [unix, greedy(port)]
    for peer in peers:
        peer.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await eventually(lambda: server.connections == 2)
    await asyncio.sleep(0.05)
    await clock.advance(59)
    assert server.connections == 2
    await clock.advance(2)
    await eventually(lambda: server.connections == 0)
    for peer in peers:
        peer.close()


async def test_who_takes_a_little_is_not_cut_off(server_of: Made, clock: FakeClock) -> None:
    server = server_of(lambda request: Response(bytes(20_000_000)), write_timeout_s=60)
    sock = greedy(await server.start())
    sock.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    loop = asyncio.get_running_loop()
    got = 0
    for _ in range(10):
        wanted = got + 1_000_000
        while got < wanted:
            piece = await loop.sock_recv(sock, 1 << 16)
            assert piece, "the server hung up"
            got += len(piece)
        await settled(lambda: server.connections)
        await clock.advance(40)
    assert server.connections == 1
    while got < 20_000_000:
        got += len(await loop.sock_recv(sock, 1 << 20))
    sock.close()


async def test_a_stream_nobody_takes_is_cut_off(server_of: Made, clock: FakeClock) -> None:
    ended = asyncio.Event()

    async def run(writer: Writer) -> None:
        try:
            while not writer.closed:
                writer.write(bytes(100_000))
                await writer.drain()
        finally:
            ended.set()

    server = server_of(lambda request: StreamResponse(run), write_timeout_s=60)
    sock = greedy(await server.start())
    sock.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await eventually(lambda: server.connections == 1)
    await asyncio.sleep(0.05)
    await clock.advance(61)
    async with asyncio.timeout(PATIENCE_S):
        await ended.wait()
    sock.close()


async def test_a_last_answer_nobody_takes(server_of: Made, clock: FakeClock, tmp_path: Path) -> None:
    """A connection that is to close waits for its answer to be taken, but not for ever."""
    server = server_of(lambda request: Response(bytes(1_000_000)), write_timeout_s=60)
    path = tmp_path / "socket"
    await server.start_unix(path)
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(str(path))
    peer.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    await eventually(lambda: server.connections == 1)
    await asyncio.sleep(0.05)
    for _ in range(3):
        await clock.advance(61)
    await eventually(lambda: server.connections == 0)
    peer.close()


async def test_dead_peers_are_found(server_of: Made, dial: Dial) -> None:
    """Every accepted connection is probed by the kernel."""
    server = server_of(lambda request: Response(b"x"))
    peer = await dial(await server.start())
    peer.get("/")
    await peer.reply()
    (protocol,) = server._site.protocols
    sock = protocol._transport.get_extra_info("socket")
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == USER_TIMEOUT_MS


async def test_one_connection_too_many_takes_the_place_of_an_idle_one(server_of: Made, dial: Dial) -> None:
    release = asyncio.Event()

    async def later() -> Answer:
        await release.wait()
        return Response(b"late")

    server = server_of(
        lambda request: later() if request.path == "/later" else Response(b"x"), connection_limit=3
    )
    port = await server.start()
    busy = await dial(port)
    busy.get("/later")
    idle = [await dial(port) for _ in range(2)]
    for peer in idle:
        peer.get("/")
        await peer.reply()
    fresh = await dial(port)
    fresh.get("/")
    assert (await fresh.reply()).status == 200
    assert await idle[0].is_closed()
    await eventually(lambda: server.connections == 3)
    release.set()
    assert (await busy.reply()).body == b"late"


async def test_connections_that_all_wait_for_answers_leave_no_room(server_of: Made, dial: Dial) -> None:
    release = asyncio.Event()

    async def later() -> Answer:
        await release.wait()
        return Response(b"late")

    server = server_of(lambda request: later(), connection_limit=2)
    port = await server.start()
    peers = [await dial(port) for _ in range(2)]
    for peer in peers:
        peer.get("/")
    await eventually(lambda: len(server._site.tasks) == 2)
    third = await dial(port)
    assert await third.is_closed()
    release.set()
    for peer in peers:
        assert (await peer.reply()).status == 200


HEAD = "POST /a HTTP/1.1\r\nHost: x\r\nX-Who: %s\r\nContent-Length: 90000\r\n\r\n"


async def test_bodies_are_counted_by_who_sends_them(server_of: Made, dial: Dial) -> None:
    together = Held(200_000)
    strangers, known = Held(50_000, together), Held(150_000, together)
    asked: list[str] = []

    def held_for(connection: Connection, headers: Mapping[str, str]) -> Held:
        asked.append(headers["x-who"])
        return known if headers["x-who"] == "known" else strangers

    head = len("/aHostxX-WhostrangerContent-Length90000")

    server = server_of(lambda request: Response(b"x"), held_for=held_for)
    port = await server.start()
    first = await dial(port)
    first.send(HEAD % "stranger" + "x" * 40_000)
    await eventually(lambda: strangers.bytes == 40_000 + head)
    second = await dial(port)
    second.send(HEAD % "stranger" + "x" * 20_000)
    assert (await second.reply()).status == 429
    third = await dial(port)
    third.send(HEAD % "known" + "x" * 90_000)
    assert (await third.reply()).status == 200
    assert (strangers.bytes, known.bytes, together.bytes) == (40_000 + head, 0, 40_000 + head)
    await first.close()
    await eventually(lambda: together.bytes == 0)
    assert set(asked) == {"stranger", "known"}


async def test_heads_that_do_not_come_to_an_end_are_counted(server_of: Made, dial: Dial) -> None:
    """For their peers, as nobody has said yet whose they are; and when they have, for those."""
    peers, known = Held(50_000), Held(100_000)

    def held_for(connection: Connection, headers: Mapping[str, str]) -> Held:
        return known if "x-who" in headers else peers

    port = await server_of(lambda request: Response(b"x"), held_for=held_for).start()
    first, second, third = await dial(port), await dial(port), await dial(port)
    first.send("POST / HTTP/1.1\r\nHost: x\r\nX-Who: known\r\nX-Long: " + "a" * 40_000)
    await eventually(lambda: peers.bytes > 40_000)
    second.send("GET /" + "a" * 20_000)
    assert (await second.reply()).status == 429
    first.send("\r\nContent-Length: 2\r\n\r\n1")
    await eventually(lambda: known.bytes > 40_000)
    assert peers.bytes == 0
    for number in range(190):
        third.send(f"X-{number}: {'b' * 100}\r\n" if number else "GET / HTTP/1.1\r\nHost: x\r\n")
    await eventually(lambda: peers.bytes > 190 * 100)
    await third.close()
    await eventually(lambda: peers.bytes == 0)
    first.send("2")
    assert (await first.reply()).status == 200
    assert (peers.bytes, known.bytes) == (0, 0)


async def test_who_was_refused_and_says_no_goodbye_is_parted_with(
    server_of: Made, clock: FakeClock, tmp_path: Path
) -> None:
    """uvloop's TLS waits half a minute for its peer's end: so long what a stranger sent would stay."""
    certificate, key = self_signed(tmp_path, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    held = Held(20_000)
    server = server_of(lambda request: Response(b"x"), ssl_context=context, held_for=lambda *_: held)
    port = await server.start()
    deaf = await asyncio.to_thread(deaf_over_tls, port, b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000)
    try:
        await eventually(lambda: [one._discarding for one in server._site.protocols] == [True])
        assert held.bytes == 0
        await clock.advance(1)
        await clock.advance(4)
        await eventually(lambda: server.connections == 0)
    finally:
        deaf.close()


def deaf_over_tls(port: int, sent: bytes) -> ssl.SSLSocket:
    """A connection that sends, and then neither reads nor ends."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    sock = context.wrap_socket(socket.create_connection(("127.0.0.1", port)))
    sock.sendall(sent)
    return sock


@pytest.mark.parametrize(
    "sent", ["GET / HTTP/1.1\r\nX: " + "a" * 60_000, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", ""]
)
async def test_who_is_gone_is_not_left_to_the_collector(server_of: Made, dial: Dial, sent: str) -> None:
    """It comes seldom, and until then the memory of thousands who sent a head would stay."""
    server = server_of(lambda request: Response(b"x"), clock=SystemClock())
    port = await server.start()
    peer = await dial(port)
    peer.send(sent)
    await eventually(lambda: server.connections == 1)
    await settled(lambda: server.held_bytes)
    (protocol,) = server._site.protocols
    gone: list[Callable[[], object]] = [weakref.ref(protocol), weakref.ref(protocol._reader)]
    del protocol
    gc.collect()
    gc.disable()
    try:
        await peer.close()
        await eventually(lambda: server.connections == 0)
        await eventually(lambda: all(one() is None for one in gone))
    finally:
        gc.enable()


async def test_a_body_counts_until_it_is_answered(server_of: Made, dial: Dial) -> None:
    held, release = Held(100_000), asyncio.Event()

    async def later() -> Answer:
        await release.wait()
        return Response(b"x")

    port = await server_of(lambda request: later(), held_for=lambda *_: held).start()
    first, second = await dial(port), await dial(port)
    first.send(HEAD % "a" + "x" * 40_000)
    await asyncio.sleep(0.02)
    first.send("x" * 50_000)
    await asyncio.sleep(0.02)
    assert held.bytes >= 40_000
    second.send(HEAD % "a" + "x" * 80_000)
    assert (await second.reply()).status == 429
    release.set()
    assert (await first.reply()).status == 200
    assert held.bytes == 0
