"""A node with pods on a bridge, and a machine outside, each in a network namespace of its own.

To be made in a thread that has a network namespace of its own (`tests.network.namespaces.run_apart`): that is
the node's. Pods serve TCP and UDP and say who they are and whom they see.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.timing import PATIENCE_S
from wherry.network.tool import run_tool

CLUSTER_CIDR, SERVICE_CIDR = "10.244.0.0/24", "10.96.0.0/16"
GATEWAY, NODE, OUTSIDE = "10.244.0.1", "192.0.2.1", "192.0.2.9"
PORT = 8080
HERE = Path(__file__).parent


@dataclass
class Host:
    """A network namespace, held by a process; `address` is what others reach it at."""

    name: str
    address: str
    holder: asyncio.subprocess.Process | None = None
    """None: the node itself."""

    @property
    def inside(self) -> tuple[str, ...]:
        """The command that leads into it."""
        return () if self.holder is None else ("nsenter", "-t", str(self.holder.pid), "-n")

    async def calls(self, address: str, port: int, times: int = 1, protocol: str = "tcp") -> Counter[str]:
        """What it hears when it calls `times` times: `name seen-address` or the error's name, counted."""
        said = await run_tool(
            *self.inside, sys.executable, str(HERE / "caller.py"), protocol, address, str(port), str(times)
        )
        return Counter(json.loads(said))

    async def names(self, address: str, port: int, times: int = 1, protocol: str = "tcp") -> Counter[str]:
        """Who answers, or the error's name, counted."""
        found: Counter[str] = Counter()
        for heard, number in (await self.calls(address, port, times, protocol)).items():
            found[heard.split()[0]] += number
        return found


@dataclass
class Lab:
    """The node, its pods, and a machine outside that has a route to the node alone."""

    node: Host
    outside: Host
    pods: list[Host] = field(default_factory=list)


@asynccontextmanager
async def lab(pods: int) -> AsyncIterator[Lab]:
    """A lab with pods 10.244.0.2 and on, called a, b, c and so on."""
    started: list[asyncio.subprocess.Process] = []
    try:
        await _ip("link", "set", "lo", "up")
        await _ip("link", "add", "br0", "type", "bridge")
        await _ip("addr", "add", f"{GATEWAY}/24", "dev", "br0")
        await _ip("link", "set", "br0", "up")
        for switch in ("net.ipv4.ip_forward=1", "net.ipv4.conf.br0.route_localnet=1"):
            await run_tool("sysctl", "-q", "-w", switch)
        made = Lab(Host("node", NODE), Host("outside", OUTSIDE))
        for number in range(pods):
            pod = Host("abcdefghijklmnopqrstuvwxyz"[number], f"10.244.0.{number + 2}")
            await _join(pod, f"p{number}", "24", started)
            await _ip("link", "set", f"p{number}", "master", "br0", "up")
            await _ip("link", "set", f"p{number}", "type", "bridge_slave", "hairpin", "on")
            await run_tool(*pod.inside, "ip", "route", "add", "default", "via", GATEWAY)
            started.append(await _serve(pod))
            made.pods.append(pod)
        await _join(made.outside, "uplink", "24", started)
        await _ip("addr", "add", f"{NODE}/24", "dev", "uplink")
        await _ip("link", "set", "uplink", "up")
        await _ip("route", "add", "default", "via", OUTSIDE)
        await run_tool(*made.outside.inside, "ip", "route", "add", "default", "via", NODE)
        yield made
    finally:
        for process in reversed(started):
            process.send_signal(signal.SIGKILL)
            await process.wait()


@asynccontextmanager
async def serving(host: Host) -> AsyncIterator[None]:
    """A server on the host."""
    process = await _serve(host)
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def _join(host: Host, link: str, bits: str, started: list[asyncio.subprocess.Process]) -> None:
    """Give the host a namespace that is joined to the node's by the interface `link`."""
    script = "import sys; print('up', flush=True); sys.stdin.read()"
    host.holder = await asyncio.create_subprocess_exec(
        *("unshare", "-n", sys.executable, "-c", script),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    started.append(host.holder)
    await _line(host.holder)
    await _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(host.holder.pid))
    for command in (
        ("link", "set", "lo", "up"),
        ("addr", "add", f"{host.address}/{bits}", "dev", "eth0"),
        ("link", "set", "eth0", "up"),
    ):
        await run_tool(*host.inside, "ip", *command)


async def _serve(pod: Host) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        *(*pod.inside, sys.executable, str(HERE / "server.py"), pod.name, str(PORT)),
        stdout=asyncio.subprocess.PIPE,
    )
    await _line(process)
    return process


async def _line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)
    assert line, "it ended"
    return line


async def _ip(*arguments: str) -> None:
    await run_tool("ip", *arguments)
