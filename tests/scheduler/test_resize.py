"""While a pod is resized it holds what it still has; the node has room again when that is less."""

from __future__ import annotations

from typing import Any

from tests.conftest import eventually
from tests.hurried_clock import HurriedClock
from tests.scheduler.builders import READER, pod
from tests.scheduler.test_scheduler import make_node, make_pod, messages, scheduled, where
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.client.api import Client
from wherry.objects.meta import Object

MERGE = "application/strategic-merge-patch+json"


def told(cpu: str) -> Object:
    """The status of a container that has so much."""
    amounts = {"cpu": cpu}
    state = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    return {
        "containerStatuses": [
            {
                "name": "c",
                "image": "i",
                "imageID": "i",
                "ready": True,
                "restartCount": 0,
                "state": state,
                "allocatedResources": amounts,
                "resources": {"requests": amounts},
            }
        ]
    }


def requested(**more: Any) -> int:
    return READER.read(pod("web", **more)).template.requests["cpu"]


def test_a_pod_counts_with_what_it_asks_or_still_has() -> None:
    assert requested(requests={"cpu": "1"}, status=told("1")) == 1000
    assert requested(requests={"cpu": "1"}, status=told("3")) == 3000
    assert requested(requests={"cpu": "4"}, status=told("3")) == 4000
    refused = {"type": "PodResizePending", "status": "True", "reason": "Infeasible"}
    assert requested(requests={"cpu": "4"}, status={**told("3"), "conditions": [refused]}) == 3000


def test_pods_that_report_what_they_ask_for_share_a_template() -> None:
    one = READER.read(pod("one", requests={"cpu": "1"}, status=told("1")))
    other = READER.read(pod("other", requests={"cpu": "1"}))
    assert one.template is other.template


async def set_status(client: Client, name: str, status: Object) -> None:
    found = await client.get(PODS, name, "default")
    await client.update_status(PODS, {**found, "status": {**found["status"], "phase": "Running", **status}})


async def test_room_is_given_back_when_the_node_has_made_the_pod_smaller() -> None:
    async with scheduled(HurriedClock()) as (client, _):
        await make_node(client, "a", cpu="2", labels={"kubernetes.io/os": "linux"})
        await make_pod(client, "large", requests={"cpu": "2"})

        async def is_bound() -> bool:
            return await where(client, "large") == "a"

        await eventually(is_bound)
        await set_status(client, "large", told("2"))
        smaller = {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]}}
        await client.patch(PODS, "large", "default", smaller, subresource="resize", content_type=MERGE)
        await make_pod(client, "second", requests={"cpu": "1"})

        async def is_refused() -> bool:
            return any("Insufficient cpu" in text for text in await messages(client, "FailedScheduling"))

        await eventually(is_refused)
        assert (await client.get(NODES, "a"))["status"]["allocatable"]["cpu"] == "2"
        await set_status(client, "large", told("1"))

        async def fits() -> bool:
            return await where(client, "second") == "a"

        await eventually(fits)
