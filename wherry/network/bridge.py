"""The node's side of the pod network: bridge, routes and kernel switches.

The bridge is made before the first pod, so that the API server is reachable at the pods' gateway
from the start, and both ranges have a route that is not the uplink: the pods' range lies on the
bridge, the service range is routed there too (a connection to it is translated on its way out, one
to an unused address is refused by the proxy's rules). Unreachable routes of the lowest preference
stand behind both, for the moments when the bridge is away.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path

from wherry.network.tool import NetworkFailure, run_tool

LAST_METRIC = 4294967294
SYSCTL = Path("/proc/sys")


@dataclass(frozen=True, slots=True)
class Bridge:
    """The pods' bridge of one cluster. `pod_cidr` is the node's part of the pods' range."""

    name: str
    pod_cidr: str
    service_cidr: str

    @property
    def gateway(self) -> str:
        """The node's address on the bridge, with the prefix length."""
        network = ipaddress.ip_network(self.pod_cidr)
        return f"{next(network.hosts())}/{network.prefixlen}"

    async def ensure(self) -> None:
        """Make bridge, address and routes, as far as they are missing. Raises NetworkFailure."""
        if not Path(f"/sys/class/net/{self.name}").exists():
            await _ip("link", "add", self.name, "type", "bridge")
        await _ip("addr", "replace", self.gateway, "dev", self.name)
        await _ip("link", "set", self.name, "up")
        await _ip("route", "replace", self.service_cidr, "dev", self.name)
        for network in (self.pod_cidr, self.service_cidr):
            await _ip("route", "replace", "unreachable", network, "metric", str(LAST_METRIC))
        self._set_switches()

    async def remove(self) -> None:
        """Take away what `ensure` made, and the veths left on the bridge."""
        if Path(f"/sys/class/net/{self.name}").exists():
            for port in json.loads(await _ip("-j", "link", "show", "master", self.name) or "[]"):
                if port.get("ifname"):
                    await _ip("link", "del", port["ifname"])
            await _ip("link", "del", self.name)
        for network in (self.pod_cidr, self.service_cidr):
            if json.loads(await _ip("-j", "route", "show", "type", "unreachable", network) or "[]"):
                await _ip("route", "del", "unreachable", network, "metric", str(LAST_METRIC))

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


def _write_switch(path: str, value: str) -> None:
    file = SYSCTL / path
    try:
        if file.read_text().strip() != value:
            file.write_text(value)
    except OSError as error:
        raise NetworkFailure(f"{file} cannot be set to {value}: {error.strerror}") from error


async def _ip(*arguments: str) -> str:
    return await run_tool("ip", *arguments)
