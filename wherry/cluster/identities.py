"""Every certificate of a cluster, by whom it is for: the one list of who may claim to be what.

Upstream's user and group names throughout, so that its RBAC rules and other people's tools fit. Each part
has an identity of its own with upstream's least rights (`apiserver/bootstrap`); only the administrator's may
do everything. Those of clients are written as kubeconfigs, too: with one a part runs alone, here or
elsewhere.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wherry.cluster.catalog import Scope
from wherry.cluster.cluster_config import ClusterConfig
from wherry.cluster.config import Setup
from wherry.cluster.leaves import CLUSTER_AUTHORITY, KeyPair, Subject, is_known_current, note_current
from wherry.cluster.paths import ClusterPaths

MASTERS = "system:masters"
NODES = "system:nodes"
KUBELET_CLIENT = "kube-apiserver-kubelet-client"
FRONT_PROXY_AUTHORITY = "front-proxy-ca"
LOCAL = ("localhost", "127.0.0.1")


def first_service_ip(config: ClusterConfig) -> str:
    """The ClusterIP of the `kubernetes` service."""
    return str(next(ipaddress.ip_network(config.service_cidr).hosts()))


def server_names(setup: Setup, node_ip: str) -> tuple[str, ...]:
    """The names and addresses the API server answers to."""
    config = setup.cluster
    extra = () if config.api_host in ("0.0.0.0", "::") else (config.api_host,)  # noqa: S104
    return (
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        f"kubernetes.default.svc.{config.cluster_domain}",
        *LOCAL,
        setup.node.name,
        node_ip,
        first_service_ip(config),
        config.server_address,
        *extra,
    )


def node_names(setup: Setup, node_ip: str) -> tuple[str, ...]:
    """The names and addresses the node's kubelet answers to."""
    return (*LOCAL, setup.node.name, node_ip)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a certificate is for.

    `user` is the user name and `groups` the groups, `stem` the file's name without its ending; in both
    `{node}` stands for the node's name. `hosts` gives the names and addresses a server answers to, from setup
    and the node's address; without it the certificate is for a client only. `authority` signs it. A client of
    the API server `has_kubeconfig`.
    """

    name: str
    stem: str
    user: str
    groups: tuple[str, ...] = ()
    scope: Scope = Scope.CLUSTER
    hosts: Callable[[Setup, str], tuple[str, ...]] | None = None
    authority: str = CLUSTER_AUTHORITY
    has_kubeconfig: bool = False


API_SERVER = Identity(name="apiserver", stem="apiserver", user="kube-apiserver", hosts=server_names)
API_SERVER_TO_KUBELETS = Identity(
    # In no group: kubelets know it by name.
    name="apiserver-kubelet-client",
    stem="apiserver-kubelet-client",
    user=KUBELET_CLIENT,
)
FRONT_PROXY = Identity(
    # To this API server, and to kubelets, it is nobody: another authority signs it.
    name="front-proxy-client",
    stem="front-proxy-client",
    user="front-proxy-client",
    authority=FRONT_PROXY_AUTHORITY,
)
ADMIN = Identity(name="admin", stem="admin", user="kubernetes-admin", groups=(MASTERS,))
CONTROLLERS = Identity(
    name="controllers", stem="controllers", user="system:kube-controller-manager", has_kubeconfig=True
)
SCHEDULER = Identity(name="scheduler", stem="scheduler", user="system:kube-scheduler", has_kubeconfig=True)
KUBELET = Identity(
    name="kubelet",
    stem="node-{node}",
    user="system:node:{node}",
    groups=(NODES,),
    scope=Scope.NODE,
    has_kubeconfig=True,
)
KUBELET_SERVER = Identity(
    name="kubelet-server",
    stem="kubelet-{node}",
    user="system:node:{node}",
    groups=(NODES,),
    scope=Scope.NODE,
    hosts=node_names,
)
PROXY = Identity(name="proxy", stem="proxy", user="system:kube-proxy", scope=Scope.NODE, has_kubeconfig=True)
DNS = Identity(name="dns", stem="dns", user="system:coredns", scope=Scope.NODE, has_kubeconfig=True)

IDENTITIES = (
    API_SERVER,
    API_SERVER_TO_KUBELETS,
    FRONT_PROXY,
    ADMIN,
    CONTROLLERS,
    SCHEDULER,
    KUBELET,
    KUBELET_SERVER,
    PROXY,
    DNS,
)


@dataclass(frozen=True, slots=True)
class Identities:
    """Where the keys of one cluster lie, whether they are there or not."""

    directory: Path
    node: str

    def of(self, identity: Identity) -> KeyPair:
        """The key pair of one identity."""
        return self._pair(self.stem(identity))

    def stem(self, identity: Identity) -> str:
        """The name of its files, without their endings."""
        return identity.stem.format(node=self.node)

    @property
    def authority(self) -> KeyPair:
        """The cluster's authority."""
        return self._pair(CLUSTER_AUTHORITY)

    @property
    def front_proxy_authority(self) -> KeyPair:
        """Who signs what the API server shows to extension servers."""
        return self._pair(FRONT_PROXY_AUTHORITY)

    @property
    def tokens_key(self) -> Path:
        """What signs service-account tokens."""
        return self.directory / "service-accounts.key"

    def _pair(self, stem: str) -> KeyPair:
        return KeyPair(self.directory / f"{stem}.crt", self.directory / f"{stem}.key")


def find_identities(setup: Setup, paths: ClusterPaths) -> Identities:
    """Where they lie, whether they are there or not."""
    return Identities(paths.pki, setup.node.name)


def wanted_identities(setup: Setup) -> tuple[Identity, ...]:
    """Those the cluster needs: without a node with containers none of its."""
    scopes = (Scope.CLUSTER,) if setup.cluster.is_simulated else (Scope.CLUSTER, Scope.NODE)
    return tuple(identity for identity in IDENTITIES if identity.scope in scopes)


def ensure_identities(
    setup: Setup, paths: ClusterPaths, node_ip: str, now: datetime, *, lasts: bool = True
) -> Identities:
    """Make what is missing or stale. The node must have its name; `node_ip` is its address now.

    Unless they shall `last` longer than this process, nothing waits for the disk.
    """
    found = find_identities(setup, paths)
    subjects = {
        found.stem(identity): Subject(
            common_name=identity.user.format(node=setup.node.name),
            organizations=identity.groups,
            hosts=identity.hosts(setup, node_ip) if identity.hosts is not None else (),
            authority=identity.authority,
        )
        for identity in wanted_identities(setup)
    }
    if found.tokens_key.exists() and is_known_current(paths.pki, subjects, now):
        return found
    # Imported here: who finds everything in order need not pay for the library that makes certificates.
    from wherry.cluster.pki import Pki

    pki = Pki(paths.pki, now, lasts=lasts)
    ends = [pki.current_until(pki.leaf(stem, subject)) for stem, subject in subjects.items()]
    pki.signing_key(found.tokens_key.stem)
    if lasts:
        note_current(paths.pki, subjects, min(ends))
    return found
