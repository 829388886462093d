"""Watches whose resource goes away, whose version is forgotten, and whose client does not read."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from tests.apiserver.hostile.conftest import DEEPS, is_served
from tests.apiserver.hostile.wire import CONFIG_MAPS, ask, connected, head, refused, tls
from tests.apiserver.rig import Rig, api_server, config_map, running
from tests.timing import PATIENCE_S
from wherry.api.core.config_maps import CONFIG_MAPS as CONFIG_MAPS_KIND
from wherry.apiserver.encoding import encode_stored
from wherry.kit.clock import FakeClock

DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/deeps.x.io"
SLOW_WATCHERS = 20
REMEMBERED = 1000


def lines(body: bytes) -> list[Any]:
    return [json.loads(line) for line in body.splitlines()]


async def test_a_watch_ends_when_its_definition_goes(rig: Rig) -> None:
    deep = {"apiVersion": "x.io/v1", "kind": "Deep", "metadata": {"name": "a"}, "spec": {}}
    assert (await rig.http("POST", DEEPS, deep))[0] == 201
    async with connected(rig.server.port) as peer:
        await peer.send(head("GET", f"{DEEPS}?watch=1"))
        reading = asyncio.create_task(peer.reply())
        await asyncio.sleep(0.05)
        assert not reading.done()
        assert (await rig.http("DELETE", DEFINITION))[0] == 200
        reply = await reading
        assert reply.code == 200, "the last chunk came: the stream was ended, not broken off"
        assert [event["type"] for event in lines(reply.body)] == ["ADDED", "DELETED"]
        await is_served(rig, DEEPS, 404)
        await peer.send(head("GET", f"{DEEPS}?watch=1"))
        refused(await peer.reply(), 404, "NotFound", "the server could not find the requested resource")


async def expires(rig: Rig, port: int, version: int) -> None:
    """A watch from `version` is told that it is too old, and ends."""
    async with connected(port) as peer:
        await peer.send(head("GET", f"{CONFIG_MAPS}?watch=1&resourceVersion={version}"))
        reply = await peer.reply()
    (event,) = lines(reply.body)
    assert (reply.code, event["type"]) == (200, "ERROR")
    status = event["object"]
    assert (status["code"], status["reason"]) == (410, "Expired")
    assert status["message"].startswith(f"too old resource version: {version} (")


async def test_a_version_older_than_what_is_remembered(rig: Rig) -> None:
    cacher = rig.server.core.registry.of(CONFIG_MAPS_KIND).cacher
    await cacher.start()
    cacher._ring._most_events = REMEMBERED
    version = rig.store.revision
    key = "/registry/configmaps/default/busy"
    entry = await rig.store.create(key, encode_stored(config_map("busy")))
    for number in range(REMEMBERED + 10):
        data = encode_stored(config_map("busy", n=str(number)))
        entry = await rig.store.update(key, data, expected=entry.revision)
    await rig.store.compact(rig.store.revision)
    await expires(rig, rig.server.port, version)
    latest = rig.store.revision - 5
    reply = await ask(rig, "GET", f"{CONFIG_MAPS}?watch=1&timeoutSeconds=1&resourceVersion={latest}")
    assert len(lines(reply.body)) == 5, "what is remembered is served"


async def test_a_version_from_before_a_restart(rig: Rig) -> None:
    version = rig.store.revision
    assert (await rig.http("POST", CONFIG_MAPS, config_map("later")))[0] == 201
    other = api_server(rig.store, rig.server.core.clock)
    await other.start()
    try:
        async with connected(other.port) as peer:
            await peer.send(head("GET", f"{CONFIG_MAPS}?watch=1&timeoutSeconds=1&resourceVersion={version}"))
            (event,) = lines((await peer.reply()).body)
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "later")
        await rig.store.compact(rig.store.revision)
        third = api_server(rig.store, rig.server.core.clock)
        await third.start()
        try:
            await expires(rig, third.port, version)
        finally:
            await third.close()
    finally:
        await other.close()


@asynccontextmanager
async def deaf(port: int, target: str) -> AsyncIterator[socket.socket]:
    """A client that asks for `target` and never reads."""
    loop = asyncio.get_running_loop()
    bare = socket.socket()
    bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def ask_and_leave() -> socket.socket:
        bare.connect(("127.0.0.1", port))
        wrapped = tls().wrap_socket(bare, server_hostname="127.0.0.1")
        wrapped.sendall(head("GET", target))
        return wrapped

    wrapped = await loop.run_in_executor(None, ask_and_leave)
    try:
        yield wrapped
    finally:
        wrapped.close()


async def test_clients_that_do_not_read_hold_up_nobody() -> None:
    """They are cut off; whoever reads sees every change though no client's time to read passes."""
    async with running(FakeClock(), watch_buffer_bytes=256 * 1024) as rig:
        assert (await rig.http("POST", CONFIG_MAPS, config_map("a")))[0] == 201
        async with AsyncExitStack() as deafs, connected(rig.server.port) as good:
            await good.send(head("GET", f"{CONFIG_MAPS}?watch=1&resourceVersion={rig.store.revision}"))
            await good.reader.readuntil(b"\r\n\r\n")
            for _ in range(SLOW_WATCHERS):
                await deafs.enter_async_context(deaf(rig.server.port, f"{CONFIG_MAPS}?watch=1"))
            async with asyncio.timeout(PATIENCE_S):
                for number in range(40):
                    change = config_map("a", x=f"{number:03}" * 60_000)
                    assert (await rig.http("PUT", f"{CONFIG_MAPS}/a", change))[0] == 200
                    event = b""
                    while not event.endswith(b"\n\r\n"):
                        event += await good.reader.readuntil(b"\r\n")
                    assert f"{number:03}{number:03}".encode() in event
                while sum(rig.server.metrics.long_running.values()) > 1:  # noqa: ASYNC110 - nothing tells from outside
                    await asyncio.sleep(0.01)
