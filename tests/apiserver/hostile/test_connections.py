"""Connections that dawdle, that speak something else, that smuggle, and thousands that say nothing."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest

from tests.apiserver.hostile.wire import CONFIG_MAPS, connected, head, refused, request, tls
from tests.apiserver.rig import Rig, running
from tests.timing import PATIENCE_S
from wherry.kit.clock import FakeClock


@pytest.fixture
async def patient() -> AsyncIterator[tuple[Rig, FakeClock]]:
    """A server whose time stands still until told."""
    clock = FakeClock()
    async with running(clock) as made:
        yield made, clock


async def test_pipelined_requests_are_answered_in_order(rig: Rig) -> None:
    async with connected(rig.server.port) as peer:
        targets = ["/version", f"{CONFIG_MAPS}/target", "/nowhere", CONFIG_MAPS] * 20
        await peer.send(b"".join(head("GET", target) for target in targets))
        codes = [(await peer.reply()).code for _ in targets]
        assert codes == [200, 200, 404, 200] * 20


async def test_http_1_0(rig: Rig) -> None:
    async with connected(rig.server.port) as peer:
        await peer.send(head("GET", CONFIG_MAPS).replace(b"HTTP/1.1", b"HTTP/1.0"))
        reply = await peer.reply()
        assert (reply.code, reply.headers["connection"]) == (200, "close")
        assert await peer.ended() == b""
    async with connected(rig.server.port) as peer:
        watch = head("GET", f"{CONFIG_MAPS}?watch=1&timeoutSeconds=1").replace(b"HTTP/1.1", b"HTTP/1.0")
        await peer.send(watch)
        answer = await peer.ended()
        assert b"chunked" not in answer.partition(b"\r\n\r\n")[0].lower()
        assert answer.rstrip().endswith(b"}")


INNER = request("GET", "/version")
SMUGGLED = {
    "length and chunks": head("POST", CONFIG_MAPS, Content_Length="4", Transfer_Encoding="chunked")
    + b"0\r\n\r\n"
    + INNER,
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 90\r\n\r\n" + INNER,
    "a length that is none": head("POST", CONFIG_MAPS, Content_Length="1x") + INNER,
    "a negative length": head("POST", CONFIG_MAPS, Content_Length="-1") + INNER,
    "a length beyond all bounds": head("POST", CONFIG_MAPS, Content_Length="9" * 40) + INNER,
    "unknown coding": head("POST", CONFIG_MAPS, Transfer_Encoding="xchunked") + b"0\r\n\r\n" + INNER,
    "a coding twice": head("POST", CONFIG_MAPS, Transfer_Encoding="chunked, identity") + INNER,
    "a coding before chunks": head("POST", CONFIG_MAPS, Transfer_Encoding="gzip, chunked")
    + b"0\r\n\r\n"
    + INNER,
    "chunks of an old version": head("POST", CONFIG_MAPS, Transfer_Encoding="chunked").replace(b"1.1", b"1.0")
    + b"0\r\n\r\n"
    + INNER,
    "a bad chunk size": head("POST", CONFIG_MAPS, Transfer_Encoding="chunked") + b"xyz\r\n\r\n" + INNER,
    "a huge chunk size": head("POST", CONFIG_MAPS, Transfer_Encoding="chunked") + b"f" * 20 + b"\r\n" + INNER,
    "a space before the colon": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length : 90\r\n\r\n" + INNER,
    "bare line feeds": b"POST / HTTP/1.1\nHost: x\nContent-Length: 0\n\n" + INNER,
    "a folded header": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n" + INNER,
    "a header without a name": b"GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n" + INNER,
    "no version": b"GET /\r\n\r\n" + INNER,
    "another protocol": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "noise": bytes(range(256)),
}


@pytest.mark.parametrize("sent", SMUGGLED.values(), ids=SMUGGLED)
async def test_no_request_hides_in_another(rig: Rig, sent: bytes) -> None:
    """Whatever is ambiguous is refused and ends the connection: the inner request is never answered."""
    async with connected(rig.server.port) as peer:
        await peer.send(sent)
        reply = await peer.reply()
        assert reply.code in (400, 413, 501), reply
        refused(reply, reply.code, {400: "BadRequest", 413: "RequestEntityTooLarge"}.get(reply.code))
        assert b"HTTP/1.1" not in await peer.ended()


async def test_a_head_that_never_ends(patient: tuple[Rig, FakeClock]) -> None:
    rig, clock = patient
    async with connected(rig.server.port) as peer:
        await peer.send(b"GET /version HTTP/1.1\r\n")
        for number in range(40):
            await peer.send(b"X-%d: a\r\n" % number)
            await asyncio.sleep(0)
            await clock.advance(1)
        refused(await peer.reply(), 408, "Timeout")
        assert await peer.ended() == b""


async def test_a_body_that_never_comes(patient: tuple[Rig, FakeClock]) -> None:
    rig, clock = patient
    async with connected(rig.server.port) as peer:
        await peer.send(head("POST", CONFIG_MAPS, Content_Length="100") + b"{")
        await asyncio.sleep(0.05)
        await clock.advance(40)
        refused(await peer.reply(), 408, "Timeout")
        assert await peer.ended() == b""


async def test_a_connection_that_says_nothing(patient: tuple[Rig, FakeClock]) -> None:
    rig, clock = patient
    async with connected(rig.server.port) as peer:
        await asyncio.sleep(0.05)
        await clock.advance(40)
        assert await peer.ended() == b""


GARBAGE = {
    "plain HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "noise": bytes(range(256)) * 10,
    "an oversized record": b"\x16\x03\x01\xff\xff" + b"\x01" * 100,
    "half a greeting": b"\x16\x03\x01\x02\x00\x01",
}


@pytest.mark.parametrize("sent", GARBAGE.values(), ids=GARBAGE)
async def test_what_is_no_tls(rig: Rig, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.server.port)
    writer.write(sent)
    if sent.startswith(b"\x16\x03\x01\x02"):
        writer.write_eof()
    async with asyncio.timeout(PATIENCE_S):
        assert len(await reader.read()) < 100, "an alert at most"
    writer.close()
    async with connected(rig.server.port) as peer:
        await peer.send(head("GET", "/version"))
        assert (await peer.reply()).code == 200


async def test_a_peer_that_hangs_up_in_the_tls_greeting_leaves_nothing(rig: Rig) -> None:
    for _ in range(50):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = tls().wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        with pytest.raises(ssl.SSLWantReadError):
            session.do_handshake()
        _, writer = await asyncio.open_connection("127.0.0.1", rig.server.port)
        writer.write(outgoing.read()[:100])
        writer.close()
    assert (await rig.http("GET", CONFIG_MAPS))[0] == 200
