"""Every certificate of a cluster, by whom it is for: the one list of who may claim to be what.

Upstream's user and group names throughout, so that its RBAC rules and other people's tools fit.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wherry.cluster.config import ClusterConfig
from wherry.cluster.paths import ClusterPaths
from wherry.cluster.pki import KeyPair, Pki, Subject

MASTERS = "system:masters"
NODES = "system:nodes"
KUBELET_CLIENT = "kube-apiserver-kubelet-client"


@dataclass(frozen=True, slots=True)
class Identities:
    """The key pairs of one cluster; `tokens_key` signs service-account tokens."""

    authority: KeyPair
    api_server: KeyPair
    kubelet_client: KeyPair
    admin: KeyPair
    node_client: KeyPair
    node_server: KeyPair
    tokens_key: Path


def pod_gateway(config: ClusterConfig) -> str:
    """The node's address on the pods' bridge, where pods reach the API server."""
    return str(next(ipaddress.ip_network(config.pod_cidr).hosts()))


def first_service_ip(config: ClusterConfig) -> str:
    """The ClusterIP of the `kubernetes` service."""
    return str(next(ipaddress.ip_network(config.service_cidr).hosts()))


def ensure_identities(config: ClusterConfig, paths: ClusterPaths, node_ip: str, now: datetime) -> Identities:
    """Make what is missing or stale; `config.node_name` must be set."""
    pki = Pki(paths.pki, now)
    node = config.node_name
    local = ("localhost", "127.0.0.1")
    extra = () if config.api_host in ("0.0.0.0", "::") else (config.api_host,)  # noqa: S104
    server_names = (
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        f"kubernetes.default.svc.{config.cluster_domain}",
        *local,
        node,
        node_ip,
        first_service_ip(config),
        pod_gateway(config),
        *extra,
    )
    return Identities(
        authority=pki.authority,
        api_server=pki.leaf("apiserver", Subject(common_name="kube-apiserver", hosts=server_names)),
        kubelet_client=pki.leaf(
            "apiserver-kubelet-client", Subject(common_name=KUBELET_CLIENT, organizations=(MASTERS,))
        ),
        admin=pki.leaf("admin", Subject(common_name="kubernetes-admin", organizations=(MASTERS,))),
        node_client=pki.leaf(
            f"node-{node}", Subject(common_name=f"system:node:{node}", organizations=(NODES,))
        ),
        node_server=pki.leaf(
            f"kubelet-{node}",
            Subject(common_name=f"system:node:{node}", organizations=(NODES,), hosts=(*local, node, node_ip)),
        ),
        tokens_key=pki.signing_key("service-accounts"),
    )
