"""What an agent is told: `NodeConfig`, the node's half of the configuration.

It lies where the agent runs and holds nothing only a server knows. What an agent must know of its cluster
(where the server is, the ranges, the domain) is written into it by whoever joins the two (`Setup`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """One node of a cluster, on the machine its agent runs on.

    `name` is the Node's ("" until one is chosen). `server` is the URL of the API server, which stands at
    `server_address` among the pods' addresses; with `is_for_this_machine` no other machine reaches it.
    `cluster_cidr` is the range of all nodes' pods. `kubelet_port` is a TCP port, `proxy_mode` names a proxy
    backend. The node registers with `labels` and `taints` (written as `key=value:effect`). Pods may set the
    kernel parameters `allowed_unsafe_sysctls` (or all that begin like one ending in
    `*`) beside the safe ones.
    """

    cluster: str = "default"
    name: str = ""
    server: str = "https://127.0.0.1:6443"
    server_address: str = "10.244.0.1"
    is_for_this_machine: bool = True
    cluster_cidr: str = "10.244.0.0/16"
    service_cidr: str = "10.96.0.0/16"
    cluster_domain: str = "cluster.local"
    kubelet_port: int = 10250
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[str, ...] = ()
    proxy_mode: str = "iptables"
    allowed_unsafe_sysctls: tuple[str, ...] = ()
    log_level: str = "INFO"

    @property
    def server_ports(self) -> tuple[int, ...]:
        """TCP ports of the machine that are the cluster's own: pods reach them, no service takes them."""
        return (urlsplit(self.server).port or 443, self.kubelet_port)
