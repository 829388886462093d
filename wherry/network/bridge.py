"""The node's side of the pod network: bridge, routes and kernel switches.

The bridge is made before the first pod, so that the API server is reachable at its address among the pods'
from the start, and all ranges have a route that is not the uplink: the node's own lies on the bridge, the
service range is routed there too (a connection to it is translated on its way out, one to an unused address
is refused by the proxy's rules). Unreachable routes stand behind the cluster's ranges, for what is nobody's
and for the moments when the bridge is away.
"""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from wherry.network.tool import NetworkFailure, ToolRefused, run_tool

SYSCTL = Path("/proc/sys")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """The pods' bridge of one node.

    `pod_cidr` is the node's part of `cluster_cidr`. `metric` and `last_metric` are those of its routes, no
    other node's on the machine. `server_address`, where pods reach the API server, is this machine's; ""
    where it is another's. `dns_address` is this node's, too, though it is a Service's; "" for none.
    """

    name: str
    pod_cidr: str
    cluster_cidr: str
    service_cidr: str
    metric: int
    last_metric: int
    server_address: str = ""
    dns_address: str = ""

    @property
    def gateway(self) -> str:
        """The node's address on the bridge, with the prefix length."""
        network = ipaddress.ip_network(self.pod_cidr)
        return f"{next(network.hosts())}/{network.prefixlen}"

    async def ensure(self) -> None:
        """Make bridge, address and routes, as far as they are missing. Raises NetworkFailure."""
        name, metric = self.name, self.metric
        steps = [] if _is_there(name) else [f"link add {name} type bridge"]
        steps += [f"addr replace {self.gateway} dev {name}", f"link set {name} up"]
        steps.append(f"route replace {self.service_cidr} dev {name} metric {metric}")
        for address in {self.server_address, self.dns_address} - {"", self.gateway.partition("/")[0]}:
            # Not an address of the bridge: the CNI plugin wants no second one there.
            steps.append(f"route replace local {address} dev {name} metric {metric}")
        steps += [
            f"route replace unreachable {network} metric {self.last_metric}"
            for network in (self.cluster_cidr, self.service_cidr)
        ]
        await run_tool("ip", "-batch", "-", stdin="\n".join([*steps, ""]))
        self._set_switches()

    def _set_switches(self) -> None:
        """Forwarding; translation of bridged traffic; node ports on the loopback address.

        The last two only where the kernel has them: without bridge-nf a pod cannot reach a service
        that leads to a pod on the same node, so that one is an error.
        """
        _write_switch("net/ipv4/ip_forward", "1")
        _write_switch(f"net/ipv4/conf/{self.name}/route_localnet", "1")
        if not (SYSCTL / "net/bridge/bridge-nf-call-iptables").exists():
            raise NetworkFailure("the kernel has no br_netfilter; run: modprobe br_netfilter")
        _write_switch("net/bridge/bridge-nf-call-iptables", "1")


async def remove_bridge(name: str) -> None:
    """Take the bridge away with its routes, and the veths left on it. Raises NetworkFailure."""
    if not _is_there(name):
        return
    for port in json.loads(await _ip("-j", "link", "show", "master", name) or "[]"):
        if port.get("ifname"):
            await _remove(port["ifname"])
    await _remove(name)


async def _remove(interface: str) -> None:
    """Take an interface away; one that went meanwhile, as a veth does with its namespace, is as good."""
    try:
        await _ip("link", "del", interface)
    except ToolRefused:
        if _is_there(interface):
            raise


async def remove_refusals(metric: int, ranges: Collection[str] | None) -> None:
    """Take away the routes of this metric that refuse `ranges` (None: whatever). Raises NetworkFailure."""
    for route in json.loads(await _ip("-j", "route", "show", "type", "unreachable") or "[]"):
        if route.get("metric") == metric and (ranges is None or route["dst"] in ranges):
            await _ip("route", "del", "unreachable", route["dst"], "metric", str(metric))


def _is_there(interface: str) -> bool:
    try:
        socket.if_nametoindex(interface)
    except OSError:
        return False
    return True


def _write_switch(path: str, value: str) -> None:
    file = SYSCTL / path
    try:
        if file.read_text().strip() != value:
            file.write_text(value)
    except OSError as error:
        raise NetworkFailure(f"{file} cannot be set to {value}: {error.strerror}") from error


async def _ip(*arguments: str) -> str:
    return await run_tool("ip", *arguments)
