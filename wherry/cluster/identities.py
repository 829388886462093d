"""Every certificate of a cluster, by whom it is for: the one list of who may claim to be what.

Upstream's user and group names throughout, so that its RBAC rules and other people's tools fit.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wherry.cluster.config import ClusterConfig, Setup
from wherry.cluster.paths import ClusterPaths

MASTERS = "system:masters"
NODES = "system:nodes"
KUBELET_CLIENT = "kube-apiserver-kubelet-client"
FRONT_PROXY_CLIENT = "front-proxy-client"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The paths of a certificate and its key, both PEM."""

    cert: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Identities:
    """The key pairs of one cluster; `tokens_key` signs service-account tokens."""

    authority: KeyPair
    api_server: KeyPair
    kubelet_client: KeyPair
    front_proxy_authority: KeyPair
    front_proxy_client: KeyPair
    admin: KeyPair
    node_client: KeyPair
    node_server: KeyPair
    tokens_key: Path


def first_service_ip(config: ClusterConfig) -> str:
    """The ClusterIP of the `kubernetes` service."""
    return str(next(ipaddress.ip_network(config.service_cidr).hosts()))


def find_identities(setup: Setup, paths: ClusterPaths) -> Identities:
    """Where they lie, whether they are there or not."""

    def pair(stem: str) -> KeyPair:
        return KeyPair(paths.pki / f"{stem}.crt", paths.pki / f"{stem}.key")

    return Identities(
        authority=pair("ca"),
        api_server=pair("apiserver"),
        kubelet_client=pair("apiserver-kubelet-client"),
        front_proxy_authority=pair("front-proxy-ca"),
        front_proxy_client=pair(FRONT_PROXY_CLIENT),
        admin=pair("admin"),
        node_client=pair(f"node-{setup.node.name}"),
        node_server=pair(f"kubelet-{setup.node.name}"),
        tokens_key=paths.pki / "service-accounts.key",
    )


def ensure_identities(setup: Setup, paths: ClusterPaths, node_ip: str, now: datetime) -> Identities:
    """Make what is missing or stale; The node must have its name. `node_ip` is the node's address now."""
    # Imported here: whoever only reads certificates need not pay for the library that makes them.
    from wherry.cluster.pki import FRONT_PROXY_AUTHORITY, Pki, Subject

    pki = Pki(paths.pki, now)
    config, node, found = setup.cluster, setup.node.name, find_identities(setup, paths)
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
        config.server_address,
        *extra,
    )
    kubelet = f"system:node:{node}"
    of_node = (
        (found.node_client, Subject(common_name=kubelet, organizations=(NODES,))),
        (
            found.node_server,
            Subject(common_name=kubelet, organizations=(NODES,), hosts=(*local, node, node_ip)),
        ),
    )
    for pair, subject in (
        (found.api_server, Subject(common_name="kube-apiserver", hosts=server_names)),
        # In no group: kubelets know it by name.
        (found.kubelet_client, Subject(common_name=KUBELET_CLIENT)),
        # To this API server, and to kubelets, it is nobody: another authority signs it.
        (
            found.front_proxy_client,
            Subject(common_name=FRONT_PROXY_CLIENT, authority=FRONT_PROXY_AUTHORITY),
        ),
        (found.admin, Subject(common_name="kubernetes-admin", organizations=(MASTERS,))),
        *(() if config.is_simulated else of_node),
    ):
        pki.leaf(pair.cert.stem, subject)
    pki.signing_key(found.tokens_key.stem)
    return found
