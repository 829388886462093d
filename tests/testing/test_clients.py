"""Clients of other people's reach a test cluster by its kubeconfig, and see a Deployment come and go.

kopf and the official client also stand in `docs/testing.md`, those in Go and Rust in `tests/other_languages`.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kr8s
import kubernetes
import kubernetes_asyncio
import lightkube
import pytest
from kr8s.asyncio.objects import Deployment as Kr8sDeployment
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import Namespace, Pod

from wherry.cli.failures import Failure
from wherry.cli.kubectl import find_kubectl
from wherry.testing import Cluster

pytestmark = [
    pytest.mark.slow,  # these clients take seconds to be loaded, and time is the machine's
    # Streams that are broken off leave their sockets to the garbage collector, which these clients mean.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Kubernetes version .* is not supported:UserWarning"),
]
TIMEOUT_S = 60


def web(name: str = "web") -> dict[str, Any]:
    labels = {"app": name}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": pod},
    }


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(nodes=2) as c:
        yield c
    gc.collect()


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """One of the test's own, in which nothing may be left but what every namespace has."""
    name = request.node.name.removeprefix("test_").replace("_", "-")
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    assert cluster.client.list("deployments", name) == []
    cluster.client.delete("namespace", name)
    gc.collect()


@pytest.fixture
def kubeconfig(cluster: Cluster) -> str:
    return str(cluster.kubeconfig)


def is_available(deployment: Any) -> bool:
    return bool(deployment.status and deployment.status.available_replicas == 2)


def test_the_official_client(kubeconfig: str, namespace: str) -> None:
    with kubernetes.config.new_client_from_config(kubeconfig) as api:
        apps, core = kubernetes.client.AppsV1Api(api), kubernetes.client.CoreV1Api(api)
        apps.create_namespaced_deployment(namespace, web())
        watch = kubernetes.watch.Watch()
        for event in watch.stream(apps.list_namespaced_deployment, namespace, timeout_seconds=TIMEOUT_S):
            if is_available(event["object"]):
                watch.stop()
        assert len(core.list_namespaced_pod(namespace, label_selector="app=web").items) == 2
        apps.delete_namespaced_deployment("web", namespace)


async def test_kubernetes_asyncio(kubeconfig: str, namespace: str) -> None:
    settings = kubernetes_asyncio.client.Configuration()
    await kubernetes_asyncio.config.load_kube_config(kubeconfig, client_configuration=settings)
    async with kubernetes_asyncio.client.ApiClient(settings) as api:
        apps, core = kubernetes_asyncio.client.AppsV1Api(api), kubernetes_asyncio.client.CoreV1Api(api)
        await apps.create_namespaced_deployment(namespace, web())
        async with asyncio.timeout(TIMEOUT_S), kubernetes_asyncio.watch.Watch() as watch:
            async for event in watch.stream(apps.list_namespaced_deployment, namespace):
                if is_available(event["object"]):
                    break
        assert len((await core.list_namespaced_pod(namespace, label_selector="app=web")).items) == 2
        await apps.delete_namespaced_deployment("web", namespace)


async def test_kr8s(kubeconfig: str, namespace: str) -> None:
    api = await kr8s.asyncio.api(kubeconfig=kubeconfig, namespace=namespace)
    deployment = await Kr8sDeployment(web(), api=api)
    await deployment.create()
    await deployment.wait("condition=Available", timeout=TIMEOUT_S)
    assert len([pod async for pod in api.get("pods", label_selector={"app": "web"})]) == 2
    await deployment.delete()
    await deployment.wait("delete", timeout=TIMEOUT_S)
    await api._session.aclose()  # kr8s itself never does


def test_lightkube(kubeconfig: str, namespace: str) -> None:
    config = lightkube.KubeConfig.from_file(kubeconfig)
    with lightkube.Client(config, namespace=namespace, field_manager="light") as client:
        assert client.get(Namespace, namespace).status.phase == "Active"
        client.apply(Deployment.from_dict(web()))
        client.wait(Deployment, "web", for_conditions=["Available"], raise_for_conditions=["ReplicaFailure"])
        assert len(list(client.list(Pod, labels={"app": "web"}))) == 2
        client.patch(Deployment, "web", {"metadata": {"annotations": {"note": "yes"}}})
        client.delete(Deployment, "web")


def test_kubectl(kubeconfig: str, namespace: str, tmp_path: Path) -> None:
    try:
        program = find_kubectl()
    except Failure as failure:
        pytest.skip(str(failure))

    def run(*arguments: str) -> str:
        command = [program, f"--kubeconfig={kubeconfig}", f"--namespace={namespace}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIMEOUT_S).stdout

    (tmp_path / "web.json").write_text(json.dumps(web()))
    run("apply", "-f", str(tmp_path / "web.json"))
    assert "successfully rolled out" in run("rollout", "status", "deployment/web")
    assert len(run("get", "pods", "-l", "app=web", "-o", "name").split()) == 2
    assert "web" in run("describe", "deployment", "web")
    run("delete", "deployment", "web", "--wait")
