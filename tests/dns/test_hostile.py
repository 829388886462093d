"""Clients that mean no good: names that look like others, streams nobody reads, answers that cost much."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import dns.message
import dns.rcode
import pytest

from tests.apiserver.rig import running
from tests.conftest import eventually
from tests.timing import PATIENCE_S
from wherry.api.core.services import SERVICES
from wherry.client.api import Client
from wherry.dns import streams
from wherry.dns.answers import LARGEST_BYTES, Remembered
from wherry.dns.dns import ClusterDns
from wherry.dns.figures import Figures
from wherry.dns.node_resolver import NodeResolver
from wherry.dns.responder import Responder
from wherry.dns.served import Clients, DnsConfig, ServedDns
from wherry.dns.server import MOST_STREAMS_PER_CLIENT, Listener, Reply
from wherry.dns.wire import Answer, name_of_labels, name_of_text, read_query, write_answer
from wherry.dns.zone import Zone
from wherry.kit.clock import FakeClock, SystemClock
from wherry.kit.metrics import render

QUESTION = dns.message.make_query("a.example.com", "A").to_wire()


def asked(name: bytes) -> bytes:
    return b"\x00\x07\x01\x00" + struct.pack("!4H", 1, 0, 0, 0) + name + b"\x00\x01\x00\x01"


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


class Echo:
    """Answers each question with as many bytes; raises for those that ask for it."""

    def __init__(self, size: int = 0) -> None:
        self.size = size

    def handle(self, data: bytes, source: str, reply: Reply, *, is_stream: bool) -> None:
        if b"raise" in data:
            raise RuntimeError("told to")
        reply(data[:2] + b"\x80" + bytes(max(9, self.size)))


@pytest.fixture
async def listening() -> AsyncIterator[tuple[Echo, Listener, int]]:
    echo = Echo()
    listener = Listener(echo, lambda _: True)
    yield echo, listener, await listener.start("127.0.0.1", 0)
    await listener.close()


@pytest.mark.parametrize(
    "looks_like", [b"abc\x03pod", b"x\x07cluster", b"abc\x03svc", b"a\x07default\x03svc"]
)
def test_a_label_that_looks_like_a_domain_is_none(looks_like: bytes) -> None:
    """In bytes the name ends as one of ours does; in labels it does not."""
    responder = Responder(Zone(), "cluster.local", "10.96.0.10", 30)
    name = name_of_labels([looks_like])[:-1] + name_of_text("cluster.local")
    answer = responder.answer(read_query(asked(name)))
    assert isinstance(answer, Answer)
    assert dns.message.from_wire(write_answer(read_query(asked(name)), answer)).rcode() == dns.rcode.NXDOMAIN


async def test_a_question_that_goes_wrong_is_answered_and_ends_nothing(
    listening: tuple[Echo, Listener, int], caplog: pytest.LogCaptureFixture
) -> None:
    _, _, port = listening
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect(("127.0.0.1", port))
        loop = asyncio.get_running_loop()
        for _ in range(5):
            client.send(asked(b"\x05raise\x00"))
        client.send(QUESTION)
        codes = [(await loop.sock_recv(client, 512))[3] & 0xF for _ in range(6)]
    assert codes == [dns.rcode.SERVFAIL] * 5 + [0]
    errors = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(errors) == 1, "it is said once"


async def test_a_stream_that_is_not_read_is_cut_off(
    listening: tuple[Echo, Listener, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    echo, listener, port = listening
    echo.size = 60_000
    monkeypatch.setattr(streams, "IDLE_S", 0.2)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        before = open_files()
        await loop.sock_connect(client, ("127.0.0.1", port))
        await loop.sock_sendall(client, (struct.pack("!H", len(QUESTION)) + QUESTION) * 500)
        await eventually(lambda: listener.streams == 1)
        await eventually(lambda: listener.streams == 0)
        await eventually(lambda: open_files() == before)


async def test_one_client_has_so_many_streams_and_its_last_answer_comes_after_its_end(
    listening: tuple[Echo, Listener, int],
) -> None:
    _, listener, port = listening
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST_STREAMS_PER_CLIENT)]
    await eventually(lambda: listener.streams == MOST_STREAMS_PER_CLIENT)
    reader, more = await asyncio.open_connection("127.0.0.1", port)
    assert await asyncio.wait_for(_rest(reader), PATIENCE_S) == b""
    more.close()
    reader, writer = opened[0]
    writer.write(struct.pack("!H", len(QUESTION)) + QUESTION)
    writer.write_eof()
    assert len(await asyncio.wait_for(reader.read(), PATIENCE_S)) == 14
    for _, each in opened:
        each.close()
    await eventually(lambda: listener.streams == 0)


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


def test_large_answers_of_others_are_not_kept() -> None:
    """Each hit writes all its TTLs: whose domain it is must not choose how many these are."""
    clock = FakeClock()
    remembered = Remembered(clock)
    answer = dns.message.make_response(dns.message.make_query("big.example.com", "A"))
    rrset = dns.rrset.from_text("big.example.com.", 300, "IN", "A", *(f"192.0.2.{n}" for n in range(250)))
    answer.answer.append(rrset)
    wire = answer.to_wire()
    remembered.put((b"few", 0), wire)
    assert (len(remembered), len(wire) < LARGEST_BYTES) == (1, True)
    answer.answer[0] = dns.rrset.from_text(
        "big.example.com.", 300, "IN", "A", *(f"192.0.{m}.{n}" for m in (2, 3) for n in range(250))
    )
    remembered.put((b"many", 0), answer.to_wire())
    assert len(remembered) == 1


def test_types_a_client_makes_up_are_one_figure() -> None:
    figures = Figures()
    for kind in range(1000):
        figures.answered(".", kind, 0, 0.0, is_stream=False)
    page = render(figures.metrics(0, 0))
    samples = [line for line in page.splitlines() if line.startswith("coredns_dns_requests_total")]
    assert len(samples) == len({line.rpartition(" ")[0] for line in samples}) < 15


async def test_names_are_served_though_their_pages_cannot_be(tmp_path: Path) -> None:
    async with running(FakeClock(), listens=False) as rig:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            config = DnsConfig(
                domain="cluster.local",
                address="127.0.0.1",
                port=0,
                pages_port=port,
                resolv_conf=tmp_path / "none",
            )
            served = ServedDns(rig.admin, config, "here", SystemClock())
            served.start()
            await eventually(lambda: served.dns.is_ready)
        await eventually(lambda: served.shows_pages)
        await served.close()


async def test_it_is_ready_when_every_name_is_known(tmp_path: Path) -> None:
    async with running(FakeClock(), listens=False) as rig:
        client: Client = rig.admin
        for number in range(60):
            spec = {"ports": [{"port": 80}], "clusterIP": f"10.96.1.{number + 1}"}
            await client.create(
                SERVICES, {"metadata": {"name": f"s{number}", "namespace": "default"}, "spec": spec}
            )
        dns_here = ClusterDns(client, SystemClock(), "cluster.local", "", NodeResolver(tmp_path / "none"))
        # Some change was seen to before the lists were there, as it is when these come in pieces.
        dns_here._updating.poke()
        await dns_here._updating.succeeded.wait()
        await dns_here.start()
        answers: list[bytes] = []
        for number in range(60):
            query = dns.message.make_query(f"s{number}.default.svc.cluster.local", "A").to_wire()
            dns_here.handle(query, "127.0.0.1", answers.append, is_stream=False)
        assert {answer[3] & 0xF for answer in answers} == {0}
        await dns_here.close()


def test_who_may_ask() -> None:
    may = Clients(("10.244.0.0/16",), FakeClock())
    assert [may(address) for address in ("10.244.3.4", "127.0.0.1", "192.0.2.77")] == [True, True, False]
