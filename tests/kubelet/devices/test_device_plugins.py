"""Device plug-ins from registration to containers, with a plug-in of the test and a fake runtime."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Any

import grpc
import pytest

from tests.conftest import eventually
from tests.kubelet.devices.conftest import Plug
from tests.kubelet.devices.fake_plugin import FakePlugin, healthy
from tests.kubelet.rig import NODE, Node, is_ready, state, waiting
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.kubelet.admission import find_shortage
from wherry.kubelet.devices.messages import MESSAGES
from wherry.kubelet.runtimes.containers import DeviceNode, Mount
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.objects.meta import Object, uid_of

GPU = "example.com/gpu"


def limits(amount: int, resource: str = GPU) -> Object:
    """A container's resources with so many devices."""
    return {"resources": {"limits": {resource: str(amount)}, "requests": {resource: str(amount)}}}


async def amounts(made: Node, resource: str = GPU) -> tuple[str | None, str | None]:
    """Capacity and allocatable the Node tells of."""
    status = (await made.admin.get(NODES, NODE))["status"]
    return status["capacity"].get(resource), status["allocatable"].get(resource)


async def offered(made: Node, capacity: str | None, allocatable: str | None, resource: str = GPU) -> None:
    async def same() -> bool:
        return await amounts(made, resource) == (capacity, allocatable)

    try:
        await eventually(same)
    except AssertionError:
        raise AssertionError(f"the node tells of {await amounts(made, resource)}") from None


def spec_of_container(made: Node, name: str = "web") -> Any:
    return next(one for one in reversed(made.runtime.container_specs.values()) if one.name == name)


def checkpoint(made: Node) -> Any:
    path = made.config.root_dir / "device-plugins" / "kubelet_internal_checkpoint"
    return json.loads(path.read_text())


async def test_a_container_gets_what_the_plugin_gives(made: Node, plug: Plug) -> None:
    plugin = await plug(GPU, healthy("g0", "g1"))
    await offered(made, "2", "2")
    pod = await made.create("p", limits(1))
    await made.ready("p")
    (ids,) = plugin.allocated
    spec = spec_of_container(made)
    assert ("FAKE_DEVICES", ids[0]) in spec.env
    assert Mount("/opt/fake", "/fake", True) in spec.mounts
    assert spec.devices == (DeviceNode("/dev/null", f"/dev/{ids[0]}", "rw"),)
    assert spec.annotations["fake.example.com/ids"] == ids[0]
    assert spec.cdi_devices == (f"{GPU}={ids[0]}",)
    (entry,) = checkpoint(made)["Data"]["PodDeviceEntries"]
    assert (entry["PodUID"], entry["ContainerName"], entry["ResourceName"]) == (uid_of(pod), "web", GPU)
    assert entry["DeviceIDs"] == {"-1": ids}
    told = (await made.status("p"))["containerStatuses"][0]["allocatedResourcesStatus"]
    assert told == [{"name": GPU, "resources": [{"resourceID": ids[0], "health": "Healthy"}]}]


async def test_the_health_of_devices_is_told(made: Node, plug: Plug) -> None:
    plugin = await plug(GPU, healthy("g0"))
    await offered(made, "1", "1")
    await made.create("p", limits(1))
    await made.ready("p")
    plugin.change({"g0": "Unhealthy"})
    await offered(made, "1", "0")
    health = [{"name": GPU, "resources": [{"resourceID": "g0", "health": "Unhealthy"}]}]
    await made.until("p", lambda status: status["containerStatuses"][0]["allocatedResourcesStatus"] == health)
    plugin.change(healthy("g0", "g1"))
    await offered(made, "2", "2")


async def test_devices_are_free_again_when_the_pod_is_gone(made: Node, plug: Plug) -> None:
    plugin = await plug(GPU, healthy("g0"))
    await offered(made, "1", "1")
    await made.create("p", limits(1))
    await made.ready("p")
    await made.create("late", limits(1))
    refused = await made.until("late", lambda status: status.get("phase") == "Failed")
    assert refused["reason"] == f"OutOf{GPU}"
    text = f"Node didn't have enough resource: {GPU}, requested: 1, used: 1, capacity: 1"
    assert refused["message"] == f"Pod was rejected: {text}"
    await made.admin.delete(PODS, "p", "default", grace_period_s=0)
    await eventually(partial(made.gone, "p"))
    await eventually(lambda: checkpoint(made)["Data"]["PodDeviceEntries"] == [] and made.kubelet.workers == 1)
    await made.create("next", limits(1))
    await made.ready("next")
    assert plugin.allocated == [["g0"], ["g0"]]


