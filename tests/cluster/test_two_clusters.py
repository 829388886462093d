"""Two control planes in one process do not touch each other: nothing in Wherry is global."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from tests.conftest import eventually
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.client.api import Client
from wherry.client.http import HttpIdentity, HttpTransport
from wherry.cluster.apiserver import control_plane_config
from wherry.cluster.assembly import ControlPlane
from wherry.cluster.config import Setup, index_defaults, overlay
from wherry.cluster.identities import ADMIN, ensure_identities
from wherry.cluster.paths import ClusterPaths
from wherry.cluster.settings import FLAGS
from wherry.kit.clock import SystemClock
from wherry.objects.meta import Object
from wherry.store.memory import MemoryStore

DEPLOYMENT: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "i:1"}]},
        },
    },
}


@asynccontextmanager
async def control_plane(setup: Setup, directory: Path) -> AsyncIterator[Client]:
    """API server, controllers and scheduler of one cluster; a client over HTTPS as its admin."""
    clock = SystemClock()
    paths = ClusterPaths.of(setup.cluster.name, directory / setup.cluster.name, directory / "run")
    identities = ensure_identities(setup, paths, "127.0.0.1", datetime.now(UTC))
    store = MemoryStore(clock)
    plane = ControlPlane(control_plane_config(setup.cluster, identities), store, clock, Random(1))
    await plane.start()
    admin = identities.of(ADMIN)
    identity = HttpIdentity(ca_file=identities.authority.cert, cert_file=admin.cert, key_file=admin.key)
    client = Client(HttpTransport(plane.api.url, identity))
    try:
        yield client
    finally:
        await client.close()
        await plane.close()
        await store.close()


async def test_what_happens_in_one_does_not_happen_in_the_other(tmp_path: Path) -> None:
    def config(index: int) -> Setup:
        base = index_defaults(f"c{index}", index)
        return overlay(base, {"node_name": f"n{index}", "api_port": 26400 + index}, FLAGS)

    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(control_plane(config(1), tmp_path))
        two = await stack.enter_async_context(control_plane(config(2), tmp_path))
        allocatable = {"cpu": "4", "memory": "8Gi", "pods": "110"}
        node: Object = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": "n1"},
            "status": {"allocatable": allocatable, "conditions": [{"type": "Ready", "status": "True"}]},
        }
        await one.create(NODES, node)
        await one.create(DEPLOYMENTS, DEPLOYMENT)

        async def all_bound() -> bool:
            pods = (await one.list(PODS)).items
            return [pod["spec"].get("nodeName") for pod in pods] == ["n1", "n1"]

        await eventually(all_bound)
        assert (await two.list(PODS)).items == []
        assert (await two.list(DEPLOYMENTS)).items == []
        assert (await two.list(NODES)).items == []
