"""Addresses for simulated nodes and pods: unique, and known again from the API after a restart.

Pods have theirs from their node's `spec.podCIDRs`; nodes and pods without a range from ranges nobody routes:
198.18.0.0/15 (RFC 2544, for measuring) and the upper half of 100.64.0.0/10 (RFC 6598, shared address space),
whose lower half is for nodes' ranges.
"""

from __future__ import annotations

import ipaddress

NODE_RANGE = "198.18.0.0/15"
POD_RANGE = "100.96.0.0/11"
NODE_BLOCKS = "100.64.0.0/11"
"""Of which a cluster gives simulated nodes their ranges, /`NODE_BLOCK_MASK` each: 8,192."""
NODE_BLOCK_MASK = 24


class RangeFull(Exception):
    """No address is left; the message names the range."""


class Pool:
    """The addresses of one range, by the owner that has each."""

    def __init__(self, cidr: str) -> None:
        network = ipaddress.ip_network(cidr, strict=False)
        self.cidr = cidr
        self._family = type(network.network_address)
        self._first = int(network.network_address) + 1
        self._size = max(min(network.num_addresses - 2, 1 << 32), 1)
        self._next = 0
        self._owners: dict[int, str] = {}
        self._held: dict[str, int] = {}

    def take(self, owner: str) -> str:
        """The owner's address: the one it has, or the next free one. Raises RangeFull."""
        held = self._held.get(owner)
        if held is None:
            if len(self._owners) >= self._size:
                raise RangeFull(f"no address is left in {self.cidr}")
            while self._first + self._next in self._owners:
                self._step()
            held = self._first + self._next
            self._step()
            self._held[owner], self._owners[held] = held, owner
        return str(self._family(held))

    def _step(self) -> None:
        self._next = (self._next + 1) % self._size

    def note(self, owner: str, address: str) -> None:
        """The API says that `owner` has `address`; one of another range, or taken, is passed over."""
        try:
            number = int(self._family(address))
        except ValueError:
            return
        is_inside = 0 <= number - self._first < self._size
        if is_inside and number not in self._owners and owner not in self._held:
            self._held[owner], self._owners[number] = number, owner

    def release(self, owner: str) -> None:
        """The owner is gone; its address is free."""
        number = self._held.pop(owner, None)
        if number is not None:
            del self._owners[number]


class Pools:
    """Pools by range, made as ranges turn up."""

    def __init__(self) -> None:
        self._pools: dict[str, Pool] = {}
        self._of: dict[str, tuple[str, ...]] = {}

    def take(self, owner: str, cidrs: tuple[str, ...]) -> list[str]:
        """The owner's addresses, one of each range. Raises RangeFull."""
        self._of[owner] = cidrs
        return [self._pool(cidr).take(owner) for cidr in cidrs]

    def note(self, owner: str, cidrs: tuple[str, ...], addresses: list[str]) -> None:
        """The API says that `owner` has these addresses of these ranges."""
        self._of[owner] = cidrs
        for cidr, address in zip(cidrs, addresses, strict=False):
            self._pool(cidr).note(owner, address)

    def release(self, owner: str) -> None:
        """The owner is gone."""
        for cidr in self._of.pop(owner, ()):
            self._pools[cidr].release(owner)

    def _pool(self, cidr: str) -> Pool:
        found = self._pools.get(cidr)
        if found is None:
            found = self._pools[cidr] = Pool(cidr)
        return found
