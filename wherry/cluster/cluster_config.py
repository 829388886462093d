"""A cluster as its user wants it: `ClusterConfig`, whose fields declare the settings of a cluster."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from wherry.cluster.catalog import AGENT, SERVER, SUPERVISOR
from wherry.cluster.declared import setting
from wherry.cluster.values import (
    CONTAINERD,
    LOG_LEVELS,
    RUNTIMES,
    SIMULATED,
    address_of,
    cidr_of,
    count_of,
    files_of,
    names_of,
    one_of,
    port_of,
    port_range_of,
    seconds_of,
    switches_of,
)

NODE_CIDR_MASK = 24
SWITCH = ("on", "off")
DNS_INDEX = 10
"""Which address of the Services' range the cluster's DNS has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """A cluster as its user wants it: what lies where the server is.

    `runtime` says what pods of this machine run in; with "simulated" it is no node, and nothing needs root.
    `simulated_nodes` stand beside it (0: as many as a template of `simulation` says); `simulation` are files
    of what they are and do (`hollow/files`).
    `api_port` is a TCP port; `api_host` is the address the API server listens on. Ranges are CIDRs;
    the pods of all nodes have their addresses of `pod_cidr`. `node_ports` is an inclusive range.
    `runtime_config` turns API versions off and on, as `wherry.api.serving` says. The two lists of
    admission plugins, by upstream's names, change which of them run. A component that has not
    answered for `watchdog_seconds` is started again, 0 for never.
    """

    name: str = "default"
    api_host: str = setting(
        "127.0.0.1",
        "apiHost",
        address_of,
        (SERVER, AGENT),
        "Address the API server listens on.",
        note="beside the first of `podCIDR`",
    )
    api_port: int = setting(6443, "apiPort", port_of, (SERVER, AGENT), "Port of the API server.")
    pod_cidr: str = setting(
        "10.244.0.0/16",
        "podCIDR",
        cidr_of,
        (SERVER, AGENT),
        "Range of all nodes' pods; each node is given a /24 of it.",
        is_fixed=True,
    )
    service_cidr: str = setting(
        "10.96.0.0/16", "serviceCIDR", cidr_of, (SERVER, AGENT), "Range of ClusterIPs.", is_fixed=True
    )
    node_ports: tuple[int, int] = setting(
        (30000, 32767), "nodePorts", port_range_of, (SERVER,), "Range of node ports."
    )
    cluster_domain: str = setting(
        "cluster.local", "clusterDomain", str, (SERVER, AGENT), "DNS domain of the cluster.", is_fixed=True
    )
    cluster_dns: str = setting(
        "on",
        "clusterDNS",
        one_of(SWITCH),
        (SERVER, AGENT),
        "on: Services have names in the cluster; off: pods ask whom the node asks.",
    )
    runtime_config: Mapping[str, bool] = setting(
        {},
        "runtimeConfig",
        switches_of,
        (SERVER,),
        "API versions to turn off and on, such as api/beta=false,apps/v1beta1=true.",
        default_text="everything on",
        note="see below; `server` has the flag, too",
    )
    enable_admission_plugins: tuple[str, ...] = setting(
        (),
        "enableAdmissionPlugins",
        names_of,
        (SERVER,),
        "Plugins that run beside the default ones: AlwaysPullImages, DenyServiceExternalIPs.",
    )
    disable_admission_plugins: tuple[str, ...] = setting(
        (),
        "disableAdmissionPlugins",
        names_of,
        (SERVER,),
        "Default plugins that do not run, by upstream's names, such as PodSecurity,ResourceQuota.",
    )
    log_level: str = setting(
        "INFO", "logLevel", one_of(LOG_LEVELS), (SERVER, AGENT), "DEBUG, INFO, WARNING or ERROR."
    )
    watchdog_seconds: int = setting(
        30,
        "watchdogSeconds",
        seconds_of,
        (SUPERVISOR,),
        "A component that is stuck for so long is started again; 0 for never.",
        note="5-3600",
    )
    runtime: str = setting(
        CONTAINERD,
        "runtime",
        one_of(RUNTIMES),
        (SERVER,),
        "containerd, or simulated: nodes and pods in the API only; needs no root.",
        is_fixed=True,
        default_text="`containerd`; `simulated` without root or without containerd and runc",
        note="[simulated nodes](simulated-nodes.md)",
    )
    simulated_nodes: int = setting(
        0,
        "simulatedNodes",
        count_of,
        (SERVER,),
        "How many simulated nodes there are, beside the real one if there is one.",
        flag="--nodes",
        default_text="`0`; `1` where the runtime is `simulated`",
        note="0-8192; nodes above a new number are deleted, with their pods; 0: as `simulation` says",
    )
    simulation: tuple[str, ...] = setting(
        (),
        "simulation",
        files_of,
        (SERVER,),
        "Files of kind Nodes, Outcome and KWOK's Stage.",
        is_repeated=True,
    )

    @property
    def is_simulated(self) -> bool:
        """Whether all of its nodes are simulated: nothing of it concerns this machine but its processes."""
        return self.runtime == SIMULATED

    @property
    def server_url(self) -> str:
        """Where clients on this machine reach the API server."""
        host = "127.0.0.1" if self.api_host in ("0.0.0.0", "::") else self.api_host  # noqa: S104
        return f"https://{f'[{host}]' if ':' in host else host}:{self.api_port}"

    @property
    def server_address(self) -> str:
        """Where pods reach the API server, on whichever node they are: the first address of all pods' range.

        It is the gateway of the first node's pods. No pod is ever given it.
        """
        return str(next(ipaddress.ip_network(self.pod_cidr).hosts()))

    @property
    def dns_address(self) -> str:
        """The ClusterIP of the cluster's DNS, the tenth of the range as upstream; "" where there is none."""
        if self.cluster_dns == "off" or self.is_simulated:
            return ""
        return str(ipaddress.ip_network(self.service_cidr)[DNS_INDEX])

    @property
    def node_cidr_mask(self) -> int:
        """How long the prefix of a node's part of the pods' range is; upstream's `--node-cidr-mask-size`."""
        return max(NODE_CIDR_MASK, ipaddress.ip_network(self.pod_cidr).prefixlen)

    @property
    def is_for_this_machine(self) -> bool:
        """Whether the API server can be reached from this machine (and its pods) alone."""
        return ipaddress.ip_address(self.api_host).is_loopback

    @property
    def context(self) -> str:
        """The kubeconfig context of this cluster."""
        return f"wherry-{self.name}"
