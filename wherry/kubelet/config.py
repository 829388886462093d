"""What one node agent is told about itself: `KubeletConfig`.

Everything two agents on one machine would otherwise fight over (directories, ports, cgroups, names)
is here, so two clusters can share a machine and a test can run an agent below a temporary directory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

KUBELET_VERSION = "v1.37.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeletConfig:
    """A node agent's settings.

    `node_ip` is the node's address when the agent starts; it may move later (`Kubelet.move_to`).
    `root_dir` holds what pods need between restarts of the agent (volumes, hosts files, termination
    messages), `log_dir` the containers' logs. `cgroup_root` is the cgroup below which pods live,
    `/kubepods-<cluster>`; `cgroup_mount` is where the machine shows its cgroups. Times are in seconds,
    sizes in bytes. `eviction_*` are the amounts or shares of which at least so much must be left: with less
    the node reports pressure and evicts pods. Unused images older than `image_least_age_s` go when the disk
    is used to more than `image_gc_high_percent`, until it is to `image_gc_low_percent`.
    `apparmor` tells whether the machine enforces its profiles; `allowed_unsafe_sysctls` are parameters (or
    beginnings, ending in `*`) pods may set beside the safe ones. `restrict_oom_score` tells that the kernel
    does not let the agent protect processes from being killed.
    """

    node_name: str
    node_ip: str
    root_dir: Path
    log_dir: Path
    hostname: str = ""
    port: int = 10250
    cluster_domain: str = "cluster.local"
    cluster_dns: Sequence[str] = ()
    cgroup_root: str = "/kubepods"
    cgroup_mount: Path = Path("/sys/fs/cgroup")
    resolv_conf: Path | None = Path("/etc/resolv.conf")
    """What pods' names are resolved by, or beside the cluster's DNS; None for nothing of the node's."""
    hosts_file: Path = Path("/etc/hosts")
    proc_dir: Path = Path("/proc")
    max_pods: int = 110
    pod_pids_limit: int = -1
    register_labels: Mapping[str, str] = field(default_factory=dict)
    register_taints: Sequence[Mapping[str, str]] = ()
    provider_id: str = ""
    restrict_oom_score: bool = False
    apparmor: bool = True
    allowed_unsafe_sysctls: Sequence[str] = ()
    lease_period_s: float = 10.0
    status_period_s: float = 300.0
    parallel_pulls: int = 3
    log_max_bytes: int = 10 * 1024 * 1024
    log_max_files: int = 5
    eviction_memory_bytes: int = 100 * 1024 * 1024
    eviction_disk_percent: float = 10.0
    eviction_inodes_percent: float = 5.0
    eviction_image_disk_percent: float = 15.0
    eviction_pids: int = 100
    image_gc_high_percent: float = 85.0
    image_gc_low_percent: float = 80.0
    image_least_age_s: float = 120.0
    reserved_cpu_millis: int = 0
    reserved_memory_bytes: int = 0
    is_standalone: bool = False
    """Whether there is no API server at all: static pods are all that runs, and nobody is told of them."""
    static_pod_path: Path | None = None
    """A folder of manifests of static pods, or one manifest."""
    static_pod_url: str = ""
    static_pod_url_header: Mapping[str, Sequence[str]] = field(default_factory=dict)
    file_check_s: float = 20.0
    http_check_s: float = 20.0

    def pod_dir(self, uid: str) -> Path:
        """Where everything of one pod lives."""
        return self.root_dir / "pods" / uid

    def pod_log_dir(self, namespace: str, name: str, uid: str) -> Path:
        """Where the logs of a pod's containers live, as upstream lays them out."""
        return self.log_dir / f"{namespace}_{name}_{uid}"
