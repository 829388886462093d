"""What a handler is given, and what is refused before it sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.kit.httpd.conftest import Dial
from tests.kit.httpd.peer import Peer
from wherry.kit.clock import FakeClock
from wherry.kit.httpd import Request, Response
from wherry.kit.httpd.message import Answer
from wherry.kit.httpd.protocol import plain_refusal
from wherry.kit.httpd.server import Server


async def settle() -> None:
    """Give the other side of the connection time to read."""
    await asyncio.sleep(0.02)


class Desk:
    """A server that remembers its requests; `/later` is answered from a coroutine once released."""

    def __init__(self, body_limit: int = 10_000, held_limit: int = 12_000) -> None:
        self.clock = FakeClock()
        self.requests: list[Request] = []
        self.release = asyncio.Event()
        self.server = Server(
            self.handle,
            body_limit=body_limit,
            held_limit=held_limit,
            head_limit=4000,
            keepalive_timeout_s=60,
            header_timeout_s=10,
            refuse=self.refuse,
            clock=self.clock,
        )

    def refuse(self, status: int) -> Response:
        return Response(b"too much", 413) if status == 413 else plain_refusal(status)

    def handle(self, request: Request) -> Answer | asyncio.Future[Answer]:
        self.requests.append(request)
        if request.path == "/later":
            return asyncio.ensure_future(self.later())
        if request.path == "/broken":
            raise ValueError("broken")
        return Response(request.path.encode() + b" " + request.body)

    async def later(self) -> Answer:
        await self.release.wait()
        return Response(b"later")


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    yield made
    await made.server.close()


@pytest.fixture
async def roomy() -> AsyncIterator[Desk]:
    made = Desk(body_limit=10_000_000, held_limit=10_000_000)
    yield made
    await made.server.close()


@pytest.fixture
async def peer(desk: Desk, dial: Dial) -> Peer:
    return await dial(await desk.server.start())


async def test_a_request_in_its_parts(desk: Desk, peer: Peer) -> None:
    peer.send(
        "POST /a%20b/%C3%A9?x=1%2F2&y HTTP/1.1\r\nHost: h\r\n"
        "X-Twice: 1, 2\r\nx-twice: 3\r\nContent-Length: 4\r\n\r\nbody"
    )
    assert (await peer.reply()).status == 200
    request = desk.requests[0]
    assert (request.method, request.path, request.raw_path) == ("POST", "/a b/é", "/a%20b/%C3%A9")
    assert (request.query, request.body) == ("x=1%2F2&y", b"body")
    headers = request.headers
    assert headers == {"host": "h", "x-twice": "1, 2, 3", "content-length": "4"}
    assert (headers.every("x-twice"), headers.first("x-twice")) == (("1, 2", "3"), "1, 2")
    assert (headers.every("host"), headers.every("other"), headers.first("other")) == (("h",), (), "")
    lines = [("host", "h"), ("x-twice", "1, 2"), ("x-twice", "3"), ("content-length", "4")]
    assert list(headers.lines()) == lines
    assert list(headers.replaced("host", "").lines()) == lines[1:]
    assert request.connection.peer is not None
    assert request.connection.peer[0] == "127.0.0.1"
    assert request.connection.peer_certificate is None


async def test_requests_of_one_connection_share_a_memo(desk: Desk, peer: Peer) -> None:
    for _ in range(2):
        peer.get("/")
        await peer.reply()
    assert desk.requests[0].connection is desk.requests[1].connection


@pytest.mark.parametrize(
    ("target", "path"),
    [("http://other/x?y", "/x"), ("http://other", "/"), ("/?", "/"), ("/a//b/../c", "/a//b/../c")],
)
async def test_targets(desk: Desk, peer: Peer, target: str, path: str) -> None:
    peer.get(target)
    assert (await peer.reply()).status == 200
    assert desk.requests[0].path == path


async def test_a_request_that_comes_byte_by_byte(desk: Desk, peer: Peer) -> None:
    for byte in b"POST /slow HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc":
        peer.send(bytes([byte]))
        await asyncio.sleep(0)
    assert (await peer.reply()).body == b"/slow abc"


async def test_chunked_bodies_and_their_trailers(desk: Desk, peer: Peer) -> None:
    peer.send(
        "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n"
    )
    assert (await peer.reply()).body == b"/c abcde"
    assert "x-sum" not in desk.requests[0].headers


async def test_pipelined_requests_are_answered_in_order(desk: Desk, peer: Peer) -> None:
    peer.send(
        "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
        "GET /later HTTP/1.1\r\nHost: x\r\n\r\n"
        "GET /3 HTTP/1.1\r\nHost: x\r\n\r\n" + "GET /4 HTTP/1.1\r\nHost: x\r\n\r\n" * 200
    )
    assert (await peer.reply()).body == b"/1 "
    assert len(desk.requests) == 2, "the third waits for the second's answer"
    desk.release.set()
    assert (await peer.reply()).body == b"later"
    assert [(await peer.reply()).body for _ in range(201)] == [b"/3 "] + [b"/4 "] * 200


async def test_continue_is_sent_to_who_waits_for_it(desk: Desk, peer: Peer) -> None:
    peer.send("POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert (await peer.reply()).status == 100
    peer.send("ok")
    assert (await peer.reply()).body == b"/x ok"


async def test_continue_waits_for_the_answers_before_it(desk: Desk, peer: Peer) -> None:
    peer.get("/later")
    peer.send("POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    await asyncio.sleep(0.01)
    desk.release.set()
    assert [(await peer.reply()).status for _ in range(2)] == [200, 100]
    peer.send("ok")
    assert (await peer.reply()).body == b"/x ok"


BIG = {
    "announced": "Content-Length: 10001\r\nExpect: 100-continue\r\n\r\n",
    "sent": "Content-Length: 10001\r\n\r\n" + "x" * 10001,
    "chunked": "Transfer-Encoding: chunked\r\n\r\n" + f"1000\r\n{'x' * 4096}\r\n" * 3,
}


@pytest.mark.parametrize("rest", BIG.values(), ids=BIG.keys())
async def test_too_large_a_body_is_refused_by_the_application(desk: Desk, peer: Peer, rest: str) -> None:
    peer.send("POST /x HTTP/1.1\r\nHost: h\r\n" + rest)
    reply = await peer.reply()
    assert (reply.status, reply.body) == (413, b"too much")
    assert reply.headers["connection"] == "close"
    peer.send("y" * 1000)  # what is still on its way must not reset the connection
    await asyncio.sleep(0.01)
    await desk.clock.advance(2)
    assert await peer.is_closed()
    assert desk.requests == []


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("nonsense\r\n\r\n", 400),
        ("GET / HTTP/9.9\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        ("GET /%ff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n" + "A: b\r\n" * 201 + "\r\n", 431),
        ("GET / HTTP/1.1\r\nA: " + "b" * 4100, 431),
        ("GET / HTTP/1.1\r\n" + f"A: {'b' * 999}\r\n" * 5 + "\r\n", 431),
        ("GET /" + "a" * 4001 + " HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ],
)
async def test_refusals(desk: Desk, peer: Peer, sent: str, status: int) -> None:
    peer.send(sent)
    reply = await peer.reply()
    assert reply.status == status
    assert reply.headers["connection"] == "close"
    assert desk.requests == []


CHUNKS = "\r\n\r\n1\r\nx\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("codings", "version", "status"),
    [
        ("Transfer-Encoding: chunked", "1.1", 200),
        ("Transfer-Encoding: Chunked", "1.1", 200),
        ("Transfer-Encoding: gzip, chunked", "1.1", 501),
        ("Transfer-Encoding: chunked, gzip", "1.1", 400),
        ("Transfer-Encoding: gzip", "1.1", 501),
        ("Transfer-Encoding: identity", "1.1", 501),
        ("Transfer-Encoding:", "1.1", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "1.1", 400),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", "1.1", 501),
        ("Transfer-Encoding: chunked", "1.0", 400),
    ],
)
async def test_codings_are_those_of_go(
    desk: Desk, peer: Peer, codings: str, version: str, status: int
) -> None:
    """Source: net/http, parseTransferEncoding. Where chunks are not last the body has no end at all: 400."""
    peer.send(f"POST / HTTP/{version}\r\nHost: h\r\n{codings}{CHUNKS}")
    assert (await peer.reply()).status == status
    assert [request.body for request in desk.requests] == ([b"x"] if status == 200 else [])


@pytest.mark.parametrize("host", ["", "a.b:80", "[::1]:80", "a_b"])
async def test_hosts(desk: Desk, peer: Peer, host: str) -> None:
    peer.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
    assert (await peer.reply()).status == 200
    assert desk.requests[0].headers["host"] == host


async def test_old_requests_need_no_host(desk: Desk, peer: Peer) -> None:
    peer.send("GET / HTTP/1.0\r\n\r\n")
    assert (await peer.reply()).status == 200


async def test_a_refusal_comes_behind_the_answers_before_it(desk: Desk, peer: Peer) -> None:
    peer.send("GET /later HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n")
    await asyncio.sleep(0.01)
    desk.release.set()
    assert (await peer.reply()).body == b"later"
    assert (await peer.reply()).status == 400


async def test_a_head_must_be_complete_in_time(desk: Desk, peer: Peer) -> None:
    peer.send("GET / HTTP/1.1\r\nHo")
    await asyncio.sleep(0.01)
    await desk.clock.advance(6)
    peer.send("st")  # more of it does not buy more time
    await asyncio.sleep(0.01)
    await desk.clock.advance(5)
    assert (await peer.reply()).status == 408


async def test_who_never_begins_is_dropped(desk: Desk, peer: Peer) -> None:
    await asyncio.sleep(0.01)
    await desk.clock.advance(11)
    assert await peer.is_closed()


async def test_an_idle_connection_is_kept_for_a_while(desk: Desk, peer: Peer) -> None:
    for _ in range(3):
        peer.get("/")
        assert (await peer.reply()).status == 200
        await desk.clock.advance(50)
    await desk.clock.advance(11)
    assert await peer.is_closed()


async def test_a_slow_answer_is_not_timed_out(desk: Desk, peer: Peer) -> None:
    peer.get("/later")
    await asyncio.sleep(0.01)
    await desk.clock.advance(1000)
    desk.release.set()
    assert (await peer.reply()).body == b"later"


async def test_a_handler_that_raises_is_answered_for(
    desk: Desk, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    peer.get("/broken")
    assert (await peer.reply()).status == 500
    assert "ValueError: broken" in caplog.text
    peer.get("/fine")
    assert (await peer.reply()).status == 200


async def test_a_body_that_trickles_is_given_up(desk: Desk, peer: Peer) -> None:
    """Each piece comes in time, but not the whole."""
    peer.send(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
    for _ in range(8):
        peer.send(b"x")
        await settle()
        await desk.clock.advance(9)
    reply = await peer.reply()
    assert (reply.status, desk.requests) == (408, [])


async def test_bodies_of_all_connections_together(desk: Desk, dial: Dial) -> None:
    """Nobody fills memory by sending most of a body on many connections."""
    port = await desk.server.start()
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n"
    first, second = await dial(port), await dial(port)
    first.send(head + b"x" * 8000)
    await settle()
    second.send(head + b"x" * 8000)
    assert (await second.reply()).status == 429
    first.send(b"x" * 1000)
    assert (await first.reply()).status == 200
    third = await dial(port)
    third.send(head + b"x" * 8000)
    await settle()
    await third.close()
    await settle()
    fourth = await dial(port)
    fourth.send(head + b"x" * 9000)
    assert (await fourth.reply()).status == 200, "what was given up does not count any more"


async def test_large_bodies_wait_for_the_answers_before_them(roomy: Desk, dial: Dial) -> None:
    desk = roomy
    peer = await dial(await desk.server.start())
    peer.send(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n")
    await settle()
    size = 8_000_000
    peer.send(b"POST /big HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
    await settle()
    assert desk.server.held_bytes < 1_000_000
    desk.release.set()
    assert (await peer.reply()).body == b"later"
    assert len((await peer.reply()).body) == size + len(b"/big ")
