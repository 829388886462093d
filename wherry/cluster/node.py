"""What of this machine belongs to one node: its containerd, network and rules, by its names.

Both who runs it (`agent`) and who takes it down (`teardown`) derive everything from here, so what one
makes the other finds, also after the maker was killed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wherry.cluster.names import NodeNames, OldNames
from wherry.cluster.node_config import NodeConfig
from wherry.cluster.paths import ClusterPaths, NodePaths, has_old_node, old_node_paths
from wherry.kit.clock import Clock
from wherry.kubelet.registries.registries import NONE, Registries
from wherry.kubelet.runtimes.containerd.config import ContainerdPaths
from wherry.kubelet.runtimes.containerd.daemon import ContainerdDaemon
from wherry.kubelet.runtimes.containerd.facts import MachineFacts
from wherry.network.cni import PodNetwork
from wherry.network.ground import Ground, Plan
from wherry.network.keeper import RuleKeeper
from wherry.proxy.backends.base import NodeNetwork
from wherry.proxy.backends.nftables_rules import CANARY
from wherry.proxy.catalog import ChosenBackend


@dataclass(frozen=True, slots=True)
class Node:
    """The parts of this machine that belong to one node."""

    names: NodeNames
    paths: NodePaths

    @classmethod
    def of(cls, cluster: str, name: str, paths: ClusterPaths) -> Node:
        """The node `name` of the cluster with these paths."""
        names = NodeNames(cluster, name)
        return cls(names, paths.node(names))

    def note(self) -> None:
        """Write down beside its sockets what it is, so that it is found without its data. Raises OSError."""
        note = self.paths.note
        note.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
        partial = note.with_suffix(".partial")
        partial.write_text(json.dumps({"node": self.names.node, "data": str(self.paths.data)}))
        partial.replace(note)

    @property
    def ground(self) -> Ground:
        """Where its pods' network is laid."""
        return Ground(
            name=self.names.network,
            bridge=self.names.bridge,
            metric=self.names.metric,
            last_metric=self.names.last_metric,
            directory=self.paths.cni,
            record=self.paths.network,
        )

    @property
    def containerd(self) -> ContainerdPaths:
        """Where its containerd keeps its things."""
        return ContainerdPaths(
            root=self.paths.containerd,
            state=self.paths.containerd_run,
            cni_conf_dir=self.ground.conf_dir,
            log_file=self.paths.containerd_log,
        )

    def daemon(self, facts: MachineFacts, clock: Clock, registries: Registries = NONE) -> ContainerdDaemon:
        """Its containerd, which pulls images from `registries`."""
        ground = self.ground
        return ContainerdDaemon(
            self.containerd,
            facts,
            clock,
            addresses=ground.addresses,
            cgroup_root=self.names.cgroup_root,
            registries=registries,
        )

    def rule_keeper(
        self, network: PodNetwork, facts: MachineFacts, clock: Clock, on_removed: Callable[[], None]
    ) -> RuleKeeper:
        """Who puts the network's rules back when others took them away, and tells `on_removed` of it."""
        return RuleKeeper(network, facts.cni_bin_dir, clock, on_removed, (CANARY,))

    def backend(
        self,
        mode: str,
        cluster_cidr: str,
        service_cidr: str,
        server_ports: tuple[int, ...],
        dns_address: str = "",
    ) -> ChosenBackend:
        """Its rules for services, of the proxy mode `mode`."""
        return ChosenBackend(
            mode,
            NodeNetwork(
                owner=self.names.owner,
                cluster_cidr=cluster_cidr,
                service_cidr=service_cidr,
                server_ports=server_ports,
                own_ips=(dns_address,) if dns_address else (),
            ),
        )


def plan_of(config: NodeConfig, pod_cidr: str) -> Plan:
    """How the network of the node `config` is laid when its part of the pods' range is `pod_cidr`."""
    return Plan(
        pod_cidr=pod_cidr,
        cluster_cidr=config.cluster_cidr,
        service_cidr=config.service_cidr,
        server_address=config.server_address,
        dns_address=config.dns_address,
        server_ports=config.server_ports,
    )


def old_node(cluster: str, paths: ClusterPaths) -> Node:
    """The only node of a cluster that was made when a cluster and its node were one."""
    return Node(OldNames(cluster, ""), old_node_paths(paths))


def nodes_here(cluster: str, paths: ClusterPaths) -> list[Node]:
    """Every node of the cluster that was made on this machine, also where its data was removed since."""
    found = [old_node(cluster, paths)] if has_old_node(paths) else []
    nodes = {noted.names.node: noted for noted in _noted(cluster, paths)}
    if paths.nodes.is_dir():
        nodes |= {entry.name: Node.of(cluster, entry.name, paths) for entry in paths.nodes.iterdir()}
    return [*found, *(nodes[name] for name in sorted(nodes))]


def _noted(cluster: str, paths: ClusterPaths) -> list[Node]:
    notes = [(note.parent, json.loads(note.read_text())) for note in paths.node_notes()]
    return [
        Node(NodeNames(cluster, written["node"]), NodePaths(Path(written["data"]), run))
        for run, written in notes
    ]
