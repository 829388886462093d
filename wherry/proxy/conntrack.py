"""Connections the kernel remembers towards endpoints that are gone.

TCP notices by itself; a UDP flow would go on to a dead pod as long as packets keep coming, so the
entries of removed UDP endpoints (and of services that had none before) are deleted, as upstream does.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from wherry.network.tool import ToolRefused, run_tool
from wherry.proxy.model import ServicePort

log = logging.getLogger(__name__)


def plan_flushes(old: Sequence[ServicePort], new: Sequence[ServicePort]) -> list[list[str]]:
    """Arguments of the `conntrack -D` calls that forget stale UDP flows."""
    before = {port.name: port for port in old if port.protocol == "UDP"}
    after = {port.name: port for port in new if port.protocol == "UDP"}
    calls: list[list[str]] = []
    for name, port in before.items():
        current = after.get(name)
        kept = set(current.cluster) if current is not None else set()
        ways_now = _ways_in(current) if current is not None else []
        calls += [
            [*way, "--dst-nat", endpoint.ip]
            for endpoint in port.cluster
            for way in _ways_in(port)
            if endpoint not in kept or way not in ways_now
        ]
    for name, port in after.items():
        earlier = before.get(name)
        if port.cluster and (earlier is None or not earlier.cluster):
            # Flows from before there were endpoints went nowhere, and would go on doing so.
            calls += _ways_in(port)
    return calls


def _ways_in(port: ServicePort) -> list[list[str]]:
    """What flows to the Service were first addressed to, as conntrack's arguments."""
    addresses = (port.cluster_ip, *port.external_ips, *port.load_balancer_ips)
    ways = [["--orig-dst", address] for address in addresses]
    return [*ways, ["--orig-port-dst", str(port.node_port)]] if port.node_port else ways


async def flush(arguments: Sequence[str]) -> None:
    """Run one of the deletions. One that is refused is logged: the flows then end by their own timeout.

    Raises NetworkFailure when conntrack could not be run.
    """
    try:
        await run_tool("conntrack", "-D", "-p", "udp", *arguments)
    except ToolRefused as error:
        if "0 flow entries" not in error.complaint:
            log.warning("%s", error)
