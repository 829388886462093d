"""Blocks of the pod network for nodes."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from tests.controllers.bench import running
from wherry.api.core.nodes import NODES
from wherry.controllers.config import ControllerConfig
from wherry.controllers.node_ipam import NodeIpam, plan_block


@pytest.mark.parametrize(
    ("taken", "block"),
    [
        ([], "10.0.0.0/24"),
        (["10.0.0.0/24"], "10.0.1.0/24"),
        (["10.0.1.0/24"], "10.0.0.0/24"),
        (["10.0.0.0/23"], "10.0.2.0/24"),
        (["10.0.0.128/25"], "10.0.1.0/24"),
        (["fd00::/64"], "10.0.0.0/24"),
        (["10.0.0.0/22"], None),
    ],
)
def test_the_first_free_block(taken: list[str], block: str | None) -> None:
    assert plan_block(ip_network("10.0.0.0/22"), 24, taken) == block


async def test_nodes_get_different_blocks_and_freed_ones_are_used_again() -> None:
    config = ControllerConfig(cluster_cidr="10.1.0.0/23")
    async with running(NodeIpam, config=config) as bench:
        for name in ("a", "b", "c"):
            await bench.client.create(NODES, {"metadata": {"name": name}, "spec": {}})
        await bench.settle()
        blocks = {n["metadata"]["name"]: n["spec"].get("podCIDRs") for n in await bench.all(NODES)}
        assert blocks == {"a": ["10.1.0.0/24"], "b": ["10.1.1.0/24"], "c": None}
        assert "CIDRNotAvailable: Node c status is now: CIDRNotAvailable" in bench.events()
        await bench.client.delete(NODES, "a")
        await bench.clock.advance(60)
        assert (await bench.get(NODES, "c", ""))["spec"]["podCIDR"] == "10.1.0.0/24"
