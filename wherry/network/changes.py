"""Hearing from the kernel that addresses, routes or firewall rules of this network namespace changed.

By netlink(7): its groups of rtnetlink for addresses and routes, of nfnetlink for what is done through
nf_tables (iptables-nft included; what the old iptables does is told to nobody). What changed is not
handed on, since whoever wants to know looks anyway.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import struct
from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

RTMGRP_IPV4_IFADDR = 0x10
RTMGRP_IPV4_ROUTE = 0x40
NETLINK_NETFILTER = 12
NFNLGRP_NFTABLES = 7
NFNL_SUBSYS_NFTABLES = 10
NFT_MSG_DELTABLE, NFT_MSG_DELCHAIN, NFT_MSG_DELRULE = 2, 5, 8
NFTA_CHAIN_NAME, NFTA_RULE_CHAIN = 3, 2
ATTRIBUTE_TYPE = 0x3FFF
LARGEST_MESSAGE = 65536
ROOM_BYTES = 1024 * 1024
"""For what comes in one go: somebody who flushes a large ruleset."""


class KernelNews:
    """Calls `on_change` when messages of the netlink `protocol`'s `groups` (a mask) arrive.

    `concerns` tells whether a datagram is worth a call. Where the kernel has no such socket for us nothing is
    ever called: a look now and then is still needed.
    """

    def __init__(
        self,
        protocol: int,
        groups: int,
        on_change: Callable[[], None],
        concerns: Callable[[bytes], bool] = bool,
    ) -> None:
        self._protocol = protocol
        self._groups = groups
        self._on_change = on_change
        self._concerns = concerns
        self._socket: socket.socket | None = None

    def start(self) -> None:
        """Begin to listen."""
        try:
            opened = socket.socket(
                socket.AF_NETLINK,
                socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC,
                self._protocol,
            )
        except OSError as error:
            log.info("the kernel tells nothing of netlink protocol %d: %s", self._protocol, error)
            return
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM_BYTES)
            opened.bind((0, self._groups))
        except OSError as error:
            opened.close()
            log.info("the kernel tells nothing of netlink protocol %d: %s", self._protocol, error)
            return
        self._socket = opened
        asyncio.get_running_loop().add_reader(opened.fileno(), self._read, opened)

    def close(self) -> None:
        """Stop listening. May be called twice."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _read(self, opened: socket.socket) -> None:
        """One datagram; a socket that overflowed (ENOBUFS) tells as much as a message that concerns us."""
        try:
            concerns = self._concerns(opened.recv(LARGEST_MESSAGE))
        except BlockingIOError:
            return
        except OSError as error:
            concerns = True
            if error.errno != errno.ENOBUFS:
                log.warning("netlink protocol %d is no longer heard of: %s", self._protocol, error)
                self.close()
        if concerns:
            self._on_change()


def address_news(on_change: Callable[[], None]) -> KernelNews:
    """Calls `on_change` whenever an IPv4 address or route came or went."""
    return KernelNews(socket.NETLINK_ROUTE, RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE, on_change)


def rule_news(is_ours: Callable[[str], bool], on_change: Callable[[], None]) -> KernelNews:
    """Calls `on_change` when a table, or a chain or rule in a chain `is_ours`, went away."""
    return KernelNews(
        NETLINK_NETFILTER,
        1 << (NFNLGRP_NFTABLES - 1),
        on_change,
        lambda datagram: any(chain is None or is_ours(chain) for chain in removed_from(datagram)),
    )


def removed_from(datagram: bytes) -> Iterator[str | None]:
    """The chain of each removed chain or rule nfnetlink tells of, None for a whole table."""
    for kind, payload in _messages(datagram):
        if kind >> 8 != NFNL_SUBSYS_NFTABLES:
            continue
        if kind & 0xFF == NFT_MSG_DELTABLE:
            yield None
        elif kind & 0xFF in (NFT_MSG_DELCHAIN, NFT_MSG_DELRULE):
            wanted = NFTA_RULE_CHAIN if kind & 0xFF == NFT_MSG_DELRULE else NFTA_CHAIN_NAME
            # After `struct nfgenmsg`, four bytes.
            for attribute, value in _attributes(payload[4:]):
                if attribute == wanted:
                    yield value.rstrip(b"\0").decode(errors="replace")


def _messages(datagram: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and payload of each `struct nlmsghdr`."""
    at = 0
    while at + 16 <= len(datagram):
        length, kind = struct.unpack_from("=IH", datagram, at)
        if length < 16:
            return
        yield kind, datagram[at + 16 : at + length]
        at += (length + 3) & ~3


def _attributes(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each `struct nlattr`."""
    at = 0
    while at + 4 <= len(payload):
        length, kind = struct.unpack_from("=HH", payload, at)
        if length < 4:
            return
        yield kind & ATTRIBUTE_TYPE, payload[at + 4 : at + length]
        at += (length + 3) & ~3
