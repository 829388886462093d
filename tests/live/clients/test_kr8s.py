"""kr8s, asynchronous: objects that know their own verbs."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import kr8s
import pytest
from kr8s.asyncio import objects

from tests.live.clients.trials.base import POD, WEB, config_map, sleeping_deployment, sleeping_pod
from tests.live.cluster import BUSYBOX
from tests.timing import PATIENCE_S

# It says of every server newer than itself that it is not supported, and leaves broken-off streams to
# the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Kubernetes version .* is not supported:UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
async def api(kubeconfig: str, namespace: str) -> AsyncIterator[Any]:
    made = await kr8s.asyncio.api(kubeconfig=kubeconfig, namespace=namespace)
    yield made
    await made._session.aclose()  # kr8s itself never does
    gc.collect()


async def test_api(api: Any) -> None:
    """Version, discovery, who one is."""
    assert (await api.version())["minor"] == "37"
    kinds = {item["name"] for item in await api.api_resources()}
    assert {"pods", "deployments", "events"} <= kinds
    assert "apps/v1" in [version async for version in api.api_versions()]
    assert await api.whoami()


async def test_objects(api: Any, namespace: str) -> None:
    """Create, patch both ways, label, annotate, get by selectors, delete."""
    item = await objects.ConfigMap(config_map("c", a="1"), api=api)
    await item.create()
    assert await item.exists()
    await item.patch({"data": {"a": None, "b": "2"}})
    await item.patch([{"op": "add", "path": "/data/c", "value": "3"}], type="json")
    assert item.data.to_dict() == {"b": "2", "c": "3"}
    await item.label({"tier": "one"})
    await item.annotate({"note": "yes"})
    found = [one async for one in api.get("configmaps", label_selector={"tier": "one"})]
    assert [one.name for one in found] == ["c"]
    assert found[0].annotations.note == "yes"
    by_field = [one async for one in api.get("configmaps", field_selector="metadata.name=c")]
    assert by_field[0].namespace == namespace
    await item.delete()
    with pytest.raises(kr8s.NotFoundError):
        await objects.ConfigMap.get("c", api=api, timeout=0)


async def test_watch_and_wait(api: Any) -> None:
    """Watch a kind; wait for a pod's condition and for its deletion."""
    seen = []

    async def look() -> None:
        async for event, item in api.watch("pods"):
            seen.append((event, item.name))
            if event == "DELETED":
                return

    looking = asyncio.create_task(look())
    pod = await objects.Pod(sleeping_pod("p", BUSYBOX), api=api)
    await pod.create()
    await pod.wait("condition=Ready", timeout=60)
    await pod.delete()
    await pod.wait("delete", timeout=60)
    await asyncio.wait_for(looking, PATIENCE_S)
    assert seen[0] == ("ADDED", "p")
    assert seen[-1] == ("DELETED", "p")


async def test_scale(api: Any) -> None:
    """A Deployment scaled up; its ready pods."""
    deployment = await objects.Deployment(sleeping_deployment("d", BUSYBOX), api=api)
    await deployment.create()
    await deployment.wait("condition=Available", timeout=60)
    await deployment.scale(2)
    await deployment.wait("jsonpath='{.status.readyReplicas}'=2", timeout=60)
    assert len(await deployment.pods()) == 2
    await deployment.delete(propagation_policy="Foreground")
    await deployment.wait("delete", timeout=60)


async def test_logs_and_exec(api: Any, furnished: str) -> None:
    """Logs, followed logs, a command with its outputs."""
    pod = await objects.Pod.get(POD, namespace=furnished, api=api)
    lines = [line async for line in pod.logs()]
    assert lines[0] == "line 0"
    numbers: list[int] = []
    async for line in pod.logs(follow=True, tail_lines=1):
        numbers.append(int(line.split()[1]))
        if len(numbers) == 2:
            break
    assert numbers[1] == numbers[0] + 1
    done = await pod.exec(["sh", "-c", "echo out; echo bad >&2; exit 3"], check=False)
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"bad\n", 3)


async def test_port_forward(api: Any, furnished: str) -> None:
    """A local port to a Service's pods, and the Service through the API server."""
    service = await objects.Service.get(WEB, namespace=furnished, api=api)
    async with (
        service.portforward(80, local_port="auto") as port,
        aiohttp.request("GET", f"http://127.0.0.1:{port}/") as answer,
    ):
        assert "nginx" in await answer.text()
    assert "nginx" in (await service.proxy_http_get("index.html", port=80)).text


async def test_nodes(api: Any) -> None:
    """The node, cordoned and back."""
    node = await objects.Node.get("live", api=api)
    await node.cordon()
    assert node.unschedulable
    await node.uncordon()
    await node.refresh()
    assert not node.unschedulable
