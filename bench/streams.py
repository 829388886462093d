"""Streams through the API server and the kubelet: how long a command in a container takes, how fast a log
comes.

The client is the machine's own: on two cores client, API server, kubelet and containerd share what there is,
so beside the time on the wall stands what the agent's processor gave.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass

import aiohttp

from bench.cluster import NAME, BenchCluster, cpu_seconds
from bench.figures import Figure, percentile
from bench.workload import IMAGE

COMMANDS = 50
LINE = "x" * 99
LOG_MB = 5
"""Less than what is rotated away."""
READS = 20
POD = "/api/v1/namespaces/default/pods/streams"


@dataclass(frozen=True, slots=True)
class Asked:
    """An API server, what is shown to it, and TLS to it."""

    url: str
    headers: dict[str, str]
    tls: ssl.SSLContext


def measure_streams(cluster: BenchCluster) -> list[Figure]:
    """Commands one after the other, and one log again and again."""
    archive = cluster.directory / "streams.tar"
    cluster.run("image", "pack", "busybox-static", "--name", IMAGE, "--output", str(archive))
    cluster.run("image", "load", str(archive), "--name", NAME)
    script = f"yes {LINE} | head -n {LOG_MB * 10_000}; sleep 3600"
    cluster.kubectl("run", "streams", f"--image={IMAGE}", "--", "sh", "-c", script)
    cluster.kubectl("wait", "pod/streams", "--for=condition=Ready", "--timeout=60s")
    asked = Asked(cluster.status()["server"], {"Authorization": f"Bearer {cluster.token()}"}, _unchecked())
    pids = {item["name"]: item["pid"] for item in cluster.status()["components"]}
    took_ms = asyncio.run(_execute(asked))
    before_s = {name: cpu_seconds([pids[name]]) for name in ("agent", "server")}
    started = time.monotonic()
    read_mb = asyncio.run(_read(asked)) / 1e6
    wall_s = time.monotonic() - started
    cpu_s = {name: max(cpu_seconds([pids[name]]) - before, 0.01) for name, before in before_s.items()}
    cluster.kubectl("delete", "pod", "streams", "--now", "--wait=false")
    return [
        Figure("exec round trip, median", percentile(took_ms, 50), "ms", "< 60 ms"),
        Figure("exec round trip, p99", percentile(took_ms, 99), "ms"),
        Figure("log through the API server, lines of 100 bytes", read_mb / wall_s, "MB/s", "≥ 100 MB/s"),
        *(
            Figure(f"the same per second of the {one}'s processor", read_mb / s, "MB")
            for one, s in cpu_s.items()
        ),
    ]


async def _execute(asked: Asked) -> list[float]:
    """Milliseconds each of the commands took, from the request to its exit code."""
    query = [("command", "true"), ("stdout", "true"), ("stderr", "true")]
    took = []
    async with aiohttp.ClientSession(headers=asked.headers) as session:
        for _ in range(COMMANDS):
            began = time.monotonic()
            async with session.ws_connect(
                f"{asked.url}{POD}/exec", params=query, protocols=["v5.channel.k8s.io"], ssl=asked.tls
            ) as socket:
                async for message in socket:
                    if message.data[:1] == b"\x03":
                        break
            took.append((time.monotonic() - began) * 1000)
    return took


async def _read(asked: Asked) -> int:
    """How many bytes came."""
    total = 0
    async with aiohttp.ClientSession(headers=asked.headers) as session:
        for _ in range(READS):
            async with session.get(f"{asked.url}{POD}/log", ssl=asked.tls) as answer:
                async for piece in answer.content.iter_any():
                    total += len(piece)
    return total


def _unchecked() -> ssl.SSLContext:
    """TLS to the cluster that was just made here, whoever signed its certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
