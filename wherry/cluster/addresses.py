"""Which address the node goes by, as the machine is now.

A cluster that serves this machine alone (its API server listens on a loopback address) needs no address
of the machine's networks: the pods' gateway is there as long as the cluster is, and never changes. Any
other goes by the address others would use, the source of the default route; `address_keeper` follows it.
`choose_node_ip` decides and is pure.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Protocol


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
