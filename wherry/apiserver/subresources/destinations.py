"""Which addresses proxies may lead to: none of this very machine or its link, in whatever form.

Upstream's proxies refuse some of them (pkg/registry/core, proxyutil.IsProxyableIP). An IPv6 address can carry
an IPv4 one, to which a translator or tunnel on the way leads.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

CARRIERS = (
    IPv6Network("::/96"),  # IPv4-compatible (RFC 4291, 2.5.5.1)
    IPv6Network("::ffff:0:0:0/96"),  # IPv4-translated (RFC 2765)
    IPv6Network("64:ff9b::/96"),  # NAT64 (RFC 6052)
    IPv6Network("64:ff9b:1::/48"),  # NAT64 of one's own (RFC 8215)
)
"""Networks in which the last 32 bits are an IPv4 address."""
BROADCAST = IPv4Address("255.255.255.255")


def is_allowed(address: str) -> bool:
    """Whether it is an address, and leads neither to this machine nor to its link."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return not any(_is_special(one) for one in (found, *_carried(found)))


def _is_special(address: IPv4Address | IPv6Address) -> bool:
    return (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address == BROADCAST
    )


def _carried(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses in one of IPv6."""
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if any(address in network for network in CARRIERS):
        yield IPv4Address(address.packed[-4:])
