"""What an agent is told: `NodeConfig`, the node's half of the configuration.

It lies where the agent runs and holds nothing only a server knows. What an agent must know of its cluster
(where the server is, the ranges, the domain) is written into it by whoever joins the two (`Setup`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from wherry.cluster.catalog import AGENT
from wherry.cluster.declared import setting
from wherry.cluster.values import (
    PROXY_MODES,
    kubelet_port_of,
    labels_of,
    node_name_of,
    one_of,
    place_of,
    sysctls_of,
    taints_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """One node of a cluster, on the machine its agent runs on.

    `name` is the Node's ("" until one is chosen). `server` is the URL of the API server, which stands at
    `server_address` among the pods' addresses; with `is_for_this_machine` no other machine reaches it.
    `cluster_cidr` is the range of all nodes' pods. This node answers questions for names at `dns_address`,
    "" for nowhere. `kubelet_port` is a TCP port, `proxy_mode` names a proxy backend. The node registers with
    `labels` and `taints` (written as `key=value:effect`). Pods may set the kernel parameters
    `allowed_unsafe_sysctls` (or all that begin like one ending in `*`) beside the safe ones. `kubelet_config`
    and `kubelet_config_dir` are where its KubeletConfiguration and drop-ins lie ("" for none),
    `credential_provider_config` and `credential_provider_dir` where the programs that give credentials of
    registries are configured, and lie, `registries` the file that says where images are pulled from, `images`
    the folder of archives the node loads when it starts.
    """

    cluster: str = "default"
    name: str = setting(
        "",
        "nodeName",
        node_name_of,
        (AGENT,),
        "Name of this machine's node.",
        attribute="node_name",
        is_fixed=True,
        default_text="the machine's host name; of further clusters their own name",
    )
    server: str = "https://127.0.0.1:6443"
    server_address: str = "10.244.0.1"
    is_for_this_machine: bool = True
    cluster_cidr: str = "10.244.0.0/16"
    service_cidr: str = "10.96.0.0/16"
    cluster_domain: str = "cluster.local"
    dns_address: str = ""
    labels: Mapping[str, str] = setting(
        {},
        "nodeLabels",
        labels_of,
        (AGENT,),
        "Labels this machine's node registers with, such as tier=gold,example.com/rack=7.",
        attribute="node_labels",
        note="a map in a file; a node that is there is given new ones",
    )
    taints: tuple[str, ...] = setting(
        (),
        "nodeTaints",
        taints_of,
        (AGENT,),
        "Taints this machine's node registers with first, such as only=tests:NoSchedule.",
        attribute="node_taints",
        note="only a node that registers anew is given them",
    )
    kubelet_port: int = setting(10250, "kubeletPort", kubelet_port_of, (AGENT,), "Port of the kubelet.")
    proxy_mode: str = setting(
        PROXY_MODES[0],
        "proxyMode",
        one_of(PROXY_MODES),
        (AGENT,),
        "How services are routed: nftables, iptables, or auto for the best this machine can.",
    )
    allowed_unsafe_sysctls: tuple[str, ...] = setting(
        (),
        "allowedUnsafeSysctls",
        sysctls_of,
        (AGENT,),
        "Kernel parameters pods may set beside the safe ones, such as net.core.somaxconn,kernel.msg*.",
    )
    kubelet_config: str = setting(
        "",
        "kubeletConfig",
        place_of,
        (AGENT,),
        "File of kind KubeletConfiguration for this machine's kubelet.",
        note="see [its fields](kubelet.md#configuration)",
    )
    kubelet_config_dir: str = setting(
        "",
        "kubeletConfigDir",
        place_of,
        (AGENT,),
        "Folder whose files called *.conf change what that file says, in order.",
    )
    registries: str = setting(
        "",
        "registries",
        place_of,
        (AGENT,),
        "File of mirrors and credentials of image registries, as k3s has it.",
        note="see [registries](kubelet.md#registries)",
        default_text="/etc/wherry/registries.yaml, if there is one",
    )
    credential_provider_config: str = setting(
        "",
        "imageCredentialProviderConfig",
        place_of,
        (AGENT,),
        "CredentialProviderConfig, or a folder of them: programs that give credentials of image registries.",
        note="see [plug-ins](kubelet.md#credential-provider-plug-ins)",
    )
    credential_provider_dir: str = setting(
        "",
        "imageCredentialProviderBinDir",
        place_of,
        (AGENT,),
        "Folder these programs lie in.",
    )
    images: str = setting(
        "",
        "images",
        place_of,
        (AGENT,),
        "Folder of image archives that are loaded when the node starts.",
        default_text="/etc/wherry/images, if there is one",
    )
    log_level: str = "INFO"

    @property
    def server_ports(self) -> tuple[int, ...]:
        """TCP ports of the machine that are the cluster's own: pods reach them, no service takes them."""
        return (urlsplit(self.server).port or 443, self.kubelet_port)
