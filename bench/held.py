"""What a large cluster's pods take of memory: held by the API server, the scheduler and the controllers, in
one process. The pods name their nodes and run already; nodes are only objects.
"""

from __future__ import annotations

import gc
import os
import tempfile
from pathlib import Path
from random import Random
from time import perf_counter

import uvloop

from bench.figures import Figure
from bench.scheduling import control_plane_api, make_all, make_namespace, node, pod
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.cluster.assembly import ControlPlane, ControlPlaneConfig
from wherry.controllers.catalog import CONTROLLERS
from wherry.controllers.nodes.eviction import TaintEviction
from wherry.controllers.nodes.lifecycle import NodeLifecycle
from wherry.kit.clock import SystemClock
from wherry.kit.memory import collect_seldom
from wherry.store.sqlite import SqliteStore

KINDS = tuple(kind for kind in CONTROLLERS if kind not in (NodeLifecycle, TaintEviction))
"""Not those that would say of nodes nobody plays that they are lost."""


def measure_held(nodes: int = 5000, pods: int = 150_000) -> list[Figure]:
    """Megabytes with all of it, kilobytes of each pod, and seconds until all pods were made."""
    collect_seldom()  # as the server's process does
    figures: list[Figure] = uvloop.run(_measure(nodes, pods))
    return figures


async def _measure(nodes: int, pods: int) -> list[Figure]:
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as directory:
        store = await SqliteStore.open(Path(directory) / "store.db", clock)
        config = ControlPlaneConfig(api=control_plane_api(), kinds=KINDS)
        plane = ControlPlane(config, store, clock, Random(7))
        await plane.start(listens=False)
        try:
            client = plane.client("kubernetes-admin", ("system:masters",))
            await make_namespace(client)
            await make_all(nodes, lambda number: client.create(NODES, node(number)))
            before = _resident_mb()
            began = perf_counter()
            await make_all(
                pods, lambda number: client.create(PODS, pod(f"p{number}", nodeName=f"node-{number % nodes}"))
            )
            made_s = perf_counter() - began
            gc.collect()
            held = _resident_mb()
            name = f"{pods:,} pods on {nodes:,} nodes"
            return [
                Figure(f"{name}, resident memory of the whole process", held, "MB", "< 1,500 MB"),
                Figure(f"{name}, of it by each pod", (held - before) / pods * 1e3, "kB"),
                Figure(f"{name}, made in", made_s, "s"),
            ]
        finally:
            await plane.close()
            await store.close()


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
