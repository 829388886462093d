"""Handing out pod networks: each node gets a block of the cluster's address range.

upstream's CIDR set (pkg/controller/nodeipam/ipam/cidrset): which blocks are free is kept as nodes come and
go, so that a node more costs the same in a cluster of five thousand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import ClassVar

from wherry.api.core.nodes import NODES
from wherry.api.core.simulated import is_simulated
from wherry.client.cache import Cache
from wherry.client.events import NORMAL
from wherry.controllers.base import Controller, Environment, NotYet
from wherry.objects.meta import Object, is_deleting, name_of


class Blocks:
    """The blocks of /`mask` in a range, and how often each is in use."""

    def __init__(self, cluster: IPv4Network | IPv6Network, mask: int) -> None:
        self._cluster = cluster
        self._mask = mask
        self._shift = cluster.max_prefixlen - mask
        self._count = 1 << max(mask - cluster.prefixlen, 0)
        self._uses: Counter[int] = Counter()
        self._next = 0

    def __str__(self) -> str:
        return f"/{self._mask} of {self._cluster}"

    def take(self, text: str) -> None:
        """Note that `text`, a network of any size, is in use once more."""
        for number in self._numbers(text):
            self._uses[number] += 1

    def give_back(self, text: str) -> None:
        """Note that `text` is in use once less."""
        for number in self._numbers(text):
            self._uses[number] -= 1
            if self._uses[number] <= 0:
                del self._uses[number]
                self._next = min(self._next, number)

    def free(self) -> str | None:
        """The first block nobody uses, None when there is none."""
        while self._next < self._count and self._next in self._uses:
            self._next += 1
        if self._next >= self._count:
            return None
        address = int(self._cluster.network_address) + (self._next << self._shift)
        return str(type(self._cluster)((address, self._mask)))

    def _numbers(self, text: str) -> range:
        """The blocks a network lies in or covers."""
        network = ip_network(text)
        if network.version != self._cluster.version or not network.overlaps(self._cluster):
            return range(0)
        base = int(self._cluster.network_address)
        first = max(int(network.network_address) - base, 0) >> self._shift
        last = (int(network.broadcast_address) - base) >> self._shift
        return range(first, min(last + 1, self._count))


def blocks_of(node: Object) -> list[str]:
    """The blocks a node has."""
    spec = node.get("spec") or {}
    return list(spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else []))


class NodeIpam(Controller):
    """Gives `spec.podCIDR` to nodes that have none."""

    name = "node-ipam"
    account = "node-controller"
    component = "cidrAllocator"
    primary = NODES
    workers: ClassVar = 1  # two nodes must not be given the same block

    def __init__(self, environment: Environment) -> None:
        self._given: dict[str, str] = {}
        """Blocks given to nodes whose objects do not show them yet."""
        config = environment.config
        self._blocks = _blocks(config.cluster_cidr, config.node_cidr_mask)
        simulated = _blocks(config.simulated_cidr, config.simulated_cidr_mask)
        self._of_simulated = self._blocks if simulated is None else simulated
        super().__init__(environment)
        self.cache.on(NODES, self._node_changed)

    def map_primary(self, cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """A node that has no block, or whose blocks have changed."""
        has_all = old is not None and new is not None and bool(blocks_of(new))
        if has_all and blocks_of(old or {}) == blocks_of(new or {}):
            return ()
        return super().map_primary(cache, old, new)

    async def sync(self, key: str) -> float | None:
        """Give the node a block."""
        node = self.cache.get(NODES, key)
        blocks = self._of_simulated if node is not None and is_simulated(node) else self._blocks
        if node is None or is_deleting(node) or blocks is None or blocks_of(node):
            self._forget_given(key)
            return None
        block = self._given.get(key) or blocks.free()
        if block is None:
            message = f"Node {name_of(node)} status is now: CIDRNotAvailable"
            self.events.event(node, NORMAL, "CIDRNotAvailable", message)
            raise NotYet(f"no block is left: {blocks}")
        if key not in self._given:
            self._given[key] = block
            blocks.take(block)
        try:
            await self.patch(key, NODES, node, {"spec": {"podCIDR": block, "podCIDRs": [block]}})
        except BaseException:
            self._forget_given(key)
            raise
        return None

    def _forget_given(self, key: str) -> None:
        block = self._given.pop(key, None)
        if block is not None:
            for blocks in self._all():
                blocks.give_back(block)

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        before, after = (blocks_of(node) if node is not None else [] for node in (old, new))
        if before == after:
            return
        for blocks in self._all():
            for block in after:
                blocks.take(block)
            for block in before:
                blocks.give_back(block)

    def _all(self) -> set[Blocks]:
        """Every range there is: a block of another one is passed over by each."""
        return {blocks for blocks in (self._blocks, self._of_simulated) if blocks is not None}


def _blocks(cidr: str, mask: int) -> Blocks | None:
    return Blocks(ip_network(cidr), mask) if cidr else None
