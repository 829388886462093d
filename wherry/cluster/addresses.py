"""Which address the node goes by, and keeping to it while the machine moves from network to network.

A cluster that serves this machine alone (its API server listens on a loopback address) needs no address
of the machine's networks: the pods' gateway is there as long as the cluster is, and never changes. Any
other goes by the address others would use, the source of the default route, and follows it.
`choose_node_ip` decides and is pure; `AddressKeeper` looks, decides and tells.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Protocol

from wherry.kit.clock import Clock
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.network.changes import address_news

log = logging.getLogger(__name__)

LOOK_EVERY_S = 30.0
SETTLE_S = 0.2
"""A network that comes changes several things at once."""


class Reached(Protocol):
    """What says where the API server is reached from: `ClusterConfig`, and `NodeConfig` after it."""

    @property
    def server_address(self) -> str: ...

    @property
    def is_for_this_machine(self) -> bool: ...


def choose_node_ip(config: Reached, uplink: str, known: str, *, is_known_ours: bool) -> str:
    """The address the node goes by.

    `uplink` is the source of the default route, "" without one; `known` the address the node went by so
    far, "" for none, and `is_known_ours` whether the machine still has it. Without a network an address
    that is still there is kept, else the gateway serves until a network comes. Never a loopback address:
    endpoints of Services may not have one, and nothing is proxied there.
    """
    gateway = config.server_address
    if config.is_for_this_machine:
        return gateway
    if uplink and not ipaddress.ip_address(uplink).is_loopback:
        return uplink
    return known if known and is_known_ours else gateway


def uplink_address() -> str:
    """The address of this machine that others would use: the source of its default route; "" without one.

    Connecting a datagram socket sends nothing; it only asks the routing table.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1, never assigned (RFC 5737)
        except OSError:
            return ""
        address: str = probe.getsockname()[0]
    return address


def is_ours(address: str) -> bool:
    """Whether an interface of this machine has `address` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def node_ip(config: Reached, known: str = "") -> str:
    """The address the node goes by as the machine is now; `known` is the one before."""
    return choose_node_ip(config, uplink_address(), known, is_known_ours=bool(known) and is_ours(known))


class AddressKeeper:
    """Looks at the node's address when the kernel says something changed, and every 30 s.

    `now(known)` tells the address as it is now. `apply(ip)` is awaited with each new one, and again with
    the same one after it failed; `always()` is called at each look, for what else may have changed.
    """

    def __init__(
        self,
        now: Callable[[str], str],
        known: str,
        apply: Callable[[str], Awaitable[None]],
        always: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._now = now
        self._known = known
        self._apply = apply
        self._always = always
        self._tasks = Tasks("node address")
        self._looking = Repeater(
            "looking after the node's address", self._look, self._tasks, clock, expected=(OSError,)
        )
        self._changes = address_news(lambda: self._looking.within(SETTLE_S))

    def start(self) -> None:
        """Begin; the first look comes soon, since the machine may have moved since `known` was found."""
        self._changes.start()
        self._looking.within(SETTLE_S)

    async def close(self) -> None:
        """Stop looking."""
        self._changes.close()
        await self._looking.close()
        await self._tasks.close()

    async def _look(self) -> float:
        found = self._now(self._known)
        if found != self._known:
            log.info("the node's address is %s now, was %s", found, self._known)
            await self._apply(found)
            self._known = found
        self._always()
        return LOOK_EVERY_S
