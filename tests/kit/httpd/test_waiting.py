"""What waits for peers that do not read is bounded, for all together and for each identity."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.kit.httpd.conftest import Dial
from tests.kit.httpd.peer import self_signed
from tests.kit.httpd.test_bounds import greedy
from wherry.kit.clock import FakeClock
from wherry.kit.httpd import Request, Response, StreamResponse, UpgradeResponse
from wherry.kit.httpd.message import Answer, Duplex, Writer
from wherry.kit.httpd.server import USER_TIMEOUT_MS, Server
from wherry.kit.httpd.waiting import PIECE_BYTES, SHARES, SMALL_PIECE_BYTES, WaitingBudget

KIB = 1024
MIB = 1024 * KIB


class Slow:
    """A connection; the test says how much waits for its peer."""

    def __init__(self, budget: WaitingBudget, identity: str = "a") -> None:
        self.identity = identity
        self.waiting = 0
        self.is_cut_off = False
        self._budget = budget

    def write(self, size: int) -> None:
        if not self.is_cut_off:
            self.waiting += size
            self._budget.note(self, self.waiting)

    def give_up(self) -> None:
        self.is_cut_off = True
        self.waiting = 0


async def test_many_that_do_not_read_stay_below_the_bound() -> None:
    budget = WaitingBudget(1024 * KIB, 1 << 40)
    made = [Slow(budget, f"user-{number % 7}") for number in range(100)]
    most = 0
    for _ in range(5):
        for one in made:
            one.write(64 * KIB)
            most = max(most, sum(slow.waiting for slow in made))
    assert most <= (1024 + 64) * KIB
    assert budget.total == sum(one.waiting for one in made)
    assert budget.cut_off == sum(one.is_cut_off for one in made) < 100


async def test_the_furthest_behind_of_who_lets_most_wait_goes_first() -> None:
    budget = WaitingBudget(1000 * KIB, 1 << 40)
    crowd = [Slow(budget, "crowd") for _ in range(8)]
    single = Slow(budget, "single")
    single.write(300 * KIB)
    crowd[3].write(200 * KIB)
    for one in crowd:
        one.write(64 * KIB)
    assert [one.is_cut_off for one in crowd] == [number == 3 for number in range(8)]
    assert not single.is_cut_off, "further behind, but the crowd lets more wait"


async def test_an_identity_has_a_bound_of_its_own() -> None:
    budget = WaitingBudget(1 << 40, 500 * KIB)
    crowd = [Slow(budget, "crowd") for _ in range(20)]
    other = Slow(budget, "other")
    other.write(400 * KIB)
    for one in crowd:
        one.write(100 * KIB)
    assert sum(one.waiting for one in crowd) <= 500 * KIB
    assert not other.is_cut_off


async def test_what_was_taken_meanwhile_counts_no_more() -> None:
    budget = WaitingBudget(1000 * KIB, 1000 * KIB)
    made = [Slow(budget) for _ in range(10)]
    for one in made:
        one.write(90 * KIB)
    for one in made:
        one.waiting = 0
    for one in made:
        one.write(90 * KIB)
    assert budget.cut_off == 0


def test_nobody_is_looked_at_while_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = WaitingBudget(1 << 40, 1 << 40)
    made = [Slow(budget) for _ in range(200)]
    monkeypatch.setattr(budget, "_relieve", lambda *_: pytest.fail("everybody was looked at"))
    for one in made:
        one.write(70 * KIB)
    assert budget.total == 200 * 70 * KIB
    for one in made:
        budget.forget(one)
        budget.forget(one)
    assert budget.total == 0
    assert budget.piece_bytes("a") == PIECE_BYTES


def test_pieces_are_small_where_much_waits() -> None:
    budget = WaitingBudget(400_000 * KIB, 200_000 * KIB)
    one = Slow(budget, "one")
    assert budget.piece_bytes("one") == PIECE_BYTES
    one.write(90_000 * KIB)
    assert (budget.piece_bytes("one"), budget.piece_bytes("two")) == (10_000 * KIB // SHARES, PIECE_BYTES)
    one.write(10_000 * KIB)
    assert (budget.piece_bytes("one"), budget.piece_bytes("two")) == (SMALL_PIECE_BYTES, PIECE_BYTES)
    Slow(budget, "three").write(99_000 * KIB)
    assert budget.piece_bytes("two") == 1000 * KIB // SHARES


def test_however_many_ask_for_pieces_at_once_half_is_left() -> None:
    budget = WaitingBudget(1 << 40, 64 * 1024 * KIB)
    for _ in range(100):
        one = Slow(budget, "crowd")
        one.write(budget.piece_bytes("crowd"))
    assert budget.total < 32 * 1024 * KIB + 100 * SMALL_PIECE_BYTES


def named(answer: Callable[[Request], Answer]) -> Callable[[Request], Answer]:
    """A handler that says who asks, by the header X-Who."""

    def handle(request: Request) -> Answer:
        request.connection.identity = request.headers.get("x-who", "")
        return answer(request)

    return handle


@asynccontextmanager
async def deaf(port: int, count: int, who: str, target: str = "/") -> AsyncIterator[list[socket.socket]]:
    """Connections that ask and never read."""
    made = [greedy(port) for _ in range(count)]
    try:
        for one in made:
            one.send(f"GET {target} HTTP/1.1\r\nHost: x\r\nX-Who: {who}\r\n\r\n".encode())
        yield made
    finally:
        for one in made:
            one.close()


async def serving(stack: AsyncExitStack, handler: Callable[[Request], Answer], **options: object) -> Server:
    server = Server(handler, **options)  # type: ignore[arg-type]
    stack.push_async_callback(server.close)
    return server


async def test_real_peers_that_do_not_read_are_cut_off_and_others_served(dial: Dial) -> None:
    budget = WaitingBudget(64 * MIB, 16 * MIB)
    async with AsyncExitStack() as stack:
        server = await serving(stack, named(lambda request: Response(bytes(4 * MIB))), waiting=budget)
        port = await server.start()
        await stack.enter_async_context(deaf(port, 30, "crowd"))
        await eventually(lambda: budget.cut_off > 0 and server.connections == 30 - budget.cut_off)
        assert server.connections > 0
        assert budget.total <= 16 * MIB
        real = sum(protocol._flow.waiting for protocol in server._site.protocols)
        assert real == budget.total
        peer = await dial(port)
        peer.get("/", "X-Who: somebody")
        assert len((await peer.reply()).body) == 4 * MIB
    assert budget.total == 0


async def test_a_watcher_that_reads_nothing_is_noticed_soon_and_encrypted_for_no_more(tmp_path: Path) -> None:
    """However much the kernel would take; what waits comes in order once it reads."""
    budget, writers = WaitingBudget(), list[Writer]()
    certificate, key = self_signed(tmp_path, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def run(writer: Writer) -> None:
        writers.append(writer)
        await writer.wait_closed()

    def dial_deaf(port: int) -> ssl.SSLSocket:
        bare = greedy(port)
        bare.setblocking(True)
        sock = ssl.create_default_context(cafile=str(certificate)).wrap_socket(
            bare, server_hostname="localhost"
        )
        sock.sendall(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
        return sock

    def read(sock: ssl.SSLSocket, size: int) -> bytes:
        got = b""
        while len(got) < size:
            got += sock.recv(1 << 20)
            got = got[got.index(b"\r\n\r\n") + 4 :] if got.startswith(b"HTTP") else got
        return got

    async with AsyncExitStack() as stack:
        live = StreamResponse(run, is_live=True)
        server = await serving(
            stack, lambda request: live, waiting=budget, ssl_context=context, clock=FakeClock()
        )
        sock = await asyncio.to_thread(dial_deaf, await server.start())
        stack.callback(sock.close)
        await eventually(lambda: bool(writers))
        (protocol,) = server._site.protocols
        flow, events = protocol._flow, list[bytes]()
        for number in range(3000):
            events.append(b"%08d" % number * 128)
            writers[0].write(events[-1])
            if number % 100 == 0:
                await asyncio.sleep(0)
        assert flow.transport.get_write_buffer_size() < 64 * KIB, "what TLS holds"
        assert flow._queued > 2 * MIB, "what is not even encrypted"
        assert budget.total == flow.waiting > 2 * MIB
        assert await asyncio.to_thread(read, sock, 3000 * KIB) == b"".join(events)
        await eventually(lambda: budget.total == 0)


async def test_who_takes_what_waited_counts_no_more(dial: Dial) -> None:
    budget = WaitingBudget()
    async with AsyncExitStack() as stack:
        server = await serving(stack, lambda request: Response(bytes(4 * MIB)), waiting=budget)
        peer = await dial(await server.start())
        for _ in range(3):
            peer.get("/")
            assert len((await peer.reply()).body) == 4 * MIB
        await eventually(lambda: budget.total == 0)


async def test_the_peer_of_a_followed_stream_may_pause(dial: Dial) -> None:
    clock, written = FakeClock(), 0

    async def run(writer: Writer) -> None:
        nonlocal written
        for _ in range(100):
            writer.write(bytes(100_000))
            written += 100_000
            await writer.drain()

    async def upgraded(duplex: Duplex) -> None:
        await run(duplex)

    def handle(request: Request) -> Answer:
        if request.path == "/upgraded":
            return UpgradeResponse(upgraded, [("Upgrade", "x"), ("Connection", "Upgrade")])
        return StreamResponse(run, is_followed=True)

    async with AsyncExitStack() as stack:
        server = await serving(stack, handle, clock=clock, write_timeout_s=60)
        port = await server.start()
        loop = asyncio.get_running_loop()
        for head in (
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /upgraded HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
        ):
            written = 0
            sock = greedy(port)
            sock.send(head)
            await eventually(lambda: any(p._flow.paused for p in server._site.protocols))
            (protocol,) = server._site.protocols
            bare = protocol._transport.get_extra_info("socket")
            assert bare.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 0
            for _ in range(10):
                await clock.advance(61)
            assert written < 10_000_000, "it waits for its peer"
            assert server.connections == 1
            got = 0
            while got < 10_000_000:
                got += len(await loop.sock_recv(sock, 1 << 20))
            if head.startswith(b"GET / "):
                await eventually(lambda: not server._site.tasks)
                found = bare.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
                assert found == USER_TIMEOUT_MS, "what comes next is no stream"
            sock.close()
            await eventually(lambda: server.connections == 0)
