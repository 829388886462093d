"""A server that an administrator has asked for something and that is idle since: `test_imports` runs it.

Prints how many KiB of it are resident, and what it has loaded.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import sys
from pathlib import Path

import uvloop

from wherry.cluster.config import Setup
from wherry.cluster.identities import ADMIN, find_identities
from wherry.cluster.launch import settle_process
from wherry.cluster.paths import ClusterPaths
from wherry.cluster.server import run_server

HEADERS = "Host: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
READY_NODE = """{"kind": "Node", "apiVersion": "v1", "metadata": {"name": "a"}, "status": {"conditions": [
{"type": "Ready", "status": "True"}]}}"""
ASKED = ("/readyz", "/api/v1/namespaces/default", "/apis")


def setup_of(port: int) -> Setup:
    """The cluster, whose API server is at `port`."""
    return Setup.of("idle", node_name="a", api_port=port)


def paths_of(directory: Path) -> ClusterPaths:
    """Where its files are."""
    return ClusterPaths.of("idle", directory / "data", directory / "run")


async def serve(setup: Setup, paths: ClusterPaths) -> None:
    """Run the server until it has answered everything, controllers and scheduler included."""
    paths.run.mkdir(parents=True)
    stop, running = asyncio.Event(), asyncio.Event()
    logger = logging.getLogger("wherry.cluster.standby")
    logger.setLevel(logging.INFO)

    def told(record: logging.LogRecord) -> bool:
        running.set()  # it says so once the scheduler runs, which is last
        return True

    logger.addFilter(told)
    server = asyncio.create_task(run_server(setup, paths, stop))
    found = find_identities(setup, paths)
    admin = ssl.create_default_context(cafile=found.authority.cert)
    admin.load_cert_chain(found.of(ADMIN).cert, found.of(ADMIN).key)
    for path in ASKED:
        await asked(setup.cluster.api_port, admin, f"GET {path}", server)
    await asked(setup.cluster.api_port, admin, "POST /api/v1/nodes", server, READY_NODE)
    await running.wait()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            print(line.split()[1], *sys.modules)
    stop.set()
    await server


async def asked(
    port: int, admin: ssl.SSLContext, what: str, server: asyncio.Task[None], body: str = ""
) -> None:
    """Ask until the answer is good. Raises what the server ended with."""
    status = b""
    while b" 20" not in status:
        if server.done():
            server.result()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=admin)
        except OSError:
            continue  # it does not listen yet
        writer.write(f"{what} HTTP/1.1\r\n{HEADERS}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        status = (await reader.read()).partition(b"\r\n")[0]
        writer.close()


if __name__ == "__main__":
    settle_process()
    uvloop.run(serve(setup_of(int(sys.argv[2])), paths_of(Path(sys.argv[1]))))
