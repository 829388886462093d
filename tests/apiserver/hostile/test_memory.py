"""What hostile clients leave behind in the server's memory: next to nothing."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from tests.apiserver.hostile.served import Served, served
from tests.apiserver.hostile.test_bodies import BAD_PROTOBUF, BOMB, MALFORMED_JSON, MALFORMED_YAML
from tests.apiserver.hostile.test_connections import SMUGGLED
from tests.apiserver.hostile.test_requests import NOWHERE
from tests.apiserver.hostile.wire import CONFIG_MAPS, PROTOBUF, YAML, connected, head, request

pytestmark = pytest.mark.slow
log = logging.getLogger(__name__)

MIB = 1024 * 1024
ROUNDS = 5
WARM_ROUNDS = 2
GROWTH_BYTES = 24 * MIB
"""How much larger the process may be after the last round than after the warm ones; a leaked
body of 3 MiB for each round's five largest requests would be three times as much."""

IDLE_CONNECTIONS = 1000
BYTES_PER_IDLE_CONNECTION = 64 * 1024
NOT_IMPLEMENTED = 501
"""A Transfer-Encoding we do not know."""


def barrage() -> list[bytes]:
    """One request of each hostile kind."""
    sent = [*SMUGGLED.values()]
    sent += [request("POST", CONFIG_MAPS, case.values[0]) for case in MALFORMED_JSON]  # type: ignore[arg-type]
    sent += [request("POST", CONFIG_MAPS, body, {"Content-Type": YAML}) for body, _ in MALFORMED_YAML]
    sent += [
        request("POST", CONFIG_MAPS, case.values[0], {"Content-Type": PROTOBUF})  # type: ignore[arg-type]
        for case in BAD_PROTOBUF
    ]
    sent += [request("GET", path) for path in NOWHERE]
    sent += [
        head("POST", CONFIG_MAPS, Content_Length=str(4 * MIB)),
        head("POST", CONFIG_MAPS, Transfer_Encoding="chunked") + b"400000\r\n" + b"x" * 4 * MIB,
        request("POST", CONFIG_MAPS, b"[" * 3 * MIB),
        request("POST", CONFIG_MAPS, b"[" * 3 * MIB, {"Content-Type": YAML}),
        request("POST", CONFIG_MAPS, BOMB * 1000, {"Content-Type": YAML}),
        request("GET", CONFIG_MAPS, b"", {"X-Long": "a" * 70_000}),
        request("PATCH", f"{CONFIG_MAPS}/target", copies(), {"Content-Type": "application/json-patch+json"}),
    ]
    return sent


def copies() -> bytes:
    """A JSON patch that copies a megabyte forty times."""
    first = {"op": "add", "path": "/data/a", "value": "x" * MIB}
    return json.dumps(
        [first, *({"op": "copy", "from": "/data", "path": f"/c{n}"} for n in range(40))]
    ).encode()


async def answered(server: Served, sent: bytes) -> int:
    """The code of the answer to `sent`; the connection is dropped then."""
    async with connected(server.port, server.context) as peer:
        sending = asyncio.create_task(peer.send(sent))
        try:
            return (await peer.reply()).code
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


async def test_the_whole_barrage_leaves_nothing() -> None:
    async with served() as server:
        sizes = []
        for _ in range(ROUNDS):
            for sent in barrage():
                code = await answered(server, sent)
                assert 400 <= code < 500 or code == NOT_IMPLEMENTED, sent[:200]
            sizes.append(server.resident_bytes())
        grown = sizes[-1] - sizes[WARM_ROUNDS - 1]
        log.info("resident after each round: %s MiB", [size // MIB for size in sizes])
        assert grown < GROWTH_BYTES, [size // MIB for size in sizes]


async def test_a_thousand_idle_connections_cost_little() -> None:
    async with served() as server:
        before = server.resident_bytes()
        opened: list[asyncio.StreamWriter] = []
        try:
            for _ in range(IDLE_CONNECTIONS // 50):
                batch = [
                    asyncio.open_connection("127.0.0.1", server.port, ssl=server.context) for _ in range(50)
                ]
                opened.extend(writer for _, writer in await asyncio.gather(*batch))
            assert await answered(server, head("GET", CONFIG_MAPS)) == 200
            each = (server.resident_bytes() - before) / IDLE_CONNECTIONS
            log.info("%d bytes for each idle connection", each)
            assert each < BYTES_PER_IDLE_CONNECTION
        finally:
            for writer in opened:
                writer.transport.abort()
