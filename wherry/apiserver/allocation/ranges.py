"""One range of service addresses: which of it may be given out, and which come first.

Source: pkg/registry/core/service/ipallocator, and KEP-3070 for the two bands.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Container, Iterable
from itertools import chain

MIN_BAND, MAX_BAND = 16, 256
LONGEST_IPV6 = 64
"""The prefix of an IPv6 range may not be shorter."""


class Band:
    """Numbers from `first` to `last`, both included, of which `used` are taken."""

    __slots__ = ("first", "last", "used")

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last = first, last
        self.used = 0

    def pick(self, taken: Container[int], rng: random.Random) -> int | None:
        """One that is not `taken`, the first from a random place on; None when all are."""
        if self.last - self.first + 1 <= self.used:
            return None
        start = rng.randint(self.first, self.last)
        numbers = chain(range(start, self.last + 1), range(self.first, start))
        return next((number for number in numbers if number not in taken), None)


class Range:
    """The usable addresses of one CIDR: all but the network's own and (IPv4) the broadcast address.

    Asked for any address, the upper band is used first: the lower one is where users put the addresses they
    choose themselves. Raises ValueError for an IPv6 range larger than upstream gives addresses of.
    """

    def __init__(self, cidr: str) -> None:
        network = ipaddress.ip_network(cidr)
        if network.version == 6 and network.prefixlen < LONGEST_IPV6:
            raise ValueError(
                f"shortest allowed prefix length for service CIDR is 64, got {network.prefixlen}"
            )
        self.network = network
        self.version: int = network.version
        self.is_ready = False
        last = int(network.broadcast_address)
        self.first = int(network.network_address) + 1
        self.last = last - 1 if self.version == 4 else last
        size = self.last - self.first + 1
        middle = self.first + (0 if size < MIN_BAND else min(max(size // 16, MIN_BAND), MAX_BAND))
        self.bands = (Band(middle, self.last), Band(self.first, middle - 1))

    def holds(self, version: int, number: int) -> bool:
        """Whether the address may be given out of this range."""
        return version == self.version and self.first <= number <= self.last

    def is_of(self, version: int, number: int) -> bool:
        """Whether the address is of the network, be it one that may be given out or not."""
        last = int(self.network.broadcast_address)
        return version == self.version and self.first - 1 <= number <= last

    def count(self, number: int, by: int) -> None:
        """An address was taken (`by` 1) or given back (-1); nothing happens if it is none of this range."""
        for band in self.bands:
            if band.first <= number <= band.last:
                band.used += by

    def count_all(self, taken: Iterable[int]) -> None:
        """Count anew: these are taken."""
        for band in self.bands:
            band.used = 0
        for number in taken:
            self.count(number, 1)

    def pick(self, taken: Container[int], rng: random.Random) -> int | None:
        """One that is free, None when none is."""
        for band in self.bands:
            found = band.pick(taken, rng)
            if found is not None:
                return found
        return None
