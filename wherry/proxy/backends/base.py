"""The protocol of a proxy backend, and what all of them must know about their node."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Protocol

from wherry.proxy.model import Model, ServicePort

OWN_SERVICE = "kube-system/kube-dns"
"""Whose ClusterIP nodes answer at themselves."""


class BackendError(Exception):
    """The kernel (or its tool) refused; the message holds what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeNetwork:
    """The node's side of the cluster's network.

    `owner` tells the rules of nodes on one machine apart; the pods of all nodes have addresses of
    `cluster_cidr`. `server_ports` are TCP ports of the node that no service may take over, such as the
    kubelet's. `own_ips` are ClusterIPs the node answers at itself: what goes there is left alone.
    """

    owner: str
    cluster_cidr: str
    service_cidr: str
    server_ports: tuple[int, ...] = ()
    own_ips: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        """Six letters or digits that stand for the owner in names of chains and tables."""
        return hashlib.sha256(self.owner.encode()).hexdigest()[:6].upper()


def is_answered_here(port: ServicePort, network: NodeNetwork) -> bool:
    """Whether the node itself answers at the ClusterIP: rules would lead away from it.

    Of another Service, which had the address before, they have to.
    """
    return port.cluster_ip in network.own_ips and port.name.partition(":")[0] == OWN_SERVICE


def foreign(addresses: Iterable[str], network: NodeNetwork) -> list[str]:
    """The addresses that are none of the cluster's own: no external one takes those over (CVE-2020-8554)."""
    own = [IPv4Network(cidr) for cidr in (network.service_cidr, network.cluster_cidr)]
    return [address for address in addresses if not any(IPv4Address(address) in cidr for cidr in own)]


class Backend(Protocol):
    """Keeps the kernel's rules equal to a model. Every method raises BackendError."""

    async def apply(self, model: Model, changed: Collection[str]) -> None:
        """Make the rules what `model` says, in one step: no packet sees half of it.

        `changed` are the keys of the Services that differ from what the last `apply` was given that did not
        raise, so that one change costs little whatever the number of Services.
        """
        ...

    async def is_intact(self) -> bool:
        """Whether what the last `apply` put there still stands; if not, the next one puts all anew.

        To be cheap whatever the number of rules: it is asked again and again.
        """
        ...

    async def remove(self) -> None:
        """Take back every rule of this node, also those of a process that was killed."""
        ...
