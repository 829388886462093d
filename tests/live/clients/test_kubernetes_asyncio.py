"""kubernetes_asyncio: the generated API over aiohttp."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest
from kubernetes_asyncio import client, config, watch
from kubernetes_asyncio.client.exceptions import ApiException
from kubernetes_asyncio.dynamic import DynamicClient
from kubernetes_asyncio.stream import WsApiClient

from tests.live.clients.trials.base import POD, config_map, sleeping_deployment
from tests.live.cluster import BUSYBOX

WATCH_TIMEOUT_S = 60
# Streams that are broken off leave their sockets to the garbage collector, which this client means.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
async def api(kubeconfig: str) -> AsyncIterator[client.ApiClient]:
    settings = client.Configuration()
    await config.load_kube_config(kubeconfig, client_configuration=settings)
    async with client.ApiClient(settings) as made:
        yield made
    gc.collect()


async def test_objects(api: client.ApiClient, namespace: str) -> None:
    """Create, read, list in chunks, patch, delete; refusals as `ApiException`."""
    core = client.CoreV1Api(api)
    for n in range(3):
        await core.create_namespaced_config_map(namespace, config_map(f"c{n}", a=str(n)))
    with pytest.raises(ApiException) as again:
        await core.create_namespaced_config_map(namespace, config_map("c0"))
    assert again.value.status == 409
    only = "metadata.name!=kube-root-ca.crt"
    found, token = [], None
    while token != "":
        page = await core.list_namespaced_config_map(namespace, limit=1, _continue=token, field_selector=only)
        found += [item.metadata.name for item in page.items]
        token = page.metadata._continue or ""
    assert found == ["c0", "c1", "c2"]
    merge = "application/merge-patch+json"
    patched = await core.patch_namespaced_config_map(
        "c0", namespace, {"data": {"a": None}}, _content_type=merge
    )
    assert not patched.data
    await core.delete_namespaced_config_map("c0", namespace)
    with pytest.raises(ApiException) as gone:
        await core.read_namespaced_config_map("c0", namespace)
    assert gone.value.status == 404


async def test_patches(api: client.ApiClient, namespace: str) -> None:
    """Strategic and JSON patches, server-side apply."""
    apps = client.AppsV1Api(api)
    body = sleeping_deployment("d", BUSYBOX, replicas=0)
    apply = "application/apply-patch+yaml"
    made = await apps.patch_namespaced_deployment(
        "d", namespace, body, field_manager="test", force=True, _content_type=apply
    )
    assert [item.manager for item in made.metadata.managed_fields] == ["test"]
    more = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": BUSYBOX}]}}}}
    strategic = "application/strategic-merge-patch+json"
    patched = await apps.patch_namespaced_deployment("d", namespace, more, _content_type=strategic)
    assert {item.name for item in patched.spec.template.spec.containers} == {"main", "side"}
    operations = [{"op": "add", "path": "/metadata/labels/x", "value": "y"}]
    labelled = await apps.patch_namespaced_deployment("d", namespace, operations)
    assert labelled.metadata.labels["x"] == "y"


async def test_watch(api: client.ApiClient, namespace: str) -> None:
    """Events in order while objects change."""
    core = client.CoreV1Api(api)
    version = (await core.list_namespaced_config_map(namespace)).metadata.resource_version

    async def change() -> None:
        await core.create_namespaced_config_map(namespace, config_map("w", a="1"))
        await core.delete_namespaced_config_map("w", namespace)

    changing = asyncio.create_task(change())
    seen = []
    async with watch.Watch() as events:
        async for event in events.stream(
            core.list_namespaced_config_map,
            namespace,
            resource_version=version,
            timeout_seconds=WATCH_TIMEOUT_S,
        ):
            seen.append((event["type"], event["object"].metadata.name))
            if event["type"] == "DELETED":
                events.stop()
    await changing
    assert seen == [("ADDED", "w"), ("DELETED", "w")]


async def test_logs(api: client.ApiClient, furnished: str) -> None:
    """Logs at once, and followed."""
    core = client.CoreV1Api(api)
    assert (await core.read_namespaced_pod_log(POD, furnished)).startswith("line 0\n")
    numbers: list[int] = []
    async with watch.Watch() as lines:
        async for line in lines.stream(
            core.read_namespaced_pod_log, POD, furnished, tail_lines=1, follow=True
        ):
            numbers.append(int(line.split()[1]))
            if len(numbers) == 2:
                break
    assert numbers[1] == numbers[0] + 1


async def test_exec(api: client.ApiClient, furnished: str) -> None:
    """A command over WebSockets, with its exit code."""
    async with WsApiClient(api.configuration) as ws:
        core = client.CoreV1Api(ws)
        flags = {"stdin": False, "stdout": True, "stderr": True, "tty": False}
        said = await core.connect_get_namespaced_pod_exec(
            POD, furnished, command=["sh", "-c", "echo out; echo err >&2"], **flags
        )
        assert sorted(said.splitlines()) == ["err", "out"]
        connection = await core.connect_get_namespaced_pod_exec(
            POD, furnished, command=["sh", "-c", "exit 6"], _preload_content=False, **flags
        )
        async with connection as socket:
            (*_, last) = [message.data async for message in socket]
    assert last[0] == 3
    assert WsApiClient.parse_error_data(last[1:].decode()) == 6


async def test_dynamic_client(api: client.ApiClient, namespace: str) -> None:
    """The dynamic client finds kinds by discovery and applies server-side."""
    async with DynamicClient(api) as kinds:
        maps = await kinds.resources.get(api_version="v1", kind="ConfigMap")
        applied = await maps.server_side_apply(
            body=config_map("applied", a="1"), namespace=namespace, field_manager="test"
        )
        assert applied.data.a == "1"
        await maps.delete(name="applied", namespace=namespace)
