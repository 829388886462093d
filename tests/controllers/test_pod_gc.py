"""Pods nobody else would clean up."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controllers import samples
from tests.controllers.bench import running
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.controllers.config import ControllerConfig
from wherry.controllers.pod_gc import PodGc, plan_surplus
from wherry.objects.meta import Object, name_of


def pod(name: str, node: str = "", created: str = "2026-01-01T00:00:00Z", **status: Any) -> Object:
    made = samples.pod(name, spec={"nodeName": node} if node else {}, creationTimestamp=created)
    return {**made, "status": status}


def test_evicted_pods_go_first_then_the_oldest() -> None:
    pods = [
        pod("new", created="2026-01-03T00:00:00Z", phase="Succeeded"),
        pod("old", created="2026-01-01T00:00:00Z", phase="Failed"),
        pod("evicted", created="2026-01-04T00:00:00Z", phase="Failed", reason="Evicted"),
        pod("running", phase="Running"),
    ]
    assert [name_of(p) for p in plan_surplus(pods, 1)] == ["evicted", "old"]
    assert plan_surplus(pods, 3) == []
    assert plan_surplus(pods, 0) == []


async def test_pods_of_a_lost_node_go_after_the_quarantine() -> None:
    before = [(NODES, {"metadata": {"name": "n"}}), (PODS, pod("p", "n")), (PODS, pod("q", "gone"))]
    async with running(PodGc, before=before) as bench:
        await bench.clock.advance(39)
        assert len(await bench.all(PODS)) == 2
        await bench.clock.advance(2)
        assert [name_of(p) for p in await bench.all(PODS)] == ["p"]
        await bench.client.delete(NODES, "n")
        await bench.settle()
        await bench.clock.advance(41)
        assert await bench.all(PODS) == []
        (marked,) = [c for c in bench.requests.writes("PATCH") if c.path.endswith("/p/status")]
        assert isinstance(marked.body, dict)
        assert marked.body["status"]["phase"] == "Failed"
        assert marked.body["status"]["conditions"][0]["reason"] == "DeletionByPodGC"


async def test_a_deleted_pod_that_never_had_a_node_goes_at_once() -> None:
    """The server lets one go at once; but it may have been on its way when it lost its node."""
    async with running(PodGc) as bench:
        deleted_at = "2026-01-01T00:00:00Z"
        going = samples.pod("p", deletionTimestamp=deleted_at, deletionGracePeriodSeconds=30)
        await bench.store(PODS, going)
        assert await bench.all(PODS) == []


async def test_ended_pods_beyond_the_threshold_go() -> None:
    async with running(PodGc, config=ControllerConfig(terminated_pod_threshold=2)) as bench:
        for number in range(4):
            await bench.create(PODS, pod(f"p{number}", phase="Succeeded"))
        assert [name_of(p) for p in await bench.all(PODS)] == ["p2", "p3"]


OUT = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}


@pytest.mark.parametrize(
    ("ready", "taints", "left"), [("Unknown", [OUT], []), ("True", [OUT], ["p"]), ("Unknown", [], ["p"])]
)
async def test_pods_that_cannot_end_on_a_node_out_of_service_go_at_once(
    ready: str, taints: list[Object], left: list[str]
) -> None:
    conditions = [{"type": "Ready", "status": ready}]
    node = {"metadata": {"name": "n"}, "spec": {"taints": taints}, "status": {"conditions": conditions}}
    ending = pod("p", "n", phase="Running")
    async with running(PodGc, before=[(NODES, node), (PODS, pod("q", "n"))]) as bench:
        await bench.create(PODS, ending)
        await bench.client.delete(PODS, "p", "default")
        await bench.settle()
        assert [name_of(p) for p in await bench.all(PODS)] == [*left, "q"]


async def test_a_node_that_is_put_out_of_service_frees_what_waits() -> None:
    conditions = [{"type": "Ready", "status": "Unknown"}]
    node = {"metadata": {"name": "n"}, "status": {"conditions": conditions}}
    async with running(PodGc, before=[(NODES, node), (PODS, pod("p", "n"))]) as bench:
        await bench.client.delete(PODS, "p", "default")
        await bench.settle()
        assert len(await bench.all(PODS)) == 1
        await bench.client.patch(NODES, "n", "", {"spec": {"taints": [OUT]}})
        await bench.settle()
        assert await bench.all(PODS) == []