async def test_a_plugin_that_refuses_fails_the_pod(made: Node, plug: Plug) -> None:
    plugin = await plug(GPU, healthy("g0"))
    plugin.failure = "the device is on fire"
    await offered(made, "1", "1")
    await made.create("p", limits(1))
    status = await made.until("p", lambda status: status.get("phase") == "Failed")
    assert status["reason"] == "UnexpectedAdmissionError"
    why = "rpc error: code = Internal desc = the device is on fire"
    assert status["message"] == f"Pod was rejected: Allocate failed due to {why}, which is unexpected"
    assert made.runtime.calls["run_sandbox"] == 0
    plugin.failure = ""
    await made.create("next", limits(1))
    await made.ready("next")


@pytest.mark.parametrize(
    ("size", "error"),
    [
        (300 << 10, "the allocation response has"),
        (5 << 20, "rpc error: code = ResourceExhausted desc = "),
    ],
)
async def test_an_answer_may_have_so_many_bytes(made: Node, plug: Plug, size: int, error: str) -> None:
    plugin = await plug(GPU, healthy("g0"))
    await offered(made, "1", "1")
    plugin.variable = "x" * size
    await made.create("p", limits(1))
    status = await made.until("p", lambda status: status.get("phase") == "Failed")
    assert error in status["message"]


async def test_init_containers_lend_their_devices(made: Node, plug: Plug) -> None:
    plugin = await plug(GPU, healthy("g0", "g1", "g2"))
    await offered(made, "3", "3")
    made.runtime.on_start = lambda spec: 0 if spec.name == "init" else None
    sidecar = {"name": "side", "image": "nginx:1.27", "restartPolicy": "Always", **limits(1)}
    init = {"name": "init", "image": "nginx:1.27", **limits(2)}
    await made.create("p", limits(2), initContainers=[init, sidecar])
    await made.ready("p")
    first, side, main = plugin.allocated
    assert side[0] in first
    assert side[0] not in main
    assert (set(first) - set(side)) < set(main)


async def test_the_plugin_is_asked_what_it_prefers_and_told_of_starts(made: Node, plug: Plug) -> None:
    plugin = await plug(GPU, healthy("g0", "g1", "g2"), registers=False)
    plugin.options = MESSAGES.DevicePluginOptions(
        pre_start_required=True, get_preferred_allocation_available=True
    )
    plugin.preferred = ["g2", "unknown"]
    await plugin.register()
    await offered(made, "3", "3")
    await made.create("p", limits(1))
    await made.ready("p")
    assert plugin.allocated == plugin.started == [["g2"]]


async def test_a_plugin_that_goes_keeps_its_resource_for_five_minutes(made: Node, plug: Plug) -> None:
    plugin = await plug(GPU, healthy("g0", "g1"))
    await offered(made, "2", "2")
    await made.create("p", limits(1))
    await made.ready("p")
    await plugin.stop()
    await offered(made, "2", "0")
    assert state(await made.status("p")).get("running")
    await made.clock.advance(290)
    assert await amounts(made) == ("2", "0")
    await made.clock.advance(60)
    await offered(made, "0", "0")
    again = await plug(GPU, healthy("g0", "g1"))
    await offered(made, "2", "2")
    await made.create("next", limits(1))
    await made.ready("next")
    assert again.allocated != plugin.allocated


async def test_a_plugin_killed_between_allocation_and_start(made: Node, plug: Plug) -> None:
    plugin = await plug(GPU, healthy("g0"))
    await offered(made, "1", "1")
    gate = made.runtime.gates["run_sandbox"] = asyncio.Event()
    await made.create("p", limits(1))
    await eventually(lambda: bool(plugin.allocated))
    await plugin.stop()
    await offered(made, "1", "0")
    gate.set()
    await made.ready("p")
    assert spec_of_container(made).cdi_devices == (f"{GPU}=g0",)


@pytest.mark.parametrize("step", ["run_sandbox", "create_container", "start_container"])
async def test_an_agent_killed_at_any_step_keeps_what_was_given(made: Node, plug: Plug, step: str) -> None:
    plugin = await plug(GPU, healthy("g0", "g1"))
    await offered(made, "2", "2")
    made.runtime.failures[step].append(RuntimeFailure("killed"))
    made.runtime.gates[step] = asyncio.Event()
    await made.create("p", limits(1))
    await eventually(lambda: made.runtime.calls[step] > 0)
    given = checkpoint(made)["Data"]["PodDeviceEntries"]
    made.runtime.gates.pop(step).set()
    await made.restart()
    await made.ready_in_time("p")
    assert checkpoint(made)["Data"]["PodDeviceEntries"] == given
    assert len(plugin.allocated) == 1
    assert len(given) == 1


