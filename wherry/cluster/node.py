"""The node half of a cluster by its configuration: which containerd, network and rules are its own.

Both who runs it (`agent`) and who takes it down (`teardown`) derive everything from here, so what one
makes the other finds, also after the maker was killed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wherry.cluster.node_config import NodeConfig
from wherry.cluster.paths import ClusterPaths
from wherry.kit.clock import Clock
from wherry.kubelet.runtimes.containerd.config import ContainerdPaths
from wherry.kubelet.runtimes.containerd.daemon import ContainerdDaemon
from wherry.kubelet.runtimes.containerd.facts import MachineFacts
from wherry.network.bridge import Bridge
from wherry.network.cni import PodNetwork
from wherry.network.keeper import RuleKeeper
from wherry.proxy.backends.base import NodeNetwork
from wherry.proxy.backends.iptables import IptablesBackend


@dataclass(frozen=True, slots=True)
class Node:
    """The parts of this machine that belong to one cluster."""

    network: PodNetwork
    bridge: Bridge
    containerd: ContainerdPaths
    rules: NodeNetwork
    cgroup_root: str

    def daemon(self, facts: MachineFacts, clock: Clock) -> ContainerdDaemon:
        """The cluster's containerd."""
        return ContainerdDaemon(
            self.containerd, facts, clock, network=self.network, cgroup_root=self.cgroup_root
        )

    def rule_keeper(self, facts: MachineFacts, clock: Clock, on_removed: Callable[[], None]) -> RuleKeeper:
        """Who puts the network's rules back when others took them away, and tells `on_removed` of it."""
        return RuleKeeper(self.network, facts.cni_bin_dir, clock, on_removed)

    def backend(self) -> IptablesBackend:
        """The cluster's rules for services."""
        return IptablesBackend(self.rules)


def node_of(config: NodeConfig, paths: ClusterPaths) -> Node:
    """The node `config`."""
    network = PodNetwork.of(config.cluster, config.cluster_cidr, paths.cni, server_ports=config.server_ports)
    return Node(
        network=network,
        bridge=Bridge(network.bridge, config.cluster_cidr, config.service_cidr),
        containerd=ContainerdPaths(
            root=paths.containerd,
            state=paths.containerd_run,
            cni_conf_dir=network.conf_dir,
            log_file=paths.log_file("containerd"),
        ),
        rules=NodeNetwork(
            cluster=config.cluster,
            pod_cidr=config.cluster_cidr,
            service_cidr=config.service_cidr,
            bridge=network.bridge,
            server_ports=config.server_ports,
        ),
        cgroup_root=f"/kubepods-{config.cluster}",
    )
