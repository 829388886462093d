"""Handing out pod networks: each node gets a block of the cluster's address range."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import ClassVar

from wherry.api.core.nodes import NODES
from wherry.client.events import NORMAL
from wherry.controllers.base import Controller, Environment
from wherry.objects.meta import Object, is_deleting, name_of


def plan_block(cluster: IPv4Network | IPv6Network, mask: int, taken: Iterable[str]) -> str | None:
    """The first block of /`mask` that overlaps none of `taken`, None when all are."""
    used = [network for network in map(ip_network, taken) if network.version == cluster.version]
    exact = {str(network) for network in used if network.prefixlen == mask}
    odd = [network for network in used if network.prefixlen != mask]
    for block in cluster.subnets(new_prefix=mask):
        if str(block) not in exact and not any(block.overlaps(network) for network in odd):
            return str(block)
    return None


def blocks_of(node: Object) -> list[str]:
    """The blocks a node has."""
    spec = node.get("spec") or {}
    return list(spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else []))


class NodeIpam(Controller):
    """Gives `spec.podCIDR` to nodes that have none."""

    name = "node-ipam"
    component = "cidrAllocator"
    primary = NODES
    workers: ClassVar = 1  # two nodes must not be given the same block

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._given: dict[str, str] = {}

    async def sync(self, key: str) -> float | None:
        """Give the node a block; forget what is given once the cache shows it."""
        node = self.cache.get(NODES, key)
        if node is None or is_deleting(node) or not self.config.cluster_cidr:
            self._given.pop(key, None)
            return None
        if blocks_of(node):
            self._given.pop(key, None)
            return None
        taken = [block for other in self.cache.list(NODES) for block in blocks_of(other)]
        cluster = ip_network(self.config.cluster_cidr)
        block = plan_block(cluster, self.config.node_cidr_mask, [*taken, *self._given.values()])
        if block is None:
            message = f"Node {name_of(node)} status is now: CIDRNotAvailable"
            self.events.event(node, NORMAL, "CIDRNotAvailable", message)
            raise RuntimeError(f"no block of /{self.config.node_cidr_mask} is left in {cluster}")
        self._given[key] = block
        try:
            await self.patch(key, NODES, node, {"spec": {"podCIDR": block, "podCIDRs": [block]}})
        except BaseException:
            del self._given[key]
            raise
        return None