async def test_an_agent_killed_before_it_wrote_asks_again(made: Node, plug: Plug) -> None:
    plugin = await plug(GPU, healthy("g0", "g1"))
    await offered(made, "2", "2")
    plugin.gate = asyncio.Event()
    await made.create("p", limits(2))
    await eventually(lambda: bool(made.kubelet.workers))
    await made.restart()
    plugin.gate.set()
    again = await plug(GPU, healthy("g0", "g1"), name="again.sock")
    await offered(made, "2", "2")
    await made.ready_in_time("p")
    assert len(checkpoint(made)["Data"]["PodDeviceEntries"][0]["DeviceIDs"]["-1"]) == 2
    assert again.allocated == [["g0", "g1"]]


async def test_a_new_agent_does_not_give_away_what_containers_have(made: Node, plug: Plug) -> None:
    await plug(GPU, healthy("g0", "g1"))
    await offered(made, "2", "2")
    await made.create("p", limits(1))
    await made.ready("p")
    (taken,) = checkpoint(made)["Data"]["PodDeviceEntries"][0]["DeviceIDs"]["-1"]
    await made.restart()
    assert not list((made.config.root_dir / "device-plugins").glob("fake.sock"))  # plug-ins register anew
    again = await plug(GPU, healthy("g0", "g1"))
    await offered(made, "2", "2")
    await made.create("next", limits(1))
    await made.ready("next")
    assert again.allocated == [[one] for one in ("g0", "g1") if one != taken]


async def test_devices_of_a_pod_that_went_while_the_agent_was_away(made: Node, plug: Plug) -> None:
    await plug(GPU, healthy("g0"))
    await offered(made, "1", "1")
    await made.create("p", limits(1))
    await made.ready("p")
    await made.kubelet.close()
    await made.admin.delete(PODS, "p", "default", grace_period_s=0)
    for container in list(made.runtime.container_specs):
        made.runtime.finish(container, 0)
    await made.restart()
    await eventually(lambda: checkpoint(made)["Data"]["PodDeviceEntries"] == [])


async def test_what_a_claim_gives_is_no_plugins(made: Node, plug: Plug) -> None:
    plugin = await plug(GPU, healthy("g0"))
    await offered(made, "1", "1")
    pod = await made.create("taker", limits(1))
    await made.ready("taker")
    plugins = made.kubelet._context.devices.plugins  # type: ignore[union-attr]
    mapping = {"containerName": "web", "resourceName": GPU, "requestName": "r"}
    status = {"extendedResourceClaimStatus": {"resourceClaimName": "c", "requestMappings": [mapping]}}
    other = {**pod, "metadata": {**pod["metadata"], "uid": "other"}, "status": status}
    assert plugins.wanted(other, pod["spec"]["containers"][0]) == {}
    assert find_shortage(other, [pod], {"pods": "9", GPU: "1"}) is None
    assert find_shortage(pod, [other], {"pods": "9", GPU: "1"}) is None
    assert len(plugin.allocated) == 1


async def test_a_container_that_starts_again_has_the_same_devices(made: Node, plug: Plug) -> None:
    plugin = await plug(GPU, healthy("g0", "g1"))
    await offered(made, "2", "2")
    await made.create("p", limits(1))
    status = await made.ready("p")
    before = spec_of_container(made).devices
    made.runtime.finish(status["containerStatuses"][0]["containerID"].rpartition("/")[2], 1)
    await eventually(lambda: made.runtime.calls["create_container"] == 2)
    assert spec_of_container(made).devices == before
    assert len(plugin.allocated) == 1


async def test_a_plugin_that_hangs_hurts_only_its_own_resource(made: Node, plug: Plug) -> None:
    slow = await plug(GPU, healthy("g0"))
    await plug("example.com/nic", healthy("n0"), name="nic.sock")
    await offered(made, "1", "1")
    await offered(made, "1", "1", "example.com/nic")
    slow.gate = asyncio.Event()
    await made.create("stuck", limits(1))
    await made.create("fine", limits(1, "example.com/nic"))
    await made.ready("fine")
    assert waiting(await made.status("stuck")) == "ContainerCreating"
    await made.clock.advance(31)
    status = await made.until("stuck", lambda status: status.get("phase") == "Failed")
    assert "code = DeadlineExceeded" in status["message"]
    slow.gate.set()


