"""Cluster addresses: which of the service range are taken."""

from __future__ import annotations

import ipaddress
import random
from itertools import chain

RANDOM_ATTEMPTS = 64
MAX_LOWER_BAND = 256


class AddressInUse(Exception):
    """The address belongs to another service."""


class OutOfRange(Exception):
    """The address is not one of the range that may be given out."""


class RangeFull(Exception):
    """No address is left."""


class AddressPool:
    """The usable addresses of one CIDR: all but the network's own and (IPv4) the broadcast address.

    Asked for any address, the upper part is used first: the lower band is where users put the
    addresses they choose themselves, as upstream arranges it.
    """

    def __init__(self, cidr: str, rng: random.Random) -> None:
        self.network = ipaddress.ip_network(cidr)
        self._random = rng
        self._taken: set[int] = set()
        self._first: int = int(self.network.network_address) + 1
        last: int = int(self.network.broadcast_address)
        self._last = last - 1 if self.network.version == 4 else last
        size = self._last - self._first + 1
        self._band = 0 if size < 16 else min(max(size // 16, 16), MAX_LOWER_BAND)

    @property
    def family(self) -> str:
        """IPv4 or IPv6."""
        return f"IPv{self.network.version}"

    @property
    def first(self) -> str:
        """The first usable address, which is the API server's own service."""
        return self._show(self._first)

    def contains(self, address: str) -> bool:
        """Whether an address, also an IPv4 one written as IPv6, is in the range."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return (getattr(parsed, "ipv4_mapped", None) or parsed) in self.network

    def take(self, address: str) -> None:
        """Take one address. Raises AddressInUse, OutOfRange."""
        number = self._number(address)
        if number in self._taken:
            raise AddressInUse(address)
        self._taken.add(number)

    def take_any(self) -> str:
        """Take a free address. Raises RangeFull."""
        low = self._first + self._band
        for _ in range(RANDOM_ATTEMPTS):
            number = self._random.randint(low, self._last)
            if number not in self._taken:
                break
        else:
            number = self._scan(low)
        self._taken.add(number)
        return self._show(number)

    def release(self, address: str) -> None:
        """Give an address back; nothing happens if it is not of this range."""
        try:
            self._taken.discard(self._number(address))
        except OutOfRange:
            return

    def _scan(self, low: int) -> int:
        if len(self._taken) <= self._last - self._first:
            for number in chain(range(low, self._last + 1), range(self._first, low)):
                if number not in self._taken:
                    return number
        raise RangeFull

    def _number(self, address: str) -> int:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError as error:
            raise OutOfRange(address) from error
        number: int = int(parsed)
        if parsed.version != self.network.version or not self._first <= number <= self._last:
            raise OutOfRange(address)
        return number

    def _show(self, number: int) -> str:
        kind = ipaddress.IPv4Address if self.network.version == 4 else ipaddress.IPv6Address
        return str(kind(number))
