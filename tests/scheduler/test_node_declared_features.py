"""Pods that need what not every kubelet can do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import eventually
from tests.hurried_clock import HurriedClock
from tests.scheduler.builders import READER, node, pod, world
from tests.scheduler.test_decisions import choice, message
from tests.scheduler.test_scheduler import make_node, make_pod, messages, scheduled, where
from wherry.api.core.nodes import NODES
from wherry.objects.meta import Object
from wherry.scheduler.features import FEATURES

RULES = [{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [3]}}]
RESTARTING = {"name": "c", "image": "i", "restartPolicy": "Never", "restartPolicyRules": RULES}
RESTARTS, USERS = FEATURES


def needing(**spec: Any) -> Object:
    return pod("web", **spec)


@pytest.mark.parametrize(
    ("spec", "needed"),
    [
        ({}, set()),
        ({"containers": [RESTARTING]}, {RESTARTS}),
        ({"initContainers": [RESTARTING]}, {RESTARTS}),
        ({"containers": [{**RESTARTING, "restartPolicyRules": [{"action": "Restart"}]}]}, set()),
        ({"hostNetwork": True, "hostUsers": False}, {USERS}),
        ({"hostNetwork": True}, set()),
        ({"hostUsers": False}, set()),
    ],
)
def test_what_a_pod_needs(spec: dict[str, Any], needed: set[str]) -> None:
    assert READER.read(needing()).template.features == set()
    assert READER.read(needing(**spec)).template.features == needed


def test_it_goes_where_that_is_declared() -> None:
    plain, able = node("plain"), node("able")
    able["status"]["declaredFeatures"] = ["GuaranteedQoSPodCPUResize", USERS]
    asking = READER.read(needing(hostNetwork=True, hostUsers=False))
    assert choice(asking, world(plain, able)) == "able"
    assert message(asking, world(plain)).startswith(
        "0/1 nodes are available: 1 node(s) didn't match Pod's required features."
    )


async def test_it_is_tried_again_when_a_node_declares_it() -> None:
    async with scheduled(HurriedClock()) as (client, _):
        await make_node(client, "a")
        await make_pod(client, "web", containers=[RESTARTING])

        async def told() -> bool:
            return bool(await messages(client, "FailedScheduling"))

        await eventually(told)
        found = await client.get(NODES, "a")
        await client.update_status(
            NODES, {**found, "status": {**found["status"], "declaredFeatures": [RESTARTS]}}
        )

        async def is_there() -> bool:
            return await where(client, "web") == "a"

        await eventually(is_there)
