"""Simulated nodes under the real scheduler and all controllers, in simulated time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.apiserver.rig import config, founded
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.apiserver.user import AUTHENTICATED
from wherry.client.api import Client
from wherry.cluster.assembly import ControlPlane, ControlPlaneConfig
from wherry.controllers.catalog import CONTROLLERS
from wherry.hollow.hollow import HollowNodes
from wherry.hollow.machines import NodeTemplate
from wherry.hollow.outcomes import Chosen, Exits, NodeOutcome, Outcome
from wherry.hollow.rights import USER, ensure_rights
from wherry.kit.simulated_loop import LoopClock, SimulatedLoop
from wherry.objects.conditions import is_true
from wherry.objects.meta import Object, name_of


@dataclass
class Plane:
    """A whole control plane and its simulated nodes."""

    loop: SimulatedLoop
    client: Client
    hollow: HollowNodes

    async def pods(self) -> list[Object]:
        return (await self.client.list(PODS, "default")).items

    async def deployment(self) -> Any:
        return (await self.client.get(DEPLOYMENTS, "web", "default")).get("status") or {}

    async def deploy(self, replicas: int, **spec: Any) -> None:
        template = {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "nginx"}], **spec},
        }
        await self.client.create(
            DEPLOYMENTS,
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "web", "namespace": "default"},
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": {"app": "web"}},
                    "template": template,
                },
            },
        )
        await self.loop.idle()


def run(
    scenario: Callable[[Plane], Awaitable[None]],
    template: NodeTemplate,
    outcomes: Sequence[Outcome | NodeOutcome] = (),
) -> None:
    """Run a scenario in a loop of its own."""
    loop = SimulatedLoop()

    async def main() -> None:
        clock = LoopClock(loop)
        store = (await founded()).copy(clock)
        plane = ControlPlane(ControlPlaneConfig(api=config(), kinds=CONTROLLERS), store, clock, Random(7))
        client = plane.client("admin", ("system:masters", AUTHENTICATED))
        hollow = HollowNodes(plane.client(USER), clock, Random(7), template, outcomes=outcomes)
        try:
            await plane.start(listens=False, is_founded=True)
            await ensure_rights(client)
            await hollow.start()
            await loop.idle()
            await scenario(Plane(loop, client, hollow))
        finally:
            await hollow.close()
            await plane.close()
            await store.close()

    try:
        loop.run_until_complete(main())
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def test_a_deployment_is_available_at_once() -> None:
    async def scenario(p: Plane) -> None:
        await p.deploy(6)
        assert (await p.deployment())["availableReplicas"] == 6
        nodes = {pod["spec"]["nodeName"] for pod in await p.pods()}
        assert nodes == {"hollow-0", "hollow-1", "hollow-2"}

    run(scenario, NodeTemplate(count=3, zones=["a", "b", "c"]))


def test_capacity_is_what_the_template_says() -> None:
    async def scenario(p: Plane) -> None:
        await p.deploy(5)
        bound = [pod for pod in await p.pods() if pod["spec"].get("nodeName")]
        assert len(bound) == 4
        await p.hollow.add()
        await p.loop.advance(60)
        assert (await p.deployment())["availableReplicas"] == 5

    run(scenario, NodeTemplate(count=2, capacity={"cpu": "4", "memory": "8Gi", "pods": "2"}))


def test_a_lost_node_is_noticed_and_its_pods_are_made_anew_elsewhere() -> None:
    async def scenario(p: Plane) -> None:
        await p.deploy(4)
        await p.loop.advance(120)
        nodes = (await p.client.list(NODES)).items
        assert all(is_true(node["status"]["conditions"], "Ready") for node in nodes)
        before = {name_of(pod) for pod in await p.pods() if pod["spec"]["nodeName"] == "hollow-1"}
        assert before
        await p.hollow.lose("hollow-1")
        await p.loop.advance(60)
        node = await p.client.get(NODES, "hollow-1")
        assert not is_true(node["status"]["conditions"], "Ready")
        assert "node.kubernetes.io/unreachable" in {taint["key"] for taint in node["spec"]["taints"]}
        assert (await p.deployment())["availableReplicas"] < 4
        await p.loop.advance(400)
        assert (await p.deployment())["availableReplicas"] == 4
        # Nobody on the lost node says that the evicted pods have ended.
        assert before <= {name_of(pod) for pod in await p.pods()}
        await p.hollow.recover("hollow-1")
        await p.loop.advance(60)
        node = await p.client.get(NODES, "hollow-1")
        assert is_true(node["status"]["conditions"], "Ready")
        assert not before & {name_of(pod) for pod in await p.pods()}

    run(scenario, NodeTemplate(count=2))


def test_a_removed_node_takes_its_pods_along() -> None:
    async def scenario(p: Plane) -> None:
        await p.deploy(4)
        await p.hollow.remove("hollow-0")
        await p.loop.advance(120)
        assert {pod["spec"]["nodeName"] for pod in await p.pods()} == {"hollow-1"}
        assert (await p.deployment())["availableReplicas"] == 4

    run(scenario, NodeTemplate(count=2))


def test_a_crashing_deployment_never_becomes_available() -> None:
    async def scenario(p: Plane) -> None:
        await p.deploy(2)
        await p.loop.advance(3600)
        pods = await p.pods()
        assert len(pods) == 2
        counts = [pod["status"]["containerStatuses"][0]["restartCount"] for pod in pods]
        assert counts == [16, 16], "10 s to 5 minutes apart"

    run(scenario, NodeTemplate(count=1), [Outcome(chosen=Chosen({"app": "web"}), exits=Exits(1, after_s=1))])