@pytest.mark.parametrize("raw", [b"\xff" * 64, b"\x0a" + b"\x80" * 30], ids=["garbage", "endless number"])
async def test_a_plugin_that_sends_garbage_is_left_alone(made: Node, plug: Plug, raw: bytes) -> None:
    bad = await plug(GPU, healthy("g0"), registers=False)
    bad.raw = raw
    await bad.register()
    await plug("example.com/nic", healthy("n0"), name="nic.sock")
    await offered(made, "1", "1", "example.com/nic")
    await made.create("p", limits(1, "example.com/nic"))
    await made.ready("p")
    assert (await amounts(made))[1] in (None, "0")


async def test_a_plugin_that_sends_on_and_on_keeps_only_itself_busy(made: Node, plug: Plug) -> None:
    bad = await plug(GPU, healthy("g0"), registers=False)
    bad.raw = MESSAGES.ListAndWatchResponse(
        devices=[MESSAGES.Device(ID="g0", health="Healthy")]
    ).SerializeToString()
    await bad.register()
    await offered(made, "1", "1")
    await plug("example.com/nic", healthy("n0"), name="nic.sock")
    await offered(made, "1", "1", "example.com/nic")
    await made.create("p", limits(1, "example.com/nic"))
    await made.ready("p")


async def test_after_the_machine_started_anew_the_plugin_is_waited_for_and_asked_again(
    made: Node, plug: Plug
) -> None:
    await plug(GPU, healthy("g0", "g1"))
    await offered(made, "2", "2")
    await made.create("p", limits(1))
    await made.ready("p")
    (had,) = checkpoint(made)["Data"]["PodDeviceEntries"][0]["DeviceIDs"]["-1"]
    path = made.config.root_dir / "device-plugins" / "kubelet_internal_checkpoint"
    path.write_text(json.dumps({**checkpoint(made), "BootID": "the one before"}))
    for sandbox in await made.runtime.sandboxes():
        made.runtime.lose_sandbox(sandbox.id)
    await made.restart()
    await made.until("p", lambda status: not is_ready(status))
    again = await plug(GPU, healthy("g0", "g1"))
    await made.ready_in_time("p")
    assert again.allocated == [[had]]
    assert checkpoint(made)["BootID"] == "b"


async def test_a_list_that_is_too_long_is_refused(made: Node, plug: Plug) -> None:
    await plug(GPU, healthy(*(f"g{n}" for n in range(10_001))))
    await plug("example.com/many", healthy(*(f"d{n}" for n in range(1000))), name="many.sock")
    await offered(made, "1k", "1k", "example.com/many")
    assert (await amounts(made))[1] in (None, "0")
    await made.create("p", limits(999, "example.com/many"))
    await made.ready("p")
    assert len(spec_of_container(made).devices) == 999


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"version": "v1alpha1"}, 'requested API version "v1alpha1" is not supported by kubelet.'),
        ({"endpoint": "../../elsewhere.sock"}, "is refused: it is not below"),
        ({"endpoint": "absent.sock"}, "failed to dial device plugin: there is no absent.sock"),
        ({"resource": "cpu"}, 'the ResourceName "cpu" is invalid'),
    ],
)
async def test_registrations_that_are_refused(
    made: Node, plug: Plug, change: dict[str, str], error: str
) -> None:
    plugin = await plug(change.pop("resource", GPU), healthy("g0"), registers=False)
    outside = FakePlugin(made.config.root_dir.parent, GPU, {}, "elsewhere.sock")
    await outside.start()
    try:
        with pytest.raises(grpc.RpcError) as caught:
            await plugin.register(**change)
    finally:
        await outside.stop()
    assert error in (caught.value.details() or "")


async def test_a_plugin_that_registers_anew_takes_the_place_of_the_one_before(made: Node, plug: Plug) -> None:
    await plug(GPU, healthy("g0"))
    await offered(made, "1", "1")
    second = await plug(GPU, healthy("g0", "g1"), name="second.sock")
    await offered(made, "2", "2")
    await made.create("p", limits(2))
    await made.ready("p")
    assert second.allocated == [["g0", "g1"]]


async def test_the_sockets_are_the_agents_alone(made: Node) -> None:
    for folder in ("device-plugins", "pod-resources"):
        path = made.config.root_dir / folder
        assert path.stat().st_mode & 0o777 == 0o700
        assert (path / "kubelet.sock").stat().st_mode & 0o777 == 0o600
