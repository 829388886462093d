"""Blocks of the pod network for nodes."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from tests.controllers.bench import running
from wherry.api.core.nodes import NODES
from wherry.controllers.config import ControllerConfig
from wherry.controllers.node_ipam import Blocks, NodeIpam


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
    blocks = Blocks(ip_network("10.0.0.0/22"), 24)
    for text in taken:
        blocks.take(text)
    assert blocks.free() == block


def test_what_is_given_back_by_all_is_free_again() -> None:
    blocks = Blocks(ip_network("10.0.0.0/23"), 24)
    for text in ("10.0.0.0/24", "10.0.0.0/25", "10.0.0.0/8"):
        blocks.take(text)
    assert blocks.free() is None
    for text, free in (
        ("10.0.0.0/8", "10.0.1.0/24"),
        ("10.0.0.0/24", "10.0.1.0/24"),
        ("10.0.0.0/25", "10.0.0.0/24"),
    ):
        blocks.give_back(text)
        assert blocks.free() == free


def test_a_block_more_costs_the_same_however_many_are_taken() -> None:
    blocks = Blocks(ip_network("10.0.0.0/8"), 24)
    given = []
    for _ in range(5000):
        block = blocks.free()
        assert block is not None
        blocks.take(block)
        given.append(block)
    assert len(set(given)) == 5000
    assert blocks._next == 4999, "nobody looks at what was found taken before"


def test_ranges_of_ipv6() -> None:
    blocks = Blocks(ip_network("fd00::/48"), 64)
    blocks.take("fd00::/64")
    assert blocks.free() == "fd00:0:0:1::/64"


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
