"""Claims prepared by a driver before a pod's sandbox, and given back after its containers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from tests.conftest import eventually
from tests.kubelet.devices.dra.fake_driver import FakeDriver
from tests.kubelet.rig import NODE, Node, waiting
from wherry.api.core.pods import PODS
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.api.dynamicresources.resource_slices import RESOURCE_SLICES
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.objects.meta import Object, uid_of

EVENT = "FailedPrepareDynamicResources"
PREPARE = "Failed to prepare dynamic resources: prepare dynamic resources"
CLAIMS = [{"name": "gpu", "resourceClaimName": "c"}]
USES = {"resources": {"claims": [{"name": "gpu"}]}}
RESULT = {"request": "gpu", "driver": "gpu.example.com", "pool": "p", "device": "gpu-0"}
Drive = Callable[..., Awaitable[FakeDriver]]


@pytest.fixture
async def drive(made: Node) -> AsyncIterator[Drive]:
    """Make a driver that registers with the agent."""
    drivers: list[FakeDriver] = []

    async def make(*args: Any, **more: Any) -> FakeDriver:
        drivers.append(await FakeDriver(made.config.root_dir, *args, **more).start())
        await eventually(lambda: bool(drivers[-1].registrant.told))
        return drivers[-1]

    yield make
    for driver in drivers:
        await driver.stop()


async def make_claim(made: Node) -> Object:
    """A claim with one device, used by nobody yet."""
    request = {"name": "gpu", "exactly": {"deviceClassName": "gpu"}}
    claim = {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": "c", "namespace": "default"},
        "spec": {"devices": {"requests": [request]}},
    }
    stored = await made.admin.create(RESOURCE_CLAIMS, claim)
    status: Object = {"allocation": {"devices": {"results": [RESULT]}}}
    return await made.admin.update_status(RESOURCE_CLAIMS, {**stored, "status": status})


async def use(made: Node, *names: str) -> list[Object]:
    """Pods of the node that may use the claim."""
    pods = [await made.create(name, USES, resourceClaims=CLAIMS) for name in names]
    claim = await made.admin.get(RESOURCE_CLAIMS, "c", "default")
    users = [
        {"resource": "pods", "name": name, "uid": uid_of(pod)} for name, pod in zip(names, pods, strict=True)
    ]
    await made.admin.update_status(
        RESOURCE_CLAIMS, {**claim, "status": {**claim["status"], "reservedFor": users}}
    )
    return pods


def state_of(made: Node) -> Any:
    outer = json.loads((made.config.root_dir / "dra_manager_state").read_text())
    return json.loads(outer["Data"])["Entries"]


@pytest.mark.parametrize("version", ["v1.DRAPlugin", "v1beta1.DRAPlugin"])
async def test_a_claim_is_prepared_and_given_back(made: Node, drive: Drive, version: str) -> None:
    driver = await drive(version=version)
    assert driver.registrant.told == [(True, "")]
    claim = await make_claim(made)
    (pod,) = await use(made, "p")
    await made.ready_in_time("p")
    assert driver.prepared == [[uid_of(claim)]]
    (spec,) = made.runtime.container_specs.values()
    assert spec.cdi_devices == ("gpu.example.com/gpu=c",)
    (entry,) = state_of(made)
    assert (entry["ClaimName"], entry["ClaimUID"], entry["PodUIDs"]) == (
        "c",
        uid_of(claim),
        {uid_of(pod): {}},
    )
    (device,) = entry["DriverState"]["gpu.example.com"]["Devices"]
    assert (device["PoolName"], device["DeviceName"], device["RequestNames"]) == ("p", "gpu-0", ["gpu"])
    await made.admin.delete(PODS, "p", "default", grace_period_s=0)
    await eventually(partial(made.gone, "p"))
    await eventually(lambda: driver.unprepared == [[uid_of(claim)]])
    await eventually(lambda: state_of(made) == [])


async def test_a_claim_of_two_pods_goes_with_the_last(made: Node, drive: Drive) -> None:
    driver = await drive()
    claim = await make_claim(made)
    await use(made, "a", "b")
    await made.ready_in_time("a")
    await made.ready_in_time("b")
    assert driver.prepared == [[uid_of(claim)]]
    await made.admin.delete(PODS, "a", "default", grace_period_s=0)
    await eventually(lambda: len(state_of(made)[0]["PodUIDs"]) == 1)
    assert driver.unprepared == []
    await made.admin.delete(PODS, "b", "default", grace_period_s=0)
    await eventually(lambda: state_of(made) == [])
    assert driver.unprepared == [[uid_of(claim)]]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"failure": "no such card"}, "NodePrepareResources failed for ResourceClaim c: no such card"),
        ({"skips": True}, "NodePrepareResources skipped 1 ResourceClaims"),
    ],
)
async def test_what_a_driver_refuses_is_tried_again(
    made: Node, drive: Drive, change: dict[str, Any], error: str
) -> None:
    driver = await drive()
    for name, value in change.items():
        setattr(driver, name, value)
    await make_claim(made)
    await use(made, "p")
    await made.clock.advance(30)
    await made.said(EVENT, f"{PREPARE}: {error}")
    assert made.runtime.calls["run_sandbox"] == 0
    driver.failure, driver.skips = "", False
    await made.ready_in_time("p")


async def test_a_driver_that_hangs_keeps_only_its_own_pods_waiting(made: Node, drive: Drive) -> None:
    driver = await drive()
    driver.gate = asyncio.Event()
    await make_claim(made)
    await use(made, "p")
    await made.create("other")
    await made.ready("other")
    assert waiting(await made.status("p")) == "ContainerCreating"
    await made.clock.advance(30)  # the claim is reserved by then, in any case
    await made.clock.advance(46)
    text = "NodePrepareResources: rpc error: code = DeadlineExceeded desc = context deadline exceeded"
    await made.said(EVENT, f"{PREPARE}: {text}")
    driver.gate.set()
    await made.ready_in_time("p")


async def test_a_pod_ends_only_when_its_claims_are_given_back(made: Node, drive: Drive) -> None:
    driver = await drive()
    claim = await make_claim(made)
    await use(made, "p")
    await made.ready_in_time("p")
    driver.unprepare_failure = "still busy"
    await made.admin.delete(PODS, "p", "default", grace_period_s=1)
    await eventually(lambda: bool(driver.unprepared))
    assert not await made.gone("p")
    assert len(state_of(made)) == 1
    driver.unprepare_failure = ""

    async def gone() -> bool:
        await made.clock.advance(1)
        return await made.gone("p")

    await eventually(gone)
    assert set(map(tuple, driver.unprepared)) == {(uid_of(claim),)}


@pytest.mark.parametrize("step", ["run_sandbox", "create_container", "start_container"])
async def test_an_agent_killed_at_any_step(made: Node, drive: Drive, step: str) -> None:
    driver = await drive()
    await make_claim(made)
    made.runtime.failures[step].append(RuntimeFailure("killed"))
    made.runtime.gates[step] = asyncio.Event()
    await use(made, "p")

    async def reached() -> bool:
        await made.clock.advance(0.1)
        return made.runtime.calls[step] > 0

    await eventually(reached)
    made.runtime.gates.pop(step).set()
    await made.restart()
    await eventually(lambda: len(driver.registrant.told) == 2)
    await made.ready_in_time("p")
    assert len(state_of(made)) == 1
    await made.admin.delete(PODS, "p", "default", grace_period_s=0)
    await eventually(lambda: state_of(made) == [])
    assert driver.unprepared


async def test_an_agent_killed_while_a_driver_prepares(made: Node, drive: Drive) -> None:
    driver = await drive()
    driver.gate = asyncio.Event()
    await make_claim(made)
    await use(made, "p")

    async def asked() -> bool:
        await made.clock.advance(0.1)
        return (made.config.root_dir / "dra_manager_state").exists()

    await eventually(asked)
    (entry,) = state_of(made)
    assert entry["DriverState"] == {"gpu.example.com": {"Devices": []}}
    await made.restart()
    driver.gate.set()
    await eventually(lambda: len(driver.registrant.told) == 2)
    await made.ready_in_time("p")
    assert state_of(made)[0]["DriverState"]["gpu.example.com"]["Devices"]


async def test_a_pod_deleted_while_a_driver_prepares_is_given_back(made: Node, drive: Drive) -> None:
    driver = await drive()
    driver.gate = asyncio.Event()
    claim = await make_claim(made)
    await use(made, "p")

    async def asked() -> bool:
        await made.clock.advance(0.1)
        return (made.config.root_dir / "dra_manager_state").exists()

    await eventually(asked)
    await made.admin.delete(PODS, "p", "default", grace_period_s=1)

    async def gone() -> bool:
        await made.clock.advance(1)
        return await made.gone("p")

    await eventually(gone)
    assert driver.unprepared == [[uid_of(claim)]]
    assert state_of(made) == []
    driver.gate.set()


async def test_claims_of_a_pod_that_went_while_the_agent_was_away(made: Node, drive: Drive) -> None:
    driver = await drive()
    claim = await make_claim(made)
    await use(made, "p")
    await made.ready_in_time("p")
    await made.kubelet.close()
    await made.admin.delete(PODS, "p", "default", grace_period_s=0)
    for container in list(made.runtime.container_specs):
        made.runtime.finish(container, 0)
    await made.restart()

    async def given_back() -> bool:
        await made.clock.advance(1)
        return bool(state_of(made) == [])

    await eventually(given_back)
    assert driver.unprepared[-1] == [uid_of(claim)]


async def test_the_health_of_devices_is_told_and_forgotten(made: Node, drive: Drive) -> None:
    driver = await drive()
    await make_claim(made)
    await use(made, "p")
    await made.ready_in_time("p")

    def told(health: str, message: str = "") -> Callable[[Object], bool]:
        one = {
            "resourceID": "gpu.example.com/gpu=c",
            "health": health,
            **({"message": message} if message else {}),
        }
        wanted = [{"name": "claim:gpu", "resources": [one]}]
        return lambda status: bool(status["containerStatuses"][0].get("allocatedResourcesStatus") == wanted)

    await made.until("p", told("Unknown"))
    driver.tell("gpu-0", 2, "too hot", timeout_s=60)
    await made.until("p", told("Unhealthy", "too hot"))
    driver.tell("gpu-0", 1)
    await made.until("p", told("Healthy"))
    await made.clock.advance(31)
    await made.until("p", told("Unknown"))


async def test_slices_of_a_driver_that_is_gone_are_deleted(made: Node, drive: Drive) -> None:
    driver = await drive()
    device = {"name": "gpu-0"}
    pool = {"name": "p", "generation": 1, "resourceSliceCount": 1}
    spec = {"driver": "gpu.example.com", "nodeName": NODE, "pool": pool, "devices": [device]}
    body = {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": "s"},
        "spec": spec,
    }
    await made.admin.create(RESOURCE_SLICES, body)

    async def slices() -> int:
        return len((await made.admin.list(RESOURCE_SLICES)).items)

    await driver.stop()

    async def waits() -> bool:
        await made.clock.advance(1)
        return await slices() == 0

    assert await slices() == 1
    await eventually(waits)
