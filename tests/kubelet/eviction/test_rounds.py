"""A node that runs short, or whose pods write more than they may: seen from the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import eventually
from tests.kubelet.rig import NODE, PLENTY, Node, node
from wherry.api.core.events import EVENTS
from wherry.api.core.nodes import NODES
from wherry.kubelet.eviction.signals import (
    IMAGE_DISK,
    IMAGE_INODES,
    MEMORY,
    NODE_DISK,
    NODE_INODES,
    Observation,
    Signal,
)
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.objects.conditions import find_condition, is_true
from wherry.objects.meta import Object, uid_of

MI = 1 << 20
LOW_MEMORY = Observation(50 * MI, 4096 * MI)
LOW_DISK = Observation(1 * MI, 4096 * MI)


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path) as running:
        yield running


async def running(made: Node, *names: str, **spec: Any) -> None:
    for name in names:
        await made.create(name, **spec)
        await made.ready(name)


async def phases(made: Node, *names: str) -> list[str]:
    return [(await made.status(name))["phase"] for name in names]


async def in_time(made: Node, name: str, phase: str = "Failed") -> Object:
    """The pod's status once it is in `phase`, while a second passes with each look."""

    async def look() -> bool:
        await made.clock.advance(1)
        return bool((await made.status(name))["phase"] == phase)

    await eventually(look)
    return await made.status(name)


async def is_under(made: Node, kind: str) -> bool:
    return is_true((await made.admin.get(NODES, NODE))["status"]["conditions"], kind)


async def test_one_pod_at_a_time_goes_when_memory_runs_short(made: Node) -> None:
    await running(made, "small", "large")
    made.runtime.usages["large/web"] = {"memory_working_set_bytes": 300 * MI}
    made.runtime.usages["small/web"] = {"memory_working_set_bytes": 10 * MI}
    made.left[MEMORY] = LOW_MEMORY
    status = await in_time(made, "large")
    assert (status["reason"], await phases(made, "small")) == ("Evicted", ["Running"])
    assert status["message"] == (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. "
        "Container web was using 300Mi, request is 0, has larger consumption of memory. "
    )
    condition = find_condition(status["conditions"], "DisruptionTarget")
    assert condition is not None
    assert (condition["status"], condition["reason"]) == ("True", "TerminationByKubelet")
    assert condition["message"] == status["message"]
    assert [grace_s for _, grace_s in made.runtime.stopped] == [2], "the least there is"
    assert await is_under(made, "MemoryPressure")
    (event,) = [e for e in (await made.admin.list(EVENTS)).items if e["reason"] == "Evicted"]
    assert event["metadata"]["annotations"]["offending_containers"] == "web"
    assert event["type"] == "Warning"

    made.left[MEMORY] = PLENTY[MEMORY]
    await made.clock.advance(60)
    assert await phases(made, "small") == ["Running"]
    assert await is_under(made, "MemoryPressure"), "it stays for a while"
    await made.clock.advance(300)

    async def gone() -> bool:
        return not await is_under(made, "MemoryPressure")

    await eventually(gone)


async def test_the_next_pod_stays_while_the_one_evicted_takes_its_time_to_end(made: Node) -> None:
    await running(made, "small", "large")
    made.runtime.usages["large/web"] = {"memory_working_set_bytes": 300 * MI}
    made.runtime.usages["small/web"] = {"memory_working_set_bytes": 10 * MI}
    stop, asked, go = made.runtime.stop_container, asyncio.Event(), asyncio.Event()

    async def slowly(container_id: str, grace_s: int) -> None:
        asked.set()
        await go.wait()
        await stop(container_id, grace_s)

    made.runtime.stop_container = slowly  # type: ignore[method-assign]
    made.left[MEMORY] = LOW_MEMORY

    async def is_asked() -> bool:
        await made.clock.advance(1)
        return asked.is_set()

    await eventually(is_asked)
    for _ in range(25):  # two rounds, and less than it is waited for
        await made.clock.advance(1)
    said = (await made.admin.list(EVENTS)).items
    evicted = [event["involvedObject"]["name"] for event in said if event["reason"] == "Evicted"]
    assert evicted == ["large"]
    assert await phases(made, "small") == ["Running"]
    made.left[MEMORY] = PLENTY[MEMORY]
    go.set()
    await in_time(made, "large")
    assert await phases(made, "small") == ["Running"]


async def test_pods_that_come_under_pressure_are_turned_away(made: Node) -> None:
    made.left[NODE_DISK] = LOW_DISK
    await made.clock.advance(10)

    async def pressed() -> bool:
        await made.clock.advance(1)
        return await is_under(made, "DiskPressure")

    await eventually(pressed)
    await made.create("late")
    status = await made.until("late", lambda status: status.get("phase") == "Failed")
    assert status["message"] == "Pod was rejected: The node had condition: [DiskPressure]. "


