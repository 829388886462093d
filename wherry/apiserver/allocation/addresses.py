"""Which addresses are taken and what ranges there are: the index over IPAddresses and ServiceCIDRs.

An address is taken while its IPAddress is stored, or a write that gives it out is under way here. The store
has the last word: of two servers that take the same free address at once, one is told so by it.
"""

from __future__ import annotations

import ipaddress
import logging
import random
from collections.abc import Callable, Iterable, Mapping
from socket import AF_INET, AF_INET6, inet_ntoa, inet_pton
from typing import TypeAlias

from wherry.apiserver.allocation.ranges import Range

log = logging.getLogger(__name__)

Holder: TypeAlias = tuple[str, str]
"""Namespace and name of a Service."""
VERSIONS = {"IPv4": 4, "IPv6": 6}
MAPPED = 0xFFFF
"""What an IPv6 address that means one of IPv4 begins with."""


class AddressInUse(Exception):
    """The address belongs to another service, or to something else."""


class OutOfRange(Exception):
    """The address is not one of a ready range."""


class RangeFull(Exception):
    """No address is left."""


class Taken:
    """The taken addresses of one IP version, as numbers.

    Stored ones, those a write under way takes, and those a Service has whose IPAddress is gone or could not
    be stored: it is owed to that Service.
    """

    __slots__ = ("owed", "pending", "stored")

    def __init__(self) -> None:
        self.stored: set[int] = set()
        self.pending: set[int] = set()
        self.owed: dict[int, Holder] = {}

    def __contains__(self, number: object) -> bool:
        return number in self.stored or number in self.pending or number in self.owed


class Addresses:
    """Everything about addresses that is decided without waiting."""

    def __init__(self, rng: random.Random) -> None:
        self._random = rng
        self._ranges: dict[str, Range] = {}
        self._taken = {4: Taken(), 6: Taken()}
        self._refused: set[str] = set()

    @property
    def cidrs(self) -> Iterable[str]:
        """The same, as text."""
        return self._ranges.keys()

    @property
    def ranges(self) -> Iterable[Range]:
        """All ranges there are, in the order addresses are taken from them."""
        return self._ranges.values()

    def set_ranges(self, ready: Mapping[str, bool]) -> None:
        """The ranges (CIDRs) there are now, and whether addresses may be given out of each."""
        before, self._ranges = self._ranges, {}
        for cidr, is_ready in ready.items():
            found = before.get(cidr) or self._new_range(cidr)
            if found is not None:
                found.is_ready = is_ready
                self._ranges[cidr] = found

    def _new_range(self, cidr: str) -> Range | None:
        try:
            made = Range(cidr)
        except ValueError as error:
            if cidr not in self._refused:
                self._refused.add(cidr)
                log.warning("no addresses are given out of the ServiceCIDR range %s: %s", cidr, error)
            return None
        self._count_all(made)
        return made

    def _count_all(self, found: Range) -> None:
        taken = self._taken[found.version]
        found.count_all(taken.stored | taken.pending | taken.owed.keys())

    def read(self, names: Iterable[str]) -> None:
        """The addresses that are stored now, whatever was known before."""
        for taken in self._taken.values():
            taken.stored.clear()
        for name in names:
            address = parse(name)
            if address is not None:
                self._taken[address[0]].stored.add(address[1])
        for found in self.ranges:
            self._count_all(found)

    def note(self, name: str) -> None:
        """The IPAddress of that name is stored."""
        address = parse(name)
        if address is not None:
            self._change(*address, self._taken[address[0]].stored.add)
            self._pay(*address)

    def owe(self, name: str, holder: Holder) -> None:
        """A Service has the address, but no IPAddress says so: it is taken until one does."""
        address = parse(name)
        if address is not None:
            self._change(*address, lambda number: self._taken[address[0]].owed.update({number: holder}))

    def holder_owed(self, name: str) -> Holder | None:
        """The Service that has the address without an IPAddress, if there is one."""
        address = parse(name)
        return self._taken[address[0]].owed.get(address[1]) if address is not None else None

    def pay(self, name: str, holder: Holder) -> None:
        """The Service has the address no longer."""
        if self.holder_owed(name) == holder and (address := parse(name)) is not None:
            self._pay(*address)

    def forget(self, name: str) -> None:
        """It is so no longer."""
        address = parse(name)
        if address is not None:
            self._change(*address, self._taken[address[0]].stored.discard)

    def is_stored(self, name: str) -> bool:
        """Whether the IPAddress of that name is stored."""
        address = parse(name)
        return address is not None and address[1] in self._taken[address[0]].stored

    def is_in_range(self, text: str) -> bool:
        """Whether some range, ready or not, may give the address out."""
        address = parse(text)
        return address is not None and any(found.holds(*address) for found in self.ranges)

    def network_of(self, text: str) -> str:
        """The CIDR of the range whose network has the address, also one of IPv4 written as IPv6; else ""."""
        version, number = parse(text) or (0, 0)
        if number >> 32 == MAPPED and version == 6:
            version, number = 4, number & 0xFFFFFFFF
        return next((cidr for cidr, found in self._ranges.items() if found.is_of(version, number)), "")

    def take(self, text: str) -> None:
        """Take one address, until `release`. Raises AddressInUse, OutOfRange."""
        address = parse(text)
        if address is None or not any(found.is_ready and found.holds(*address) for found in self.ranges):
            raise OutOfRange(text)
        version, number = address
        if number in self._taken[version]:
            raise AddressInUse(text)
        self._hold(version, number)

    def take_any(self, family: str) -> str:
        """Take a free address of that family (IPv4, IPv6), until `release`. Raises RangeFull."""
        version = VERSIONS[family]
        for found in self.ranges:
            if found.is_ready and found.version == version:
                number = found.pick(self._taken[version], self._random)
                if number is not None:
                    self._hold(version, number)
                    return show(version, number)
        raise RangeFull

    def release(self, text: str) -> None:
        """The write that took the address is over: it is taken from now on if its IPAddress is stored."""
        address = parse(text)
        if address is not None:
            self._change(*address, self._taken[address[0]].pending.discard)

    def _pay(self, version: int, number: int) -> None:
        owed = self._taken[version].owed
        self._change(version, number, lambda number: owed.pop(number, None))

    def _hold(self, version: int, number: int) -> None:
        self._change(version, number, self._taken[version].pending.add)

    def _change(self, version: int, number: int, change: Callable[[int], object]) -> None:
        taken = self._taken[version]
        before = number in taken
        change(number)
        after = number in taken
        if before != after:
            for found in self._ranges.values():
                if found.holds(version, number):
                    found.count(number, after - before)


def parse(text: str) -> tuple[int, int] | None:
    """IP version and number of the address a text says, None if it says none."""
    try:
        if ":" in text:
            return 6, int.from_bytes(inet_pton(AF_INET6, text), "big")
        return 4, int.from_bytes(inet_pton(AF_INET, text), "big")
    except (OSError, ValueError):  # ValueError: what no C string can hold
        return None


def canonical(text: str) -> str:
    """An address as IPAddress objects are called; what is none stays as it is."""
    address = parse(text)
    return text if address is None else show(*address)


def show(version: int, number: int) -> str:
    """The address of a number."""
    return inet_ntoa(number.to_bytes(4, "big")) if version == 4 else str(ipaddress.IPv6Address(number))
