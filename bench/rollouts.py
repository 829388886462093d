"""Workloads on simulated nodes, controllers and all: until their pods are Ready, and until they are gone.

API server, SQLite store, controllers, scheduler and nodes in one process, in real time.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from time import perf_counter

import uvloop

from bench.figures import Figure
from bench.scheduling import control_plane_api
from wherry.api.apps.daemon_sets import DAEMON_SETS
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.apps.stateful_sets import STATEFUL_SETS
from wherry.api.core.namespaces import NAMESPACES
from wherry.api.resource import Resource
from wherry.client.api import Client
from wherry.client.transport import WatchEvent
from wherry.cluster.assembly import ControlPlane, ControlPlaneConfig
from wherry.controllers.catalog import CONTROLLERS
from wherry.hollow.hollow import HollowNodes
from wherry.hollow.machines import NodeTemplate
from wherry.kit.clock import SystemClock
from wherry.kit.memory import collect_seldom
from wherry.objects.meta import Object, name_of
from wherry.store.sqlite import SqliteStore

NAMESPACE = "rollout"


def measure_rollouts(nodes: int = 100, replicas: int = 1000) -> list[Figure]:
    """Seconds until all pods of each kind of workload are Ready, and until its namespace is gone."""
    collect_seldom()  # as the server's process does
    figures: list[Figure] = uvloop.run(_measure(nodes, replicas))
    return figures


async def _measure(nodes: int, replicas: int) -> list[Figure]:
    many: Object = {"replicas": replicas}
    figures = await _one(DEPLOYMENTS, nodes, replicas, many, "< 3 s")
    figures += await _one(STATEFUL_SETS, nodes, replicas, {**many, "podManagementPolicy": "Parallel"})
    return figures + await _one(DAEMON_SETS, nodes, nodes, {})


async def _one(resource: Resource, nodes: int, count: int, more: Object, goal: str = "") -> list[Figure]:
    async with cluster(nodes) as client:
        ready = asyncio.create_task(_until(client, resource, lambda event: _ready_of(event.object) == count))
        await asyncio.sleep(0)
        began = perf_counter()
        await _make(client, resource, more)
        await ready
        ready_s = perf_counter() - began
        gone = asyncio.create_task(_until(client, NAMESPACES, _is_gone))
        await asyncio.sleep(0)
        began = perf_counter()
        await client.delete(NAMESPACES, NAMESPACE)
        await gone
        gone_s = perf_counter() - began
    name = f"a {resource.kind} of {count:,} pods on {nodes:,} simulated nodes"
    return [
        Figure(f"{name}, all Ready", ready_s, "s", goal),
        Figure(f"{name}, its namespace gone", gone_s, "s", goal),
    ]


@asynccontextmanager
async def cluster(nodes: int) -> AsyncIterator[Client]:
    """A client of a whole cluster, with a namespace; it ends with the block."""
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as directory:
        store = await SqliteStore.open(Path(directory) / "store.db", clock)
        config = ControlPlaneConfig(api=control_plane_api(), kinds=CONTROLLERS)
        plane = ControlPlane(config, store, clock, Random(7))
        await plane.start(listens=False)
        admin = ("system:masters",)
        hollow = HollowNodes(plane.client("hollow", admin), clock, Random(7), NodeTemplate(count=nodes))
        await hollow.start()
        client = plane.client("kubernetes-admin", admin)
        meta = {"metadata": {"name": NAMESPACE}}
        await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", **meta})
        await asyncio.sleep(1)  # what comes with a namespace is not what is measured
        try:
            yield client
        finally:
            await hollow.close()
            await plane.close()
            await store.close()


async def _make(client: Client, resource: Resource, more: Object) -> None:
    labels = {"app": "bench"}
    containers = [{"name": "c", "image": "registry.k8s.io/pause:3.10"}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    spec = {"selector": {"matchLabels": labels}, "template": template, **more}
    meta = {"name": "bench", "namespace": NAMESPACE}
    kind = {"apiVersion": resource.api_version, "kind": resource.kind}
    await client.create(resource, {**kind, "metadata": meta, "spec": spec})


async def _until(client: Client, resource: Resource, has: Callable[[WatchEvent], bool]) -> None:
    """Return with the first event that has what is waited for."""
    namespace = NAMESPACE if resource.namespaced else ""
    version = (await client.list(resource, namespace, limit=1)).resource_version
    async for event in client.watch(resource, namespace, resource_version=version):
        if has(event):
            return


def _ready_of(workload: Object) -> int:
    status = workload.get("status") or {}
    return status.get("readyReplicas") or status.get("numberReady") or 0


def _is_gone(event: WatchEvent) -> bool:
    return event.type == "DELETED" and name_of(event.object) == NAMESPACE
