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
    logger = logging.getLogger("wherry.cluster.assembly")
    logger.setLevel(logging.INFO)

    def told(record: logging.LogRecord) -> bool:
        running.set()  # it says so once controllers and scheduler run
        return True

    logger.addFilter(told)
    server = asyncio.create_task(run_server(setup, paths, stop))
    found = find_identities(setup, paths)
    admin = ssl.create_default_context(cafile=found.authority.cert)
    admin.load_cert_chain(found.of(ADMIN).cert, found.of(ADMIN).key)
    for path in ASKED:
        await asked(setup.cluster.api_port, admin, path, server)
    await running.wait()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            print(line.split()[1], *sys.modules)
    stop.set()
    await server


async def asked(port: int, admin: ssl.SSLContext, path: str, server: asyncio.Task[None]) -> None:
    """Ask until the answer is 200. Raises what the server ended with."""
    status = b""
    while b" 200 " not in status:
        if server.done():
            server.result()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=admin)
        except OSError:
            continue  # it does not listen yet
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        status = (await reader.read()).partition(b"\r\n")[0]
        writer.close()


if __name__ == "__main__":
    settle_process()
    uvloop.run(serve(setup_of(int(sys.argv[2])), paths_of(Path(sys.argv[1]))))
