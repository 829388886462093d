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
from dataclasses import dataclass
from pathlib import Path

from wherry.network.tool import NetworkFailure, run_tool

SYSCTL = Path("/proc/sys")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """The pods' bridge of one node.

    `pod_cidr` is the node's part of `cluster_cidr`. `metric` and `last_metric` are those of its routes, no
    other node's on the machine. `server_address`, where pods reach the API server, is this machine's; ""
    where it is another's.
    """

    name: str
    pod_cidr: str
    cluster_cidr: str
    service_cidr: str
    metric: int
    last_metric: int
    server_address: str = ""

    @property
    def gateway(self) -> str:
        """The node's address on the bridge, with the prefix length."""
        network = ipaddress.ip_network(self.pod_cidr)
        return f"{next(network.hosts())}/{network.prefixlen}"

    @property
    def _refused(self) -> tuple[str, ...]:
        """The ranges that are to end here."""
        return (self.cluster_cidr, self.service_cidr)

    async def ensure(self) -> None:
        """Make bridge, address and routes, as far as they are missing. Raises NetworkFailure."""
        name, metric = self.name, self.metric
        steps = [] if _is_there(name) else [f"link add {name} type bridge"]
        steps += [f"addr replace {self.gateway} dev {name}", f"link set {name} up"]
        steps.append(f"route replace {self.service_cidr} dev {name} metric {metric}")
        if self.server_address and self.server_address != self.gateway.partition("/")[0]:
            # Not an address of the bridge: the CNI plugin wants no second one there.
            steps.append(f"route replace local {self.server_address} dev {name} metric {metric}")
        steps += [
            f"route replace unreachable {network} metric {self.last_metric}" for network in self._refused
        ]
        await run_tool("ip", "-batch", "-", stdin="\n".join([*steps, ""]))
        self._set_switches()

    async def remove(self) -> None:
        """Take away what `ensure` made, and the veths left on the bridge."""
        if _is_there(self.name):
            for port in json.loads(await _ip("-j", "link", "show", "master", self.name) or "[]"):
                if port.get("ifname"):
                    await _ip("link", "del", port["ifname"])
            await _ip("link", "del", self.name)
        for network in self._refused:
            route = ("unreachable", network, "metric", str(self.last_metric))
            if json.loads(await _ip("-j", "route", "show", "type", *route) or "[]"):
                await _ip("route", "del", *route)

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
