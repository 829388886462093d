"""Pods that are resized in place, on the fake runtime: what is changed, told and remembered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.kubelet.rig import Node, is_ready, make_kubelet, node
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.kubelet.runtimes.containers import Resources
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.objects.meta import Object

MERGE = "application/strategic-merge-patch+json"
MI = 1 << 20


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path) as made:
        yield made


def sized(cpu: str, memory: str = "64Mi", *, limit: str = "1", memory_limit: str = "128Mi") -> Object:
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": limit, "memory": memory_limit}}


async def resize(made: Node, name: str, of_web: Object, **spec: Any) -> Object:
    patch = {"spec": {"containers": [{"name": "web", "resources": of_web}], **spec}}
    return await made.admin.patch(PODS, name, "default", patch, subresource="resize", content_type=MERGE)


def condition(status: Object, kind: str) -> Object:
    return next((c for c in status.get("conditions") or () if c["type"] == kind), {})


def resizing(status: Object) -> bool:
    """Whether a resize is under way or waits."""
    return any(c["type"].startswith("PodResize") for c in status["conditions"])


def settled(cpu: str) -> Any:
    """Whether the container has so much cpu, and no resize is under way or waits."""

    def check(status: Object) -> bool:
        (container,) = status["containerStatuses"]
        has = (container.get("resources") or {}).get("requests", {}).get("cpu") == cpu
        return has and not resizing(status)

    return check


async def restart(made: Node) -> None:
    """Another agent, as after a kill: nothing is left of the old one but what it wrote."""
    await made.kubelet.close()
    parts = (made.config, made.runtime, made.clock, made.mounts, made.prober, made.left)
    made.kubelet = make_kubelet(made.rig, *parts)
    await made.kubelet.start()


async def test_cpu_grows_without_a_restart(made: Node) -> None:
    await made.create("p", {"resources": sized("100m")})
    await made.ready("p")
    before = made.runtime.find("web")
    resized = await resize(made, "p", sized("300m", limit="1500m"))
    status = await made.until("p", settled("300m"))
    after = made.runtime.find("web")
    assert (after.id, after.attempt) == (before.id, 0)
    assert made.runtime.updated == [
        (after.id, Resources(cpu_shares=307, cpu_quota_us=150_000, cpu_period_us=100_000))
    ]
    (container,) = status["containerStatuses"]
    assert container["resources"] == sized("300m", limit="1500m")
    assert container["allocatedResources"] == {"cpu": "300m", "memory": "64Mi"}
    assert status["allocatedResources"] == {"cpu": "300m", "memory": "64Mi"}
    assert status["observedGeneration"] == resized["metadata"]["generation"] == 2
    amounts = (
        '{"containers":[{"name":"web","resources":{"limits":{"cpu":"1500m","memory":"128Mi"},'
        '"requests":{"cpu":"300m","memory":"64Mi"}}}],"generation":2}'
    )
    await made.said("ResizeStarted", f"Pod resize started: {amounts}")
    await made.said("ResizeCompleted", f"Pod resize completed: {amounts}")


async def test_a_policy_asks_for_a_restart(made: Node) -> None:
    policy = [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]
    await made.create("p", {"resources": sized("100m"), "resizePolicy": policy})
    await made.ready("p")
    await resize(made, "p", sized("200m"))
    await made.until("p", settled("200m"))
    assert made.runtime.find("web").attempt == 0, "cpu has no such policy"
    await resize(made, "p", sized("200m", memory_limit="256Mi"))
    status = await made.until("p", lambda s: s["containerStatuses"][0]["restartCount"] == 1 and is_ready(s))
    assert status["containerStatuses"][0]["resources"] == sized("200m", memory_limit="256Mi")
    assert made.runtime.container_specs[made.runtime.find("web").id].resources.memory_limit_bytes == 256 * MI
    await made.said("Killing", "Container web resize requires restart")
    await made.until("p", settled("200m"))


async def test_a_resize_waits_for_room(made: Node) -> None:
    await made.create("other", {"resources": sized("1500m", limit="2")})
    await made.create("p", {"resources": sized("100m", limit="2")})
    await made.ready("other")
    await made.ready("p")
    await resize(made, "p", sized("1", limit="2"))
    status = await made.until("p", lambda s: condition(s, "PodResizePending"))
    pending = condition(status, "PodResizePending")
    text = "Node didn't have enough resource: cpu, requested: 1000, used: 1500, capacity: 2000"
    assert (pending["status"], pending["reason"], pending["message"], pending["observedGeneration"]) == (
        "True",
        "Deferred",
        text,
        2,
    )
    assert status["containerStatuses"][0]["resources"] == sized("100m", limit="2")
    assert not made.runtime.updated
    assert any(reason == "ResizeDeferred" and text in said for reason, said in await made.events())
    await resize(made, "other", sized("1", limit="2"))
    await made.until("p", settled("1"))
    assert [r.cpu_shares for _, r in made.runtime.updated] == [1024, 1024]


async def test_room_comes_when_a_pod_goes_too(made: Node) -> None:
    await made.create("other", {"resources": sized("1500m", limit="2")})
    await made.create("p", {"resources": sized("100m", limit="2")})
    await made.ready("other")
    await made.ready("p")
    await resize(made, "p", sized("1", limit="2"))
    await made.until("p", lambda s: condition(s, "PodResizePending"))
    await made.admin.delete(PODS, "other", "default")
    await made.until("p", settled("1"))


async def test_what_waits_can_be_taken_back(made: Node) -> None:
    await made.create("other", {"resources": sized("1500m", limit="2")})
    await made.create("p", {"resources": sized("100m", limit="2")})
    await made.ready("other")
    await made.ready("p")
    await resize(made, "p", sized("1", limit="2"))
    await made.until("p", lambda s: condition(s, "PodResizePending"))
    await resize(made, "p", sized("100m", limit="2"))
    await made.until("p", settled("100m"))
    assert not made.runtime.updated


async def test_what_no_node_has_is_infeasible(made: Node) -> None:
    await made.create("p", {"resources": sized("100m", limit="8")})
    await made.ready("p")
    found = await made.admin.get(NODES, "node-1")
    status = {**found["status"], "allocatable": {**found["status"]["allocatable"], "cpu": "8"}}
    await made.admin.update_status(NODES, {**found, "status": status})
    await resize(made, "p", sized("4", limit="8"))
    status = await made.until("p", lambda s: condition(s, "PodResizePending"))
    pending = condition(status, "PodResizePending")
    assert (pending["reason"], pending["message"]) == (
        "Infeasible",
        "Node didn't have enough capacity: cpu, requested: 4000, capacity: 2000",
    )
    assert any(reason == "ResizeInfeasible" for reason, _ in await made.events())


async def test_memory_is_not_taken_from_who_uses_it(made: Node) -> None:
    made.runtime.usages["p/web"] = {"memory_usage_bytes": 100 * MI}
    await made.create("p", {"resources": sized("100m")})
    await made.ready("p")
    await resize(made, "p", sized("100m", memory_limit="96Mi"))
    status = await made.until("p", lambda s: condition(s, "PodResizeInProgress").get("reason"))
    progress = condition(status, "PodResizeInProgress")
    text = (
        'cannot decrease memory limits: attempting to set container "web" memory limit (100663296) '
        "below current usage (104857600)"
    )
    assert (progress["reason"], progress["message"]) == ("Error", text)
    assert status["containerStatuses"][0]["resources"]["limits"]["memory"] == "128Mi"
    assert not made.runtime.updated
    assert [reason for reason, _ in await made.events()].count("ResizeError") == 1
    made.runtime.usages["p/web"] = {"memory_usage_bytes": 50 * MI}
    await made.clock.advance(11.0)
    status = await made.until("p", settled("100m"))
    assert status["containerStatuses"][0]["resources"]["limits"]["memory"] == "96Mi"


async def test_what_the_runtime_refuses_is_told_and_tried_again(made: Node) -> None:
    await made.create("p", {"resources": sized("100m")})
    await made.ready("p")
    made.runtime.failures["update_container"] = [RuntimeFailure("no cgroup")]
    await resize(made, "p", sized("300m"))
    status = await made.until("p", lambda s: condition(s, "PodResizeInProgress").get("reason"))
    assert condition(status, "PodResizeInProgress")["message"] == "no cgroup"
    assert is_ready(status)
    await made.clock.advance(11.0)
    await made.until("p", settled("300m"))


async def test_an_agent_killed_before_it_acted_goes_on(made: Node) -> None:
    await made.create("p", {"resources": sized("100m")})
    await made.ready("p")
    await made.until("p", settled("100m"))
    made.runtime.failures["update_container"] = [RuntimeFailure("killed here")]
    await resize(made, "p", sized("300m"))
    await made.until("p", lambda s: condition(s, "PodResizeInProgress").get("reason"))
    assert made.runtime.updated == []
    await restart(made)
    status = await made.until("p", settled("300m"))
    assert status["containerStatuses"][0]["restartCount"] == 0
    assert [reason for reason, _ in await made.events()].count("ResizeStarted") == 1
    await restart(made)
    await made.until("p", settled("300m"))
    assert len(made.runtime.updated) == 1, "what was done is remembered"


async def test_a_resize_that_waits_is_not_taken_for_granted_by_the_next_agent(made: Node) -> None:
    await made.create("other", {"resources": sized("1500m", limit="2")})
    await made.create("p", {"resources": sized("100m", limit="2")})
    await made.ready("other")
    await made.ready("p")
    await made.kubelet.close()
    await resize(made, "p", sized("1", limit="2"))
    await restart(made)
    await made.until("p", lambda s: condition(s, "PodResizePending").get("reason") == "Deferred")
    assert not made.runtime.updated
    await made.create("third", {"resources": sized("300m", limit="2")})
    await made.ready("third")
    assert (await made.status("p"))["containerStatuses"][0]["allocatedResources"]["cpu"] == "100m"


async def test_sidecars_and_the_pod_as_a_whole(made: Node) -> None:
    sidecar = {"name": "side", "image": "nginx:1.27", "restartPolicy": "Always", "resources": sized("50m")}
    whole = {"requests": {"cpu": "500m"}, "limits": {"cpu": "1500m"}}
    await made.create("p", {"resources": sized("100m")}, initContainers=[sidecar], resources=whole)
    await made.ready("p")
    side = made.runtime.find("side")
    larger = {"requests": {"cpu": "600m"}, "limits": {"cpu": "1500m"}}
    await resize(
        made,
        "p",
        sized("100m"),
        initContainers=[{"name": "side", "resources": sized("150m")}],
        resources=larger,
    )
    status = await made.until(
        "p", lambda s: s["initContainerStatuses"][0]["resources"]["requests"]["cpu"] == "150m"
    )
    status = await made.until("p", lambda s: s["resources"]["requests"]["cpu"] == "600m")
    assert status["resources"]["limits"] == larger["limits"]
    assert status["allocatedResources"]["cpu"] == "600m"
    assert made.runtime.find("side").id == side.id
    assert [(i, r.cpu_shares) for i, r in made.runtime.updated] == [(side.id, 153)]


async def test_only_the_pod_as_a_whole(made: Node) -> None:
    whole = {"requests": {"cpu": "500m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "128Mi"}}
    await made.create("p", resources=whole)
    await made.ready("p")
    larger = {"requests": {"cpu": "600m", "memory": "64Mi"}, "limits": {"cpu": "1500m", "memory": "128Mi"}}
    await resize(made, "p", {}, resources=larger)
    status = await made.until("p", lambda s: s["resources"] == larger and not resizing(s))
    assert status["allocatedResources"]["cpu"] == "600m"
    assert made.runtime.updated == []
    await restart(made)
    assert not resizing(await made.until("p", lambda s: s["resources"] == larger))
    assert [reason for reason, _ in await made.events()].count("ResizeCompleted") == 1


async def test_a_container_that_starts_anew_has_what_it_was_given(made: Node) -> None:
    await made.create("p", {"resources": sized("100m")})
    await made.ready("p")
    await resize(made, "p", sized("300m"))
    await made.until("p", settled("300m"))
    made.runtime.finish(made.runtime.find("web").id, 1)
    await made.until("p", lambda s: s["containerStatuses"][0]["restartCount"] == 1 and is_ready(s))
    again = made.runtime.find("web")
    assert made.runtime.container_specs[again.id].resources.cpu_shares == 307
    assert len(made.runtime.updated) == 1
