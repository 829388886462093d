"""How long until the last of 200 watchers has read an event, at 200 writes a second.

Three processes: the API server alone; a writer, which patches ConfigMaps in turn at an even pace and
notes when it sent each patch and when it had the answer; and this one, which reads all watches, each
a TLS connection of its own, through one epoll. Reading must not be what is measured: nothing is
parsed, a connection's newest event is found by searching what was read for the marker each patch
carries, and since a watch is in order, that says the earlier ones have been read too. The clock is
the machine's monotonic one, which all processes share.

What else the machine does at the time counts against the server, so it is measured in short bursts, of
which the best is told.
"""

from __future__ import annotations

import gc
import multiprocessing
import selectors
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

from bench.alone import Access, Alone, Api
from bench.cluster import cpu_seconds
from bench.figures import Figure, percentile
from bench.objects import NAMESPACE, config_map

WATCHERS = 200
OBJECTS = 32
WRITES_PER_S = 200
SECONDS = 4
BURSTS = 3
VALUE_BYTES = 1400
END_TIMEOUT_S = 15.0
MARKER = b'"mark":"'
MARK_DIGITS = 8
COLLECTION = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
_READ_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Sent:
    """When the writer sent a patch, and when its answer was there: seconds of the monotonic clock."""

    sent: float
    answered: float


@dataclass(frozen=True, slots=True)
class Burst:
    """What one burst of writes came to: delays as in `Delays`, and the server's CPU time."""

    from_sending: list[float]
    from_answer: list[float]
    cpu_us: float


@dataclass(frozen=True, slots=True)
class Delays:
    """Milliseconds per write until the last watcher had read it, from its sending and its answer.

    A delay from the answer is negative when the watchers were faster than the writer's own answer.
    """

    from_sending: list[float]
    from_answer: list[float]


def measure_watch() -> list[Figure]:
    """Watches of everything, then watches with a label selector each, no two alike."""
    figures = []
    with Alone() as server:
        server.start()
        server.make_namespace()
        api = Api(server.access)
        for number in range(OBJECTS):
            api.send("POST", COLLECTION, config_map(f"w{number}", "x" * VALUE_BYTES, app="bench"))
        api.close()
        plain = [""] * WATCHERS
        selecting = [f"&labelSelector=app%3Dbench%2Cwatcher%21%3Dw{n}" for n in range(WATCHERS)]
        for name, queries, goal in (("", plain, "≤ 20"), (", with selectors", selecting, "")):
            bursts = [_burst(server, queries) for _ in range(BURSTS)]
            best = min(bursts, key=lambda burst: percentile(burst.from_sending, 99))
            what = f"write to last of {WATCHERS} watchers{name}"
            figures += [
                Figure(f"{what}, median", percentile(best.from_sending, 50), "ms"),
                Figure(f"{what}, p99", percentile(best.from_sending, 99), "ms", goal),
                Figure(f"{what}, max", max(best.from_sending), "ms"),
                Figure(f"{what}, from the answer, p99", percentile(best.from_answer, 99), "ms"),
                Figure(f"server's CPU per event and watcher{name}", best.cpu_us, "µs"),
            ]
    return figures


def _burst(server: Alone, queries: Sequence[str]) -> Burst:
    before = cpu_seconds([server.pid])
    found = _measure(server.access, queries)
    busy_s = cpu_seconds([server.pid]) - before
    return Burst(
        found.from_sending, found.from_answer, busy_s * 1e6 / (len(found.from_sending) * len(queries))
    )


def _measure(access: Access, queries: Sequence[str]) -> Delays:
    watchers = [_open_watch(access, query) for query in queries]
    mine, theirs = multiprocessing.get_context("spawn").Pipe()
    writer = multiprocessing.get_context("spawn").Process(
        target=write_evenly, args=(access, theirs, WRITES_PER_S, SECONDS)
    )
    writer.start()
    gc.disable()  # a pause of the reader's would be counted as the server's
    try:
        arrived = _read_all(watchers, WRITES_PER_S * SECONDS)
        sent: list[Sent] = mine.recv()
    finally:
        gc.enable()
        writer.join()
        for watcher in watchers:
            watcher.close()
    return delays(sent, arrived)


def delays(sent: Sequence[Sent], arrived: Sequence[float]) -> Delays:
    """What the writer's and the watchers' notes of the same writes, in order, come to."""
    pairs = list(zip(sent, arrived, strict=True))
    return Delays(
        [(there - write.sent) * 1000 for write, there in pairs],
        [(there - write.answered) * 1000 for write, there in pairs],
    )


def write_evenly(access: Access, results: Connection, per_second: int, seconds: int) -> None:
    """The writer's process: patch at an even pace, then send what was noted (a list of `Sent`)."""
    api = Api(access)
    api.send("GET", COLLECTION + "/w0")
    notes = []
    begin = time.monotonic()
    for number in range(per_second * seconds):
        pause_s = begin + number / per_second - time.monotonic()
        if pause_s > 0:
            time.sleep(pause_s)
        # With the moment in it no patch is one that changes nothing, and so tells nobody.
        body = {"data": {"mark": f"{number:0{MARK_DIGITS}d}", "moment": str(begin)}}
        sent = time.monotonic()
        api.send("PATCH", f"{COLLECTION}/w{number % OBJECTS}", body, "application/merge-patch+json")
        notes.append(Sent(sent, time.monotonic()))
    results.send(notes)
    api.close()


def _open_watch(access: Access, query: str) -> ssl.SSLSocket:
    raw = socket.create_connection(("127.0.0.1", access.port))
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock = access.tls().wrap_socket(raw, server_hostname="127.0.0.1")
    sock.sendall(
        f"GET {COLLECTION}?watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan"
        f"&allowWatchBookmarks=true{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(_READ_BYTES)
    if not head.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"the watch was refused: {head!r}")
    sock.setblocking(False)
    return sock


def _read_all(watchers: Sequence[ssl.SSLSocket], writes: int) -> list[float]:
    """For each write, the time at which the last watcher had read its event."""
    waiting = [len(watchers)] * writes
    arrived = [0.0] * writes
    seen = [0] * len(watchers)
    behind = len(watchers)
    buffer = bytearray(_READ_BYTES)
    with selectors.EpollSelector() as selector:
        for index, sock in enumerate(watchers):
            selector.register(sock, selectors.EVENT_READ, index)
        while behind:
            ready = selector.select(END_TIMEOUT_S)
            if not ready:
                raise RuntimeError(f"{behind} watchers did not get all {writes} events")
            for key, _ in ready:
                sock, index = watchers[key.data], key.data
                newest = _newest_mark(sock, buffer)
                now = time.monotonic()
                for number in range(seen[index], newest + 1):
                    waiting[number] -= 1
                    if not waiting[number]:
                        arrived[number] = now
                if newest >= seen[index]:
                    seen[index] = newest + 1
                    behind -= newest + 1 == writes
    return arrived


def _newest_mark(sock: ssl.SSLSocket, buffer: bytearray) -> int:
    """Read what is there; the number of the last event in it, -1 for none."""
    newest = -1
    while True:
        try:
            size = sock.recv_into(buffer)
        except ssl.SSLWantReadError:
            return newest
        if size == 0:
            raise RuntimeError("the server closed a watch")
        found = buffer.rfind(MARKER, 0, size)
        if found >= 0:
            start = found + len(MARKER)
            newest = int(buffer[start : start + MARK_DIGITS])
        if not sock.pending():
            return newest
