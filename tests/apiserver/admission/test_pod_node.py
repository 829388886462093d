"""Pods that have a node are changed only into what it can run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.apiserver.rig import Rig, account, pod, running
from wherry.api.core.node_features import RESIZE_FEATURES
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.kit.clock import FakeClock
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

MERGE = "application/strategic-merge-patch+json"


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running(FakeClock(), listens=False) as ready:
        await ready.admin.create(SERVICE_ACCOUNTS, account())
        yield ready


async def make_node(rig: Rig, *, os: str = "linux", features: tuple[str, ...] = ()) -> None:
    node: Object = {"metadata": {"name": "n", "labels": {"kubernetes.io/os": os}}}
    made = await rig.admin.create(NODES, node)
    status = {
        "allocatable": {"cpu": "2", "memory": "4Gi", "pods": "10"},
        "capacity": {"cpu": "2", "memory": "4Gi", "pods": "10"},
        "declaredFeatures": list(features),
    }
    await rig.admin.update_status(NODES, {**made, "status": status})


async def make_pod(rig: Rig, resources: Object, *, node: str = "n", **spec: Any) -> None:
    container = {"name": "c", "image": "i", "resources": resources}
    await rig.admin.create(PODS, pod("p", containers=[container], nodeName=node, **spec))


async def resize(rig: Rig, resources: Object) -> Object:
    patch = {"spec": {"containers": [{"name": "c", "resources": resources}]}}
    return await rig.admin.patch(PODS, "p", "default", patch, subresource="resize", content_type=MERGE)


async def refusal(rig: Rig, resources: Object) -> str:
    with pytest.raises(ApiError) as caught:
        await resize(rig, resources)
    assert caught.value.code == 403
    return caught.value.message


async def test_a_pod_is_not_resized_beyond_all_its_node_has(rig: Rig) -> None:
    await make_node(rig)
    await make_pod(rig, {"requests": {"cpu": "1", "memory": "1Gi"}})
    assert await refusal(rig, {"requests": {"cpu": "2500m", "memory": "5Gi"}}) == (
        'pods "p" is forbidden: Node didn\'t have enough allocatable resources: cpu, requested: 2500, '
        "allocatable: 2000; memory, requested: 5368709120, allocatable: 4294967296"
    )
    resized = await resize(rig, {"requests": {"cpu": "2", "memory": "4Gi"}})
    assert resized["metadata"]["generation"] == 2


async def test_its_node_is_there_and_runs_linux(rig: Rig) -> None:
    await make_node(rig, os="plan9")
    await make_pod(rig, {"requests": {"cpu": "1"}})
    assert await refusal(rig, {"requests": {"cpu": "2"}}) == (
        'pods "p" is forbidden: pod resize is only supported on linux nodes, node "n" is "plan9"'
    )
    await rig.admin.delete(NODES, "n")
    assert 'node "n" not found' in await refusal(rig, {"requests": {"cpu": "2"}})


async def test_a_pod_without_a_node_may_ask_for_anything(rig: Rig) -> None:
    await make_pod(rig, {"requests": {"cpu": "1"}}, node="")
    await resize(rig, {"requests": {"cpu": "200"}})


async def test_a_guaranteed_pod_is_resized_where_the_node_says_it_can(rig: Rig) -> None:
    await make_node(rig)
    small = {"cpu": "1", "memory": "1Gi"}
    await make_pod(rig, {"requests": small, "limits": small})
    large = {"cpu": "2", "memory": "1Gi"}
    assert await refusal(rig, {"requests": large, "limits": large}) == (
        'pods "p" is forbidden: pod update requires features GuaranteedQoSPodCPUResize which are not '
        'available on node "n"'
    )
    node = await rig.admin.get(NODES, "n")
    status = {**node["status"], "declaredFeatures": list(RESIZE_FEATURES)}
    await rig.admin.update_status(NODES, {**node, "status": status})
    await resize(rig, {"requests": large, "limits": large})


async def test_the_pod_as_a_whole_and_init_containers_need_nodes_that_know_them(rig: Rig) -> None:
    await make_node(rig)
    init = {"name": "init", "image": "i", "resources": {"requests": {"cpu": "1"}}}
    whole: dict[str, Any] = {"resources": {"limits": {"cpu": "2"}}, "initContainers": [init]}
    container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}}}
    await rig.admin.create(PODS, pod("p", containers=[container], nodeName="n", **whole))
    patch = {
        "spec": {
            "resources": {"limits": {"cpu": "3"}},
            "initContainers": [{"name": "init", "resources": {"requests": {"cpu": "500m"}}}],
        }
    }
    with pytest.raises(ApiError) as caught:
        await rig.admin.patch(PODS, "p", "default", patch, subresource="resize", content_type=MERGE)
    assert caught.value.message == (
        'pods "p" is forbidden: pod update requires features InPlacePodLevelResourcesVerticalScaling, '
        'InPlacePodVerticalScalingInitContainers which are not available on node "n"'
    )
