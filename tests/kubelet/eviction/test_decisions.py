"""Who breaks a limit, who goes first, and what is said: all without a node."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kubelet.rig import PLENTY
from wherry.kit.disk_usage import Usage
from wherry.kubelet.admission import find_objection
from wherry.kubelet.eviction.limits import find_excess, is_limited
from wherry.kubelet.eviction.messages import eviction_message
from wherry.kubelet.eviction.ranking import is_critical, rank_pods
from wherry.kubelet.eviction.signals import (
    IMAGE_DISK,
    MEMORY,
    NODE_DISK,
    NODE_INODES,
    PIDS,
    Observation,
    Signal,
    Threshold,
)
from wherry.kubelet.eviction.usage import ContainerUse, PodUse, local_volumes
from wherry.objects.meta import Object

MI = 1 << 20


def pod(name: str, *, priority: int = 0, **spec: Any) -> Object:
    containers = spec.pop("containers", [{"name": "c"}])
    return {
        "metadata": {"name": name, "namespace": "default", "uid": name},
        "spec": {"containers": containers, "priority": priority, **spec},
    }


def container(name: str = "c", limit: str = "", **requests: str) -> Object:
    resources: Object = {"requests": {key.replace("_", "-"): value for key, value in requests.items()}}
    if limit:
        resources["limits"] = {"ephemeral-storage": limit}
    return {"name": name, "resources": resources}


def use(memory: int = 0, layer: int = 0, logs: int = 0, **more: Any) -> PodUse:
    return PodUse({"c": ContainerUse(memory * MI, Usage(layer * MI, layer), Usage(logs * MI, logs))}, **more)


VOLUME = {"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}
VOLUME_TOO_LARGE = 'Usage of EmptyDir volume "v" exceeds the limit "1Mi". '
CONTAINER_TOO_LARGE = 'Container c exceeded its local ephemeral storage limit "2Mi". '
POD_TOO_LARGE = "Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. "
LIMITED = pod("a", containers=[container(limit="2Mi")])
TWO = pod("a", containers=[container(limit="2Mi"), container("d", limit="2Mi")])
ALONE = pod("a", initContainers=[container("i", limit="9Mi")], containers=[container(limit="2Mi")])


@pytest.mark.parametrize(
    ("broken", "used", "apart", "why"),
    [
        (pod("a", volumes=[VOLUME]), use(volumes={"v": Usage(MI)}), False, ""),
        (pod("a", volumes=[VOLUME]), use(volumes={"v": Usage(MI + 1)}), False, VOLUME_TOO_LARGE),
        (pod("a", volumes=[{"name": "v", "emptyDir": {}}]), use(volumes={"v": Usage(9 * MI)}), False, ""),
        (LIMITED, use(layer=1, logs=1), False, ""),
        (LIMITED, use(layer=1, logs=2), False, POD_TOO_LARGE),
        (LIMITED, use(files=Usage(3 * MI)), False, POD_TOO_LARGE),
        (LIMITED, use(volumes={"v": Usage(3 * MI)}), False, POD_TOO_LARGE),
        (TWO, use(layer=3), False, CONTAINER_TOO_LARGE),
        (TWO, use(layer=3), True, ""),
        (TWO, use(logs=3), True, CONTAINER_TOO_LARGE),
        (ALONE, use(layer=8), False, CONTAINER_TOO_LARGE),
        (pod("a"), use(layer=9000), False, ""),
    ],
)
def test_limits_on_disk(broken: Object, used: PodUse, apart: bool, why: str) -> None:
    excess = find_excess(broken, used, image_disk_apart=apart)
    assert (excess.message if excess is not None else "") == why
    assert is_limited(broken) or not why


def test_what_has_no_limit_need_not_be_measured() -> None:
    assert not is_limited(pod("a", volumes=[{"name": "v", "emptyDir": {}}]))
    assert not is_limited(pod("a", volumes=[{"name": "v", "emptyDir": {"sizeLimit": "0"}}]))
    assert is_limited(pod("a", volumes=[VOLUME]))


def test_volumes_on_the_nodes_disk() -> None:
    volumes = [
        {"name": "a", "emptyDir": {}},
        {"name": "b", "emptyDir": {"medium": "Memory"}},
        {"name": "c", "configMap": {"name": "x"}},
        {"name": "d", "secret": {"secretName": "x"}},
        {"name": "e", "hostPath": {"path": "/"}},
    ]
    assert [volume["name"] for volume in local_volumes(pod("p", volumes=volumes))] == ["a", "c"]


ASKED = [container(memory="100Mi", ephemeral_storage="100Mi")]


@pytest.mark.parametrize(
    ("signal", "order"),
    [
        # Who uses more than was asked for first, the less important before the others, then by how much.
        (MEMORY, ["unknown", "greedy", "greedier", "important", "modest"]),
        (NODE_DISK, ["unknown", "greedier", "greedy", "important", "modest"]),
        (NODE_INODES, ["unknown", "modest", "greedier", "greedy", "important"]),
        (PIDS, ["unknown", "modest", "greedier", "greedy", "important"]),
    ],
)
def test_who_goes_first(signal: Signal, order: list[str]) -> None:
    pods = [
        pod("modest", containers=ASKED),
        pod("important", priority=1000),
        pod("greedier"),
        pod("greedy"),
        pod("unknown"),
    ]
    uses = {
        "modest": use(memory=50, layer=50, pids=9),
        "important": use(memory=500, layer=500, pids=99),
        "greedier": use(memory=10, layer=20, pids=3),
        "greedy": use(memory=20, layer=10, pids=2),
    }
    found = [p["metadata"]["name"] for p in rank_pods(pods, uses, signal, image_disk_apart=False)]
    assert found == order


def test_disks_apart_are_judged_by_what_lies_on_them() -> None:
    pods = [pod("writes"), pod("logs")]
    uses = {"writes": use(layer=10), "logs": use(logs=5)}
    by_node = rank_pods(pods, uses, NODE_DISK, image_disk_apart=True)
    by_image = rank_pods(pods, uses, IMAGE_DISK, image_disk_apart=True)
    assert [p["metadata"]["name"] for p in by_node] == ["logs", "writes"]
    assert [p["metadata"]["name"] for p in by_image] == ["writes", "logs"]


def test_the_systems_own_stay() -> None:
    assert is_critical(pod("a", priority=2_000_001_000))
    assert not is_critical(pod("a", priority=1_000_000_000))


def test_what_is_said_of_memory() -> None:
    broken = pod("a", containers=[container(memory="10Mi")], initContainers=[container("i")])
    seen = {**PLENTY, MEMORY: Observation(50 * MI, 4096 * MI)}
    limits = {MEMORY: Threshold(amount=100 * MI)}
    message, annotations = eviction_message(broken, use(memory=30), MEMORY, [MEMORY], limits, seen)
    assert message == (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. "
        "Container c was using 30Mi, request is 10Mi, has larger consumption of memory. "
    )
    assert annotations == {
        "offending_containers": "c",
        "offending_containers_usage": "30Mi",
        "starved_resource": "memory",
    }


def test_what_is_said_of_disk_and_of_pods_nobody_could_measure() -> None:
    seen = {NODE_DISK: Observation(90, 1000)}
    limits = {NODE_DISK: Threshold(percent=10)}
    low = "The node was low on resource: ephemeral-storage. Threshold quantity: 100, available: 90. "
    message, _ = eviction_message(pod("a"), use(layer=2, logs=1), NODE_DISK, [NODE_DISK], limits, seen)
    more = "Container c was using 3Mi, request is 0, has larger consumption of ephemeral-storage. "
    assert message == low + more
    assert eviction_message(pod("a"), None, NODE_DISK, [NODE_DISK], limits, seen) == (low, {})


def test_a_pods_own_request_is_named() -> None:
    broken = pod("a", resources={"requests": {"memory": "20Mi"}})
    seen = {MEMORY: Observation(50 * MI, 4096 * MI)}
    limits = {MEMORY: Threshold(amount=100 * MI)}
    message, annotations = eviction_message(broken, use(memory=30), MEMORY, [MEMORY], limits, seen)
    assert "Pod a was using 30Mi, request is 20Mi, has larger consumption of memory. " in message
    assert (annotations["offending_pod"], annotations["offending_pod_usage"]) == ("a", "30Mi")


TOLERANT: dict[str, Any] = {
    "tolerations": [{"key": "node.kubernetes.io/memory-pressure", "operator": "Exists"}]
}
LARGE = {"pods": "10", "cpu": "8", "memory": "8Gi"}


@pytest.mark.parametrize(
    ("newcomer", "pressure", "is_let_in"),
    [
        (pod("a"), [], True),
        (pod("a"), ["MemoryPressure"], False),
        (pod("a", **TOLERANT), ["MemoryPressure"], True),
        (pod("a", containers=[container(memory="1Mi")]), ["MemoryPressure"], True),
        (pod("a", containers=[container(memory="1Mi")]), ["DiskPressure"], False),
        (pod("a", **TOLERANT), ["MemoryPressure", "DiskPressure"], False),
        (pod("a", priority=2_000_000_000), ["DiskPressure"], True),
    ],
)
def test_who_is_let_in_under_pressure(newcomer: Object, pressure: list[str], is_let_in: bool) -> None:
    objection = find_objection(newcomer, [], LARGE, pressure)
    if is_let_in:
        assert objection is None
    else:
        message = f"Pod was rejected: The node had condition: [{' '.join(pressure)}]. "
        assert objection == ("Evicted", message)
