"""What one node agent is told about itself: `KubeletConfig`.

Everything two agents on one machine would otherwise fight over (directories, ports, cgroups, names)
is here, so two clusters can share a machine and a test can run an agent below a temporary directory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from wherry.kit.path_names import one_name
from wherry.kubelet.credential_plugins.config import CredentialProvider
from wherry.kubelet.image_pulls.policy import PRELOADED
from wherry.kubelet.topology.settings import ManagerSettings

KUBELET_VERSION = "v1.37.0"


class Period(NamedTuple):
    """When the machine goes down, pods of this priority and more (up to the next one's) have so long."""

    priority: int
    seconds: int


EVICTION_HARD: Mapping[str, str] = {
    "memory.available": "100Mi",
    "nodefs.available": "10%",
    "nodefs.inodesFree": "5%",
    "imagefs.available": "15%",
    "imagefs.inodesFree": "5%",
    "pid.available": "100",
}
"""Upstream's `DefaultEvictionHard`. That a node is out of process ids has no default there; here it is the
bound under which the node reports PIDPressure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeletConfig:
    """A node agent's settings.

    `node_ip` is the node's address when the agent starts; it may move later (`Kubelet.move_to`).
    `root_dir` holds what pods need between restarts of the agent (volumes, hosts files, termination
    messages), `log_dir` the containers' logs. `cgroup_root` is the cgroup below which pods live,
    `/kubepods-<cluster>`; `cgroup_mount` is where the machine shows its cgroups. Times are in seconds,
    sizes in bytes. `eviction_hard` has amounts or shares (of all there is, in percent) of which at least
    so much must be left: with less the node reports pressure, for `eviction_transition_s` at least, and
    evicts pods. Unused images older than `image_least_age_s` go when the disk is used to more than
    `image_gc_high_percent`, until it is to `image_gc_low_percent`; those nobody used for
    `image_greatest_age_s` (0 for never) go in any case. The node's status is looked at every
    `status_check_s`, and written every `status_period_s` even if it is the same; its lease holds for
    `lease_duration_s`. A container that fails again and again waits for `restart_longest_s` at most.
    `pods_per_core` (0 for any number) and `max_pods` bound the pods. At most `parallel_pulls` images are
    got at once (0 for any number); `status_max_images` are told of (-1 for all).
    `eviction_soft` has more of them, each of which evicts pods when it was met for as long as
    `eviction_soft_grace_s` says, with `eviction_soft_pod_grace_s` to end in; by `eviction_minimum_reclaim`
    more than a threshold must be left until it is met no longer.
    `apparmor` tells whether the machine enforces its profiles; `allowed_unsafe_sysctls` are parameters (or
    beginnings, ending in `*`) pods may set beside the safe ones. `restrict_oom_score` tells that the kernel
    does not let the agent protect processes from being killed.
    """

    node_name: str
    node_ip: str
    root_dir: Path
    log_dir: Path
    hostname: str = ""
    second_ip: str = ""
    """The node's address of the other IP family, "" for none."""
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
    pods_per_core: int = 0
    pod_pids_limit: int = -1
    register_labels: Mapping[str, str] = field(default_factory=dict)
    register_taints: Sequence[Mapping[str, str]] = ()
    provider_id: str = ""
    restrict_oom_score: bool = False
    apparmor: bool = True
    seccomp_default: bool = False
    """Whether containers that say nothing of it run with the runtime's own seccomp profile."""
    allowed_unsafe_sysctls: Sequence[str] = ()
    lease_duration_s: int = 40
    status_check_s: float = 10.0
    status_period_s: float = 300.0
    status_max_images: int = 50
    parallel_pulls: int = 3
    pulls_per_second: int = 5
    """How often registries are asked for images, 0 for as often as need be; at once `pulls_burst` times."""
    pulls_burst: int = 10
    credentials_policy: str = PRELOADED
    """For which images that are there pods must show what they were pulled with, in upstream's words."""
    credentials_allowlist: Sequence[str] = ()
    credential_providers: Sequence[CredentialProvider] = ()
    """The programs that are asked for credentials of registries."""
    restart_longest_s: float = 300.0
    log_max_bytes: int = 10 * 1024 * 1024
    log_max_files: int = 5
    log_check_s: float = 10.0
    eviction_hard: Mapping[str, str] = field(default_factory=lambda: dict(EVICTION_HARD))
    eviction_soft: Mapping[str, str] = field(default_factory=dict)
    eviction_soft_grace_s: Mapping[str, float] = field(default_factory=dict)
    eviction_soft_pod_grace_s: int = 0
    eviction_minimum_reclaim: Mapping[str, str] = field(default_factory=dict)
    eviction_transition_s: float = 300.0
    image_gc_high_percent: float = 85.0
    image_gc_low_percent: float = 80.0
    image_least_age_s: float = 120.0
    image_greatest_age_s: float = 0.0
    reserved_cpu_millis: int = 0
    reserved_memory_bytes: int = 0
    reserved_disk_bytes: int = 0
    managers: ManagerSettings = field(default_factory=ManagerSettings)
    """How processors and memory are given to single containers."""
    shutdown_periods: Sequence[Period] = ()
    """How long pods have when the machine goes down, by priority; empty for no time at all."""
    git_repo_volumes: bool = False
    """Whether gitRepo volumes are allowed: git then runs on the node (in `volumes/git_child`)."""
    quota_monitoring: bool = False
    """Whether file systems with project quotas count what emptyDirs of pods with users of their own hold."""
    ids_per_pod: int = 65536
    """How many users and groups a pod has that has its own (`hostUsers: false`)."""
    is_standalone: bool = False
    """Whether there is no API server at all: static pods are all that runs, and nobody is told of them."""
    static_pod_path: Path | None = None
    """A folder of manifests of static pods, or one manifest."""
    static_pod_url: str = ""
    static_pod_url_header: Mapping[str, Sequence[str]] = field(default_factory=dict)
    serves_plugins: bool = True
    """Whether plug-ins can register, for devices and others: by sockets below `root_dir`."""
    file_check_s: float = 20.0
    http_check_s: float = 20.0

    @property
    def pods_dir(self) -> Path:
        """Where the pods' directories are."""
        return self.root_dir / "pods"

    def pod_dir(self, uid: str) -> Path:
        """Where everything of one pod lives. Raises BadPathName."""
        return self.pods_dir / one_name(uid)

    def pod_log_dir(self, namespace: str, name: str, uid: str) -> Path:
        """Where the logs of a pod's containers live, as upstream lays them out. Raises BadPathName."""
        return self.log_dir / one_name(f"{namespace}_{name}_{uid}")
