"""Streams through a real containerd, asked as kubectl asks: WebSocket v5, SPDY tunnels, followed logs."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.kubelet.runtimes.containerd.conftest import CGROUP_ROOT, Machine
from tests.timing import PATIENCE_S
from wherry.cluster.leaves import Subject
from wherry.cluster.pki import Pki
from wherry.kit.clock import SystemClock
from wherry.kit.disk import DiskThreads
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.eviction.usage import Gauge
from wherry.kubelet.machine import read_machine
from wherry.kubelet.server.about import About
from wherry.kubelet.server.bridge import CLOSE, ERROR, PROTOCOL, RESIZE, STDERR, STDIN, STDOUT
from wherry.kubelet.server.config import KubeletServerConfig
from wherry.kubelet.server.server import KubeletServer
from wherry.objects.meta import Object

pytestmark = pytest.mark.cluster

TICKING = "i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.05; done"


@dataclass
class Node:
    """A kubelet server with one pod, and an administrator's session with it."""

    machine: Machine
    session: aiohttp.ClientSession
    url: str
    context: ssl.SSLContext

    @asynccontextmanager
    async def exec(self, *command: str, **flags: bool) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        query = [("command", word) for word in command]
        query += [(flag, "1") for flag, wanted in flags.items() if wanted]
        async with self.session.ws_connect(
            f"{self.url}/exec/default/pod-u1/c", params=query, protocols=[PROTOCOL], ssl=self.context
        ) as socket:
            assert socket.protocol == PROTOCOL
            yield socket


def pods() -> list[Object]:
    return [
        {
            "metadata": {"name": "pod-u1", "namespace": "default", "uid": "u1"},
            "spec": {"containers": [{"name": "c"}]},
        }
    ]


@pytest.fixture
async def node(machine: Machine, tmp_path: Path) -> AsyncIterator[Node]:
    pki = Pki(tmp_path / "pki", datetime.now(UTC))
    serving = pki.leaf("server", Subject(common_name="n", hosts=("127.0.0.1",)))
    admin = pki.leaf("admin", Subject(common_name="a", organizations=("system:masters",)))
    config = KubeletServerConfig(
        node_name="n",
        cert_file=serving.cert,
        key_file=serving.key,
        client_ca_file=pki.authority.cert,
        log_dir=tmp_path / "logs",
        host="127.0.0.1",
        port=0,
    )
    clock = SystemClock()
    own = KubeletConfig(
        node_name="n",
        node_ip="127.0.0.1",
        root_dir=tmp_path,
        log_dir=tmp_path / "logs",
        cgroup_root=CGROUP_ROOT,
    )
    disk = DiskThreads(clock)
    gauge = Gauge(machine.runtime, own, clock, disk)
    about = About(config=own, machine=lambda: read_machine(tmp_path), disk=disk, gauge=gauge)
    server = KubeletServer(machine.runtime, pods, config, clock, about)
    port = await server.start()
    context = ssl.create_default_context(cafile=str(pki.authority.cert))
    context.load_cert_chain(admin.cert, admin.key)
    try:
        async with aiohttp.ClientSession() as session:
            yield Node(machine, session, f"https://127.0.0.1:{port}", context)
    finally:
        await server.close()


async def channels(socket: aiohttp.ClientWebSocketResponse) -> dict[int, bytes]:
    """Everything that came on each channel until the end."""
    found: dict[int, bytes] = {}
    async with asyncio.timeout(PATIENCE_S):
        async for message in socket:
            found[message.data[0]] = found.get(message.data[0], b"") + message.data[1:]
    return found


def outcome(found: dict[int, bytes]) -> Any:
    return json.loads(found[ERROR])


async def test_outputs_and_exit_codes(node: Node) -> None:
    await node.machine.run("u1", TICKING)
    async with node.exec("sh", "-c", "echo out; echo err >&2; exit 7", output=True, error=True) as socket:
        found = await channels(socket)
    assert (found[STDOUT], found[STDERR]) == (b"out\n", b"err\n")
    assert outcome(found)["reason"] == "NonZeroExitCode"
    assert outcome(found)["details"]["causes"] == [{"reason": "ExitCode", "message": "7"}]


async def test_stdin_with_its_end(node: Node) -> None:
    await node.machine.run("u1", TICKING)
    data = bytes(range(256)) * 4000
    async with node.exec("cat", input=True, output=True, error=True) as socket:

        async def feed() -> None:
            for at in range(0, len(data), 30_000):
                await socket.send_bytes(bytes([STDIN]) + data[at : at + 30_000])
            await socket.send_bytes(bytes([CLOSE, STDIN]))

        feeding = asyncio.ensure_future(feed())
        found = await channels(socket)
        await feeding
    assert found[STDOUT] == data
    assert outcome(found)["status"] == "Success"


