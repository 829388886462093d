"""The networks this machine already reaches: its IPv4 routes."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path

RTF_REJECT = 0x200
"""Flag of a route that refuses (linux/route.h)."""

Route = tuple[str, ipaddress.IPv4Network]
"""An interface and what is reached by it."""


def read_routes() -> list[Route]:
    """The machine's IPv4 routes, those that only refuse left out."""
    routes = []
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        interface, destination, _, flags, _, _, _, mask, *_ = line.split()
        if int(flags, 16) & RTF_REJECT:
            continue
        address = int.from_bytes(bytes.fromhex(destination)[::-1])
        length = int.from_bytes(bytes.fromhex(mask)[::-1]).bit_count()
        routes.append((interface, ipaddress.IPv4Network((address, length))))
    return routes


def overlapping_route(wanted: ipaddress.IPv4Network, routes: Sequence[Route]) -> str:
    """The first route (not the default one) that overlaps `wanted`, as `network on interface`."""
    for interface, network in routes:
        if network.prefixlen > 0 and network.overlaps(wanted):
            return f"{network} on {interface}"
    return ""
