"""No pod runs without the devices its claims give it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kubelet.rig import Node, node
from wherry.api.core.pods import PODS
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.objects.meta import Object, uid_of

CLAIMS = [{"name": "gpu", "resourceClaimName": "c"}]
RESULT = {"request": "gpu", "driver": "gpu.example.com", "pool": "p", "device": "gpu-0"}
REQUEST = {"name": "gpu", "exactly": {"deviceClassName": "gpu"}}
EVENT = "FailedPrepareDynamicResources"
PREPARE = "Failed to prepare dynamic resources: prepare dynamic resources"


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path) as running:
        yield running


async def make_claim(made: Node, *results: Object) -> Object:
    claim = {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": "c", "namespace": "default"},
        "spec": {"devices": {"requests": [REQUEST]}},
    }
    stored = await made.admin.create(RESOURCE_CLAIMS, claim)
    status: Object = {"allocation": {"devices": {"results": list(results)} if results else {}}}
    return await made.admin.update_status(RESOURCE_CLAIMS, {**stored, "status": status})


async def reserve(made: Node, name: str) -> None:
    pod = await made.admin.get(PODS, name, "default")
    claim = await made.admin.get(RESOURCE_CLAIMS, "c", "default")
    user = {"resource": "pods", "name": name, "uid": uid_of(pod)}
    status = {**claim["status"], "reservedFor": [user]}
    await made.admin.update_status(RESOURCE_CLAIMS, {**claim, "status": status})


async def test_a_pod_waits_for_the_driver_of_its_devices(made: Node) -> None:
    await make_claim(made, RESULT)
    await made.create("p", resourceClaims=CLAIMS)
    await made.said(EVENT, f"{PREPARE}: {await not_allowed(made)}")
    await reserve(made, "p")
    await made.clock.advance(60)
    await made.said(EVENT, f"{PREPARE}: DRA driver gpu.example.com is not registered")
    assert made.runtime.calls["run_sandbox"] == 0


async def test_a_claim_that_is_gone_is_told(made: Node) -> None:
    await made.create("p", resourceClaims=CLAIMS)
    # Only what a pod on the node uses may be asked for: that it is not there is no secret.
    missing = 'resourceclaims.resource.k8s.io "c" not found'
    await made.said(EVENT, f"{PREPARE}: fetch ResourceClaim c: {missing}")
    assert made.runtime.calls["run_sandbox"] == 0


async def test_a_claim_without_devices_keeps_nobody_waiting(made: Node) -> None:
    await make_claim(made)
    await made.create("p", resourceClaims=CLAIMS)
    await made.said(EVENT, f"{PREPARE}: {await not_allowed(made)}")
    await reserve(made, "p")
    await made.ready_in_time("p")


async def not_allowed(made: Node) -> str:
    pod = await made.admin.get(PODS, "p", "default")
    claim = await made.admin.get(RESOURCE_CLAIMS, "c", "default")
    return f"pod p ({uid_of(pod)}) is not allowed to use ResourceClaim c ({uid_of(claim)})"