@pytest.mark.parametrize(
    "signal", [NODE_DISK, NODE_INODES, IMAGE_DISK, IMAGE_INODES], ids=lambda signal: signal.name
)
async def test_unused_images_go_before_pods(made: Node, signal: Signal) -> None:
    """A node that runs full recovers by itself: of bytes, of inodes, where pods write, where images lie."""
    await running(made, "web")
    unused = next(iter(made.runtime._images.values()))
    made.runtime._images["unused"] = type(unused)("unused", ("unused",), 5)
    remove = made.runtime.remove_image

    async def frees(reference: str) -> None:
        await remove(reference)
        made.left[signal] = Observation(4095 * MI, 4096 * MI)

    made.runtime.remove_image = frees  # type: ignore[method-assign]
    await made.clock.advance(310)
    await made.clock.advance(130)  # since it was seen first: old enough
    made.left[signal] = LOW_DISK

    async def removed() -> bool:
        await made.clock.advance(10)
        return "unused" not in made.runtime._images

    await eventually(removed)
    await made.clock.advance(60)
    assert await phases(made, "web") == ["Running"]
    await made.clock.advance(300)

    async def over() -> bool:
        await made.clock.advance(10)
        return not await is_under(made, "DiskPressure")

    await eventually(over)
    assert await phases(made, "web") == ["Running"]


async def test_the_systems_own_pods_stay(made: Node) -> None:
    await running(made, "system", priorityClassName="system-node-critical")
    await running(made, "web")
    made.runtime.usages["system/web"] = {"memory_working_set_bytes": 900 * MI}
    made.left[MEMORY] = LOW_MEMORY
    await in_time(made, "web")
    await made.clock.advance(120)
    assert await phases(made, "system") == ["Running"]


async def test_a_volume_over_its_limit(made: Node) -> None:
    volumes = [{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}]
    mounts = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    await made.create("web", mounts, volumes=volumes)
    await made.ready("web")
    directory = made.config.pod_dir(uid_of(await made.pod("web"))) / "volumes/kubernetes.io~empty-dir/v"
    (directory / "small").write_bytes(b"x" * 1000)
    await made.clock.advance(30)
    assert await phases(made, "web") == ["Running"]
    (directory / "large").write_bytes(b"x" * 2 * MI)
    status = await in_time(made, "web")
    assert status["reason"] == "Evicted"
    assert status["message"] == 'Usage of EmptyDir volume "v" exceeds the limit "1Mi". '
    assert made.kubelet.metrics.evictions.values[("emptydirfs.limit",)] == 1
    assert find_condition(status["conditions"], "DisruptionTarget") is None


async def test_a_pod_that_fills_its_hosts_file(made: Node) -> None:
    await made.create("web", {"resources": {"limits": {"ephemeral-storage": "1Mi"}}})
    await made.ready("web")
    hosts = made.config.pod_dir(uid_of(await made.pod("web"))) / "etc-hosts"
    hosts.write_bytes(b"#" * 2 * MI)
    status = await in_time(made, "web")
    message = "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. "
    assert (status["reason"], status["message"]) == ("Evicted", message)


async def test_a_container_over_its_limit(made: Node) -> None:
    """Of two with limits, one writes more than its own, but not more than both may."""
    one = {"image": "nginx:1.27", "resources": {"limits": {"ephemeral-storage": "1Mi"}}}
    await made.create("web", containers=[{"name": "a", **one}, {"name": "b", **one}])
    await made.ready("web")
    made.runtime.usages["web/b"] = {"disk_bytes": MI + 100_000}
    status = await in_time(made, "web")
    assert status["message"] == 'Container b exceeded its local ephemeral storage limit "1Mi". '


@pytest.mark.parametrize("failure", [RuntimeFailure("no"), RuntimeError("what nobody thought of")])
@pytest.mark.parametrize("method", ["usage", "images", "image_filesystem"])
async def test_a_round_that_fails_is_done_again(made: Node, method: str, failure: Exception) -> None:
    await running(made, "web")
    made.runtime.failures[method].append(failure)
    made.left[MEMORY] = LOW_MEMORY
    await in_time(made, "web")


async def test_a_node_with_plenty_measures_nothing(made: Node) -> None:
    await running(made, "web")
    made.runtime.calls.clear()
    await made.clock.advance(120)
    assert made.runtime.calls["usage"] == 0


async def test_a_soft_threshold_waits_and_then_gives_pods_time(tmp_path: Path) -> None:
    """The node says at once that it is short; what is better for a moment begins to wait anew."""
    changes: dict[str, Any] = {
        "eviction_soft": {"memory.available": "1Gi"},
        "eviction_soft_grace_s": {"memory.available": 60.0},
        "eviction_soft_pod_grace_s": 20,
    }
    async with node(tmp_path, **changes) as made:
        await running(made, "small", "large", terminationGracePeriodSeconds=90)
        made.runtime.usages["large/web"] = {"memory_working_set_bytes": 300 * MI}
        made.left[MEMORY] = Observation(500 * MI, 4096 * MI)

        async def is_short() -> bool:
            await made.clock.advance(1)
            return await is_under(made, "MemoryPressure")

        await eventually(is_short)
        await made.clock.advance(40)
        made.left[MEMORY] = PLENTY[MEMORY]
        await made.clock.advance(11)
        made.left[MEMORY] = Observation(500 * MI, 4096 * MI)
        await made.clock.advance(50)
        assert await phases(made, "small", "large") == ["Running", "Running"]
        status = await in_time(made, "large")
        assert status["message"].startswith(
            "The node was low on resource: memory. Threshold quantity: 1Gi, available: 500Mi. "
        )
        assert [grace_s for _, grace_s in made.runtime.stopped] == [20]
