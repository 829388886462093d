"""How answers are framed, streamed, upgraded and cut short."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
import ssl
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.conftest import eventually
from tests.kit.httpd.conftest import Dial
from tests.kit.httpd.peer import Peer, self_signed
from tests.timing import PATIENCE_S
from wherry.kit.clock import FakeClock
from wherry.kit.httpd import Request, Response, StreamResponse, UpgradeResponse
from wherry.kit.httpd.message import Answer, Duplex, Handler, PeerSubject, Writer
from wherry.kit.httpd.protocol import HttpProtocol
from wherry.kit.httpd.server import Server
from wherry.kit.httpd.streams import SLICE_BYTES

Serve = Callable[[Handler], Awaitable[int]]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def serve(clock: FakeClock) -> AsyncIterator[Serve]:
    servers: list[Server] = []

    async def start(handler: Handler) -> int:
        servers.append(Server(handler, clock=clock))
        return await servers[-1].start()

    yield start
    for server in servers:
        await server.close()


def answering(answer: Answer) -> Handler:
    return lambda request: answer


async def test_a_plain_answer(serve: Serve, clock: FakeClock, dial: Dial) -> None:
    peer = await dial(await serve(answering(Response(b"{}", 201, headers=[("X-A", "1")]))))
    peer.get("/")
    reply = await peer.reply()
    assert (reply.status, reply.body) == (201, b"{}")
    assert reply.headers == {
        "content-type": "application/json",
        "content-length": "2",
        "date": "Thu, 01 Jan 2026 00:00:00 GMT",
        "x-a": "1",
    }
    await clock.advance(1)
    peer.get("/")
    assert (await peer.reply()).headers["date"] == "Thu, 01 Jan 2026 00:00:01 GMT"
    await peer.close()


async def test_answers_without_body(serve: Serve, dial: Dial) -> None:
    peer = await dial(await serve(lambda request: Response(b"12345", int(request.path[1:]))))
    peer.get("/200", method="HEAD")
    assert (await peer.reply(bodiless=True)).headers["content-length"] == "5"
    for status in (204, 304):
        peer.get(f"/{status}")
        reply = await peer.reply()
        assert reply.status == status
        assert "content-length" not in reply.headers
    peer.get("/299")
    assert (await peer.reply()).body == b"12345"
    await peer.close()


async def test_connections_close_when_asked_to(serve: Serve, dial: Dial) -> None:
    port = await serve(answering(Response(b"x")))
    peer = await dial(port)
    peer.get("/", "Connection: close")
    assert (await peer.reply()).headers["connection"] == "close"
    assert await peer.is_closed()
    old = await dial(port)
    old.get("/", "Connection: keep-alive", version="1.0")
    assert (await old.reply()).headers["connection"] == "keep-alive"
    old.get("/", version="1.0")
    assert (await old.reply()).body == b"x"
    assert await old.is_closed()


async def test_headers_cannot_break_out(serve: Serve, caplog: pytest.LogCaptureFixture, dial: Dial) -> None:
    peer = await dial(await serve(answering(Response(b"", headers=[("A", "b\r\nEvil: 1")]))))
    peer.get("/")
    reply = await peer.reply()
    assert reply.status == 500
    assert "evil" not in reply.headers
    assert "unusable headers" in caplog.text
    await peer.close()


async def test_an_awaited_answer_is_cancelled_when_the_peer_goes(serve: Serve, dial: Dial) -> None:
    state: list[str] = []

    async def wait(request: Request) -> Answer:
        state.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            state.append("ended")
        return Response()

    peer = await dial(await serve(wait))
    peer.get("/")
    await eventually(lambda: state == ["begun"])
    await peer.close()
    await eventually(lambda: state == ["begun", "ended"])


async def test_a_stream_is_sent_as_it_is_written(serve: Serve, dial: Dial) -> None:
    go_on = asyncio.Event()

    async def run(writer: Writer) -> None:
        writer.write(b"one")
        writer.write(b"")  # must not end the body
        await go_on.wait()
        writer.write(b"two")

    peer = await dial(await serve(answering(StreamResponse(run, headers=[("X-S", "1")]))))
    peer.get("/")
    head = await peer.head()
    assert head.headers["transfer-encoding"] == "chunked"
    assert head.headers["x-s"] == "1"
    assert await peer.chunk() == b"one"
    go_on.set()
    assert [await peer.chunk(), await peer.chunk()] == [b"two", b""]
    peer.get("/", method="HEAD")
    assert (await peer.reply(bodiless=True)).status == 200
    peer.get("/", version="1.0")
    old = await peer.reply()
    assert old.body == b"onetwo"
    assert "transfer-encoding" not in old.headers


@pytest.mark.parametrize("size", [SLICE_BYTES, SLICE_BYTES + 1, 5 * 1024 * 1024 + 7])
async def test_large_answers_arrive_whole(serve: Serve, dial: Dial, size: int) -> None:
    content = bytes(range(251)) * (size // 251 + 1)
    content = content[:size]

    async def run(writer: Writer) -> None:
        writer.write(content)
        writer.write(b"end")

    def handle(request: Request) -> Answer:
        return StreamResponse(run) if request.path == "/stream" else Response(content)

    peer = await dial(await serve(handle))
    peer.get("/")
    assert (await peer.reply()).body == content
    peer.get("/stream")
    await peer.head()
    assert await peer.chunk() == content
    assert [await peer.chunk(), await peer.chunk()] == [b"end", b""]
    peer.get("/stream", version="1.0")
    assert (await peer.reply()).body == content + b"end"


async def test_a_stream_ends_when_the_peer_goes(serve: Serve, dial: Dial) -> None:
    ended = asyncio.Event()
    writers: list[Writer] = []

    async def run(writer: Writer) -> None:
        writers.append(writer)
        try:
            await writer.wait_closed()
        finally:
            ended.set()

    peer = await dial(await serve(answering(StreamResponse(run))))
    peer.get("/")
    await peer.head()
    await peer.close()
    async with asyncio.timeout(PATIENCE_S):
        await ended.wait()
    await eventually(lambda: writers[0].closed)
    writers[0].write(b"nobody hears")
    await writers[0].drain()
    assert writers[0].buffered == 0


async def test_writing_to_a_peer_that_left_is_quiet(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Also when the loop had no time to hear of it: watchers leave by the hundred."""
    await write_to_who_left(tmp_path, clock, is_encrypted=False)
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_writing_to_an_encrypted_peer_that_left_is_quiet(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """On uvloop, which servers run on: asyncio's own TLS does not tell that its peer left."""
    uvloop.run(write_to_who_left(tmp_path, clock, is_encrypted=True))
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


async def write_to_who_left(tmp_path: Path, clock: FakeClock, *, is_encrypted: bool) -> None:
    """Ten peers leave, and are written to all the same."""
    context, trusting = None, None
    if is_encrypted:
        certificate, key = self_signed(tmp_path, "server")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        trusting = ssl.create_default_context(cafile=str(certificate))
    writers: list[Writer] = []

    async def run(writer: Writer) -> None:
        writer.write(b"begun")
        writers.append(writer)
        await writer.wait_closed()

    server = Server(answering(StreamResponse(run)), ssl_context=context, clock=clock)
    port = await server.start()

    def watch() -> socket.socket:
        peer = socket.create_connection(("127.0.0.1", port))
        if trusting is not None:
            peer = trusting.wrap_socket(peer, server_hostname="localhost")
        peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while b"begun" not in peer.recv(4096):
            pass
        return peer

    watchers = [await asyncio.to_thread(watch) for _ in range(10)]
    await eventually(lambda: len(writers) == 10)
    for number, watcher in enumerate(watchers):
        if number % 2 and isinstance(watcher, ssl.SSLSocket):
            with contextlib.suppress(OSError):
                watcher.setblocking(False)
                watcher.unwrap()  # says that it goes
        watcher.close()
    for turn in range(20):
        for writer in writers:
            for _ in range(20):
                writer.write(b"event")
        if turn > 10:
            await asyncio.sleep(0)
    await eventually(lambda: server.connections == 0)
    await server.close()


async def test_a_slow_reader_holds_the_writer_up(serve: Serve, dial: Dial) -> None:
    written = 0
    done = asyncio.Event()

    async def run(writer: Writer) -> None:
        nonlocal written
        for _ in range(250):
            writer.write(bytes(100_000))
            await writer.drain()
            written += 100_000
        done.set()

    peer = await dial(await serve(answering(StreamResponse(run))))
    peer.get("/")
    await asyncio.sleep(0.1)
    assert written < 15_000_000
    assert len((await peer.reply()).body) == 25_000_000
    await done.wait()
    await peer.close()


async def test_a_stream_that_fails_is_broken_off_not_ended(
    serve: Serve, caplog: pytest.LogCaptureFixture, dial: Dial
) -> None:
    async def run(writer: Writer) -> None:
        writer.write(b"half")
        await asyncio.sleep(0.01)
        raise ValueError("broken")

    async def abort(writer: Writer) -> None:
        writer.write(b"half")
        await asyncio.sleep(0.01)
        writer.abort()

    for work in (run, abort):
        peer = await dial(await serve(answering(StreamResponse(work))))
        peer.get("/")
        await peer.head()
        assert await peer.chunk() == b"half"
        assert await peer.is_closed()
    assert caplog.text.count("ValueError: broken") == 1


async def echo(duplex: Duplex) -> None:
    while data := await duplex.read():
        duplex.write(b"<" + data + b">")
        await duplex.drain()
    duplex.write(b"end")


UPGRADE = ("Connection: Upgrade", "Upgrade: echo")


async def test_an_upgrade_hands_over_the_connection(serve: Serve, dial: Dial) -> None:
    async def later(request: Request) -> Answer:
        await asyncio.sleep(0.01)
        return UpgradeResponse(echo, [("Upgrade", "echo"), ("Connection", "Upgrade")])

    for handler in (answering(UpgradeResponse(echo, [("Upgrade", "echo")])), later):
        peer = await dial(await serve(handler))
        lines = "".join(f"{line}\r\n" for line in ("GET / HTTP/1.1", "Host: x", *UPGRADE))
        peer.send(lines + "\r\nfirst")
        assert (await peer.head()).status == 101
        assert await peer.reader.readexactly(7) == b"<first>"
        peer.send("second")
        assert await peer.reader.readexactly(8) == b"<second>"
        peer.writer.write_eof()
        assert await peer.reader.read() == b"end"


async def test_much_data_both_ways_over_an_upgrade(serve: Serve, dial: Dial) -> None:
    async def run(duplex: Duplex) -> None:
        total = 0
        while total < 5_000_000:
            await asyncio.sleep(0)
            total += len(await duplex.read())
        duplex.write(str(total).encode())

    peer = await dial(await serve(answering(UpgradeResponse(run, [("Upgrade", "echo")]))))
    peer.get("/", *UPGRADE)
    await peer.head()
    peer.send(bytes(5_000_000))
    assert await peer.reader.read() == b"5000000"


async def test_an_upgrade_that_is_answered_plainly_leaves_the_connection_usable(
    serve: Serve, dial: Dial
) -> None:
    async def later(request: Request) -> Answer:
        await asyncio.sleep(0.01)
        return Response(request.path.encode())

    for handler in (lambda request: Response(request.path.encode()), later):
        peer = await dial(await serve(handler))
        peer.get("/1", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c")
        peer.get("/2")
        assert [(await peer.reply()).body for _ in range(2)] == [b"/1", b"/2"]
        peer.get("/3")
        assert (await peer.reply()).body == b"/3"
        await peer.close()


async def test_an_upgrade_nobody_asked_for_is_an_error(
    serve: Serve, caplog: pytest.LogCaptureFixture, dial: Dial
) -> None:
    peer = await dial(await serve(answering(UpgradeResponse(echo, []))))
    peer.get("/")
    assert await peer.is_closed()
    assert "did not ask for" in caplog.text


async def test_closing_waits_for_answers_then_cuts(clock: FakeClock, dial: Dial) -> None:
    release, ended = asyncio.Event(), asyncio.Event()

    async def handle(request: Request) -> Answer:
        await release.wait()
        if request.path == "/never":
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
        return Response(b"done")

    server = Server(handle, clock=clock)
    port = await server.start()
    idle, busy, never = [await dial(port) for _ in range(3)]
    busy.get("/")
    never.get("/never")
    await eventually(lambda: server.connections == 3)
    await asyncio.sleep(0.02)
    closing = asyncio.ensure_future(server.close(grace_s=30))
    assert await idle.is_closed()
    release.set()
    reply = await busy.reply()
    assert (reply.body, reply.headers["connection"]) == (b"done", "close")
    assert await busy.is_closed()
    assert not closing.done()
    await clock.advance(31)
    await closing
    assert ended.is_set()
    assert await never.is_closed()
    assert server.connections == 0
    with pytest.raises(OSError):
        await dial(port)


async def test_unix_sockets(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "socket"
    server = Server(answering(Response(b"hi")), clock=clock)
    await server.start_unix(path)
    peer = Peer(*await asyncio.open_unix_connection(str(path)))
    peer.get("/")
    assert (await peer.reply()).body == b"hi"
    await peer.close()
    await server.close()
    assert not path.exists()


async def test_tls_and_client_certificates(tmp_path: Path, clock: FakeClock, dial: Dial) -> None:
    server_crt, server_key = self_signed(tmp_path, "server")
    client_crt, client_key = self_signed(tmp_path, "client")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_crt, server_key)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(client_crt)
    seen: list[PeerSubject] = []

    def handle(request: Request) -> Answer:
        seen.append(request.connection.peer_subject)
        return Response(bytes(300_000))

    server = Server(handle, ssl_context=context, clock=clock)
    port = await server.start()
    anonymous = ssl.create_default_context(cafile=str(server_crt))
    known = ssl.create_default_context(cafile=str(server_crt))
    known.load_cert_chain(client_crt, client_key)
    for tls in (anonymous, known):
        peer = await dial(port, tls)
        for _ in range(2):
            peer.get("/")
            assert len((await peer.reply()).body) == 300_000
        await peer.close()
    await eventually(lambda: server.connections == 0)
    expected = [("commonName", "client")]
    assert seen == [(), (), expected, expected]
    await server.close()


async def test_a_connection_that_is_lost_keeps_no_buffers(
    tmp_path: Path, clock: FakeClock, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a protocol refers to stays until all garbage is looked for: over TLS, half a megabyte."""
    made: list[weakref.ref[Any]] = []
    make = HttpProtocol.connection_made

    def connection_made(self: HttpProtocol, transport: asyncio.BaseTransport) -> None:
        made.append(weakref.ref(transport.get_extra_info("ssl_object")))
        make(self, transport)

    monkeypatch.setattr(HttpProtocol, "connection_made", connection_made)
    certificate, key = self_signed(tmp_path, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Server(answering(Response(b"x")), ssl_context=context, clock=clock)
    port = await server.start()
    gc.collect()
    gc.disable()
    try:
        peer = await dial(port, ssl.create_default_context(cafile=str(certificate)))
        peer.get("/")
        await peer.reply()
        (tls,) = made
        assert tls() is not None
        await peer.close()
        await eventually(lambda: tls() is None)
    finally:
        gc.enable()
        await server.close()


async def test_small_answers_wait_for_no_acknowledgement(dial: Dial) -> None:
    """Else the kernel holds them back for 40 ms; asyncio sees to it where a socket names its protocol."""
    server = Server(answering(Response(b"x")))
    peer = await dial(await server.start())
    peer.get("/")
    await peer.reply()
    (protocol,) = server._site.protocols
    sock = protocol._transport.get_extra_info("socket")
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    await server.close()