async def test_terminals_follow_their_size(node: Node) -> None:
    await node.machine.run("u1", TICKING)
    async with node.exec("sh", input=True, output=True, tty=True) as socket:
        await socket.send_bytes(bytes([RESIZE]) + b'{"Width":77,"Height":33}')
        await socket.send_bytes(bytes([STDIN]) + b"sleep 0.2; stty size; exit 5\n")
        found = await channels(socket)
    assert b"33 77" in found[STDOUT]
    assert outcome(found)["details"]["causes"][0]["message"] == "5"


async def test_commands_that_are_not_there(node: Node) -> None:
    await node.machine.run("u1", TICKING)
    async with node.exec("nowhere", output=True) as socket:
        found = await channels(socket)
    assert outcome(found)["status"] == "Failure"
    assert "executable file not found" in outcome(found)["message"]


async def test_logs_are_followed_to_the_containers_end(node: Node) -> None:
    _, container_id = await node.machine.run("u1", TICKING)
    url = f"{node.url}/containerLogs/default/pod-u1/c?follow=true"
    async with node.session.get(url, ssl=node.context) as response, asyncio.timeout(PATIENCE_S):
        assert await response.content.readline() == b"tick 1\n"
        assert await response.content.readline() == b"tick 2\n"
        await node.machine.runtime.stop_container(container_id, 0)
        rest = await response.content.read()
    (container,) = await node.machine.runtime.containers("u1")
    logged = [line.split(" ", 3)[3] for line in Path(container.log_path).read_text().splitlines()]
    assert rest.decode().splitlines() == logged[2:]


async def test_usage_is_told(node: Node) -> None:
    await node.machine.run("u1", "while :; do :; done")
    _, ended = await node.machine.run("u2", "true")
    await node.machine.runtime.stop_container(ended, 5)
    async with node.session.get(f"{node.url}/stats/summary", ssl=node.context) as response:
        summary = await response.json()
        async with node.session.get(f"{node.url}/metrics/cadvisor", ssl=node.context) as response:
            page = await response.text()
    (pod,) = [pod for pod in summary["pods"] if pod["podRef"]["name"] == "pod-u1"]
    (container,) = pod["containers"]
    for figures in (pod, container):
        assert figures["cpu"]["usageCoreNanoSeconds"] > 0
        assert figures["memory"]["workingSetBytes"] > 0
    assert pod["network"]["name"] == "eth0"
    found = {
        (sample.name, sample.labels.get("container"), sample.labels.get("pod")): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }
    assert found["container_cpu_usage_seconds_total", "c", "pod-u1"] > 0
    assert ("container_network_receive_bytes_total", "", "pod-u1") in found
    assert ("container_memory_rss", "c", "pod-u2") not in found, "it has ended"


async def test_ports_through_a_spdy_tunnel(node: Node) -> None:
    await node.machine.run("u1", TICKING)
    async with node.session.ws_connect(
        f"{node.url}/portForward/default/pod-u1",
        protocols=["SPDY/3.1+portforward.k8s.io"],
        ssl=node.context,
    ) as socket:
        # A ping is the shortest thing the runtime answers over SPDY: the same frame.
        ping = bytes.fromhex("8003000600000004 00000001")
        await socket.send_bytes(ping)
        answer = b""
        async with asyncio.timeout(PATIENCE_S):
            while len(answer) < len(ping):  # a frame may come in several messages
                answer += await socket.receive_bytes()
        assert answer == ping


async def test_the_older_websocket_is_the_runtimes_own(node: Node) -> None:
    """`v4.channel.k8s.io`, which has no end of stdin, as many client libraries speak it."""
    await node.machine.run("u1", TICKING)
    query = [("command", word) for word in ("sh", "-c", "read x; echo got $x; exit 3")]
    async with node.session.ws_connect(
        f"{node.url}/exec/default/pod-u1/c",
        params=[*query, ("input", "1"), ("output", "1"), ("error", "1")],
        protocols=["v4.channel.k8s.io"],
        ssl=node.context,
    ) as socket:
        assert socket.protocol == "v4.channel.k8s.io"
        await socket.send_bytes(bytes([STDIN]) + b"this\n")
        found = await channels(socket)
    assert found[STDOUT] == b"got this\n"
    assert outcome(found)["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]
