"""All controllers against the real API server, in process: a cluster without nodes' real work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from tests.apiserver import rig
from tests.timing import PATIENCE_S
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.apps.replica_sets import REPLICA_SETS
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.endpoints import ENDPOINTS
from wherry.api.core.namespaces import NAMESPACES
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.core.services import SERVICES
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.api.policy.pod_disruption_budgets import POD_DISRUPTION_BUDGETS
from wherry.api.resource import Resource
from wherry.client.api import Client
from wherry.controllers.catalog import CONTROLLERS
from wherry.controllers.config import ControllerConfig
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, is_deleting, name_of


@dataclass
class Cluster:
    """An API server with its controllers."""

    admin: Client

    async def ready(self, pods: list[Object]) -> None:
        """Report the pods running and ready, as kubelets would."""
        for number, pod in enumerate(pods):
            ip = f"10.1.0.{number + 2}"
            ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
            status = {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "conditions": [ready]}
            await self.admin.patch(PODS, name_of(pod), "default", {"status": status}, subresource="status")

    async def pods(self) -> list[Object]:
        return (await self.admin.list(PODS)).items

    async def end_pods(self) -> None:
        """Let pods that are being deleted be gone."""
        for pod in await self.pods():
            if is_deleting(pod):
                await self.admin.delete(PODS, name_of(pod), "default", grace_period_s=0)


async def eventually(check: Callable[[], Awaitable[bool]], timeout_s: float = PATIENCE_S) -> None:
    """Return once `check` holds. Raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while not await check():  # noqa: ASYNC110 - a server's state has no event to wait on
            await asyncio.sleep(0.005)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    config = ControllerConfig(cluster_ca_pem="PEM", cluster_cidr="10.1.0.0/16")
    async with rig.running(kinds=CONTROLLERS, controllers=config) as made:
        cluster = Cluster(made.admin)
        await eventually(lambda: exists(cluster, SERVICE_ACCOUNTS, "default"))
        yield cluster


async def exists(cluster: Cluster, resource: Resource, name: str, namespace: str = "default") -> bool:
    try:
        await cluster.admin.get(resource, name, namespace)
    except ApiError as error:
        if error.code != 404:
            raise
        return False
    return True


def deployment(count: int) -> Object:
    container = {"name": "c", "image": "nginx:1.27", "ports": [{"name": "http", "containerPort": 80}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": count,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}},
        },
    }


async def test_a_deployment_with_its_service(cluster: Cluster) -> None:
    admin = cluster.admin
    service = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]}
    await admin.create(SERVICES, {"metadata": {"name": "web"}, "spec": service}, "default")
    await admin.create(DEPLOYMENTS, deployment(10))

    async def has_ten() -> bool:
        return len(await cluster.pods()) == 10

    async def is_done() -> bool:
        status = (await admin.get(DEPLOYMENTS, "web", "default")).get("status") or {}
        return status.get("availableReplicas") == 10 and status.get("observedGeneration") == 1

    async def has_endpoints() -> bool:
        pieces = (await admin.list(ENDPOINT_SLICES, label_selector="kubernetes.io/service-name=web")).items
        subsets = (await admin.get(ENDPOINTS, "web", "default")).get("subsets") or []
        ready = [e for piece in pieces for e in piece["endpoints"] if e["conditions"]["ready"]]
        return len(ready) == 10 and len(subsets) == 1 and len(subsets[0]["addresses"]) == 10

    await eventually(has_ten)
    await cluster.ready(await cluster.pods())
    await eventually(is_done)
    await eventually(has_endpoints)
    stored = await admin.get(DEPLOYMENTS, "web", "default")
    assert stored["metadata"]["annotations"] == {"deployment.kubernetes.io/revision": "1"}
    assert stored["metadata"]["generation"] == 1


async def test_a_budget_lets_go_as_many_as_it_says(cluster: Cluster) -> None:
    admin = cluster.admin
    await admin.create(DEPLOYMENTS, deployment(3))
    await eventually(lambda: _count(cluster, 3))
    budget = {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}
    meta = {"name": "web", "namespace": "default"}
    await admin.create(POD_DISRUPTION_BUDGETS, {"metadata": meta, "spec": budget})
    await cluster.ready(await cluster.pods())

    async def allows(count: int) -> bool:
        status = (await admin.get(POD_DISRUPTION_BUDGETS, "web", "default")).get("status") or {}
        return status.get("disruptionsAllowed") == count and status.get("expectedPods") == 3

    await eventually(lambda: allows(1))
    first, second, _ = [name_of(pod) for pod in await cluster.pods()]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": first}}
    await admin.create_subresource(PODS, first, "default", "eviction", eviction)
    eviction = {**eviction, "metadata": {"name": second}}
    with pytest.raises(ApiError, match="Cannot evict pod") as refused:
        await admin.create_subresource(PODS, second, "default", "eviction", eviction)
    assert refused.value.code == 429


@pytest.mark.parametrize("propagation", ["Background", "Foreground"])
async def test_a_deleted_deployment_takes_everything_along(cluster: Cluster, propagation: str) -> None:
    await cluster.admin.create(DEPLOYMENTS, deployment(3))
    await eventually(lambda: _count(cluster, 3))
    await cluster.admin.delete(DEPLOYMENTS, "web", "default", propagation=propagation)

    async def is_gone() -> bool:
        await cluster.end_pods()
        sets = (await cluster.admin.list(REPLICA_SETS)).items
        return not (await cluster.pods()) and not sets and not await exists(cluster, DEPLOYMENTS, "web")

    await eventually(is_gone)


async def _count(cluster: Cluster, wanted: int) -> bool:
    return len(await cluster.pods()) == wanted


async def test_a_namespace_comes_and_goes(cluster: Cluster) -> None:
    await cluster.admin.create(NAMESPACES, {"metadata": {"name": "shop"}})
    await eventually(lambda: exists(cluster, CONFIG_MAPS, "kube-root-ca.crt", "shop"))
    await eventually(lambda: exists(cluster, SERVICE_ACCOUNTS, "default", "shop"))
    await cluster.admin.delete(NAMESPACES, "shop")

    async def is_gone() -> bool:
        return not await exists(cluster, NAMESPACES, "shop", "")

    await eventually(is_gone)


async def test_a_node_gets_its_block(cluster: Cluster) -> None:
    await cluster.admin.create(NODES, {"metadata": {"name": "n1"}})

    async def has_block() -> bool:
        node = await cluster.admin.get(NODES, "n1")
        return bool(node.get("spec", {}).get("podCIDR") == "10.1.0.0/24")

    await eventually(has_block)
