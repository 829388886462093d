"""Where a cluster and each of its nodes keep their things: every path, derived from two roots.

The data directory survives reboots (store, keys, containers' root); the run directory does not
(sockets, pid files). Nothing else in the package spells out a path.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wherry.cluster.names import NodeNames

DATA_ROOT = Path("/var/lib/wherry")
RUN_ROOT = Path("/run/wherry")
NODE_NOTE = "node.json"


@dataclass(frozen=True, slots=True)
class ClusterPaths:
    """The files and directories of one cluster."""

    data: Path
    run: Path

    @classmethod
    def of(cls, name: str, data_dir: Path | None = None, run_root: Path = RUN_ROOT) -> ClusterPaths:
        """The paths of the cluster `name`; `data_dir` overrides where its data lies."""
        return cls(data_dir or DATA_ROOT / name, run_root / name)

    @property
    def config(self) -> Path:
        """The effective configuration, written by `up` and read by every later command."""
        return self.data / "cluster.yaml"

    @property
    def data_entries(self) -> tuple[Path, ...]:
        """Everything that is made directly in the data directory; nothing else there is the cluster's.

        The configuration, by which the directory is known to be a cluster's, stands last.
        """
        directories = (self.store.parent, self.pki, self.logs, self.nodes, self.been_ready, self.kubeconfigs)
        return (
            *directories,
            self.simulation,
            *old_node_paths(self).entries,
            self.admin_kubeconfig,
            self.noted_kubeconfigs,
            self.config,
        )

    @property
    def store(self) -> Path:
        return self.data / "store" / "store.db"

    @property
    def pki(self) -> Path:
        return self.data / "pki"

    @property
    def admin_kubeconfig(self) -> Path:
        """A kubeconfig of the cluster's own, beside the one merged into the user's."""
        return self.data / "admin.kubeconfig"

    @property
    def noted_kubeconfigs(self) -> Path:
        """Where it is written down which users' files the cluster's context was put into."""
        return self.data / "kubeconfigs.json"

    @property
    def kubeconfigs(self) -> Path:
        """A kubeconfig for each part of the cluster that is a client, by its identity's name."""
        return self.data / "kubeconfigs"

    def kubeconfig(self, identity: str) -> Path:
        return self.kubeconfigs / f"{identity}.kubeconfig"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def nodes(self) -> Path:
        """A directory for each node of the cluster that is on this machine, of the node's name."""
        return self.data / "nodes"

    def node(self, names: NodeNames) -> NodePaths:
        """The paths of one node."""
        return NodePaths(self.nodes / names.node, self.run / "nodes" / names.directory)

    def node_notes(self) -> list[Path]:
        """Where nodes of this machine wrote down what they are, since it booted."""
        return sorted((self.run / "nodes").glob(f"*/{NODE_NOTE}"))

    @property
    def simulation(self) -> Path:
        """The files of the simulation, each in a directory called after its digest."""
        return self.data / "simulation"

    @property
    def been_ready(self) -> Path:
        """A file per component that was ready here once: what it needs was there then."""
        return self.data / "been-ready"

    @property
    def supervisor_pid(self) -> Path:
        return self.run / "supervisor.pid"

    def component_pid(self, component: str) -> Path:
        return self.run / f"{component}.pid"

    def pulse_socket(self, component: str) -> Path:
        """Where a component answers as long as its event loop turns."""
        return self.run / f"{component}.pulse"

    def ready_file(self, component: str) -> Path:
        """Written by a component once it is ready, with what it wants to tell (JSON)."""
        return self.run / f"{component}.ready"

    def settings_file(self, component: str) -> Path:
        """Written by a component when it starts: the settings it goes by (JSON)."""
        return self.run / f"{component}.settings"

    def log_file(self, component: str) -> Path:
        return self.logs / f"{component}.log"


@dataclass(frozen=True, slots=True)
class NodePaths:
    """The files and directories of one node, on the machine it runs on."""

    data: Path
    run: Path

    @property
    def kubelet(self) -> Path:
        """The kubelet's root: pods' volumes and plugin state."""
        return self.data / "kubelet"

    @property
    def pod_logs(self) -> Path:
        return self.data / "pod-logs"

    @property
    def containerd(self) -> Path:
        """containerd's persistent root: images, snapshots, metadata."""
        return self.data / "containerd"

    @property
    def note(self) -> Path:
        """What tells which node this is, also when its data is gone."""
        return self.run / NODE_NOTE

    @property
    def containerd_run(self) -> Path:
        return self.run / "containerd"

    @property
    def containerd_log(self) -> Path:
        return self.data / "logs" / "containerd.log"

    @property
    def cni(self) -> Path:
        """CNI configuration and the addresses given out."""
        return self.data / "cni"

    @property
    def network(self) -> Path:
        """The pod network as it was laid last: written before anything of it is made."""
        return self.data / "network.json"

    @property
    def entries(self) -> tuple[Path, ...]:
        """The directories directly in the node's data directory, but for logs."""
        return (self.kubelet, self.pod_logs, self.containerd, self.cni)


def has_old_node(paths: ClusterPaths) -> bool:
    """Whether the cluster's node still lies where it did when a cluster and its node were one."""
    return any(path.exists() for path in old_node_paths(paths).entries)


def old_node_paths(paths: ClusterPaths) -> NodePaths:
    """Where a cluster's only node lay when a cluster and its node were one: in the cluster's directories."""
    return NodePaths(paths.data, paths.run)
