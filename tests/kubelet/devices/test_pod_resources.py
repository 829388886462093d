"""The pod-resources API: which container has what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from tests.kubelet.devices.conftest import Plug
from tests.kubelet.devices.dra.fake_driver import FakeDriver
from tests.kubelet.devices.dra.test_claims import make_claim, use
from tests.kubelet.devices.fake_plugin import healthy
from tests.kubelet.devices.test_device_plugins import GPU, limits, offered
from tests.kubelet.rig import Node
from wherry.kit.metrics import render
from wherry.kubelet.devices.pod_resources import MESSAGES, PER_S


class Lister:
    """A client of the API."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def ask(self, method: str, request: Any, answer: Any) -> Any:
        call: Any = self._channel.unary_unary(
            f"/v1.PodResourcesLister/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        return await call(request)

    async def list(self) -> Any:
        return await self.ask("List", MESSAGES.ListPodResourcesRequest(), MESSAGES.ListPodResourcesResponse)

    async def get(self, name: str) -> Any:
        request = MESSAGES.GetPodResourcesRequest(pod_name=name, pod_namespace="default")
        return await self.ask("Get", request, MESSAGES.GetPodResourcesResponse)


@pytest.fixture
async def lister(made: Node) -> AsyncIterator[Lister]:
    socket = made.config.root_dir / "pod-resources" / "kubelet.sock"
    async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
        yield Lister(channel)


async def test_devices_of_containers_are_listed(made: Node, plug: Plug, lister: Lister) -> None:
    plugin = await plug(GPU, healthy("g0", "g1"), registers=False)
    plugin.nodes = {"g0": 0, "g1": 1}
    await plugin.register()
    await offered(made, "2", "2")
    await made.create("plain")
    await made.create("p", limits(2))
    await made.ready("p")
    (one,) = [pod for pod in (await lister.list()).pod_resources if pod.name == "p"]
    (container,) = one.containers
    found = [(d.resource_name, list(d.device_ids), d.topology.nodes[0].ID) for d in container.devices]
    assert found == [(GPU, ["g0"], 0), (GPU, ["g1"], 1)]
    assert (await lister.get("p")).pod_resources == one
    plain = (await lister.get("plain")).pod_resources
    assert [(c.name, len(c.devices)) for c in plain.containers] == [("web", 0)]
    plugin.change({"g0": "Healthy", "g1": "Unhealthy"})
    await offered(made, "2", "1")
    all_of_them = await lister.ask(
        "GetAllocatableResources",
        MESSAGES.AllocatableResourcesRequest(),
        MESSAGES.AllocatableResourcesResponse,
    )
    assert [list(d.device_ids) for d in all_of_them.devices] == [["g0"]]


async def test_devices_of_claims_are_listed(made: Node, lister: Lister) -> None:
    driver = await FakeDriver(made.config.root_dir).start()
    try:
        await make_claim(made)
        await use(made, "p")
        await made.ready_in_time("p")
    finally:
        await driver.stop()
    (container,) = (await lister.get("p")).pod_resources.containers
    (claim,) = container.dynamic_resources
    assert (claim.claim_name, claim.claim_namespace) == ("c", "default")
    (device,) = claim.claim_resources
    assert (device.driver_name, device.pool_name, device.device_name) == ("gpu.example.com", "p", "gpu-0")
    assert [one.name for one in device.cdi_devices] == ["gpu.example.com/gpu=c"]


async def test_too_many_questions_are_refused(made: Node, lister: Lister) -> None:
    for _ in range(10):
        await lister.list()
    with pytest.raises(grpc.RpcError) as caught:
        await lister.list()
    error: Any = caught.value
    assert (error.code(), error.details()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "rejected by rate limit")
    await made.clock.advance(1 / PER_S)
    await lister.list()


async def test_a_pod_that_is_not_there(made: Node, lister: Lister) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await lister.get("nobody")
    assert caught.value.details() == "pod nobody in namespace default not found"
    page = render(made.kubelet.metrics.own())
    assert 'kubelet_pod_resources_endpoint_requests_get{server_api_version="v1"} 1' in page
    assert 'kubelet_pod_resources_endpoint_errors_get{server_api_version="v1"} 1' in page
