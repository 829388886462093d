"""What things of one node are called on its machine: bridge, pod network, cgroups, rules, run directory.

All follow from the cluster's and the node's name, so that whoever takes a node down finds what was made, also
after the maker was killed; and no two nodes of one machine share any, whether of one cluster or of two.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

IFNAMSIZ = 15
"""Characters of an interface's name (linux/if.h)."""
LONGEST_DIRECTORY = 16
"""Of a node's directory for sockets: the longest path of a socket stays below the kernel's 107 bytes."""
LAST_METRIC = 0xFFFFFFFE


@dataclass(frozen=True, slots=True)
class NodeNames:
    """The names of the node `node` of the cluster `cluster`."""

    cluster: str
    node: str

    @property
    def owner(self) -> str:
        """Stands for the node where names are hashed; neither part may hold a `/`."""
        return f"{self.cluster}/{self.node}"

    @property
    def bridge(self) -> str:
        """The pods' bridge; within the 15 characters of an interface."""
        return f"wh-{self.cluster[:6]}-{self._digest()}"

    @property
    def network(self) -> str:
        """The CNI network, which marks its rules and its address records. No cluster's name has a dot."""
        return f"wherry-{self.cluster}.{self.node}"

    @property
    def cgroup_root(self) -> str:
        """The cgroup all pods' cgroups lie below."""
        return f"/kubepods-{self.cluster}.{self.node}"

    @property
    def directory(self) -> str:
        """The node's directory for sockets."""
        return self.node if len(self.node) <= LONGEST_DIRECTORY else f"{self.node[:10]}-{self._digest()}"

    @property
    def metric(self) -> int:
        """The metric of the node's routes: another node's to the same range stand beside them."""
        return 1 + int.from_bytes(hashlib.sha256(self.owner.encode()).digest()[:3])

    @property
    def last_metric(self) -> int:
        """The metric of the routes that refuse what no node of the machine has a way for."""
        return LAST_METRIC - self.metric

    def _digest(self) -> str:
        """Five letters or digits that stand for the node."""
        return base64.b32encode(hashlib.sha256(self.owner.encode()).digest())[:5].decode().lower()


@dataclass(frozen=True, slots=True)
class OldNames(NodeNames):
    """The names of a cluster's only node as they were when a cluster and its node were one."""

    @property
    def owner(self) -> str:
        return self.cluster

    @property
    def bridge(self) -> str:
        name = f"wh-{self.cluster}"
        if len(name) <= IFNAMSIZ:
            return name
        return f"wh-{self.cluster[:6]}-{hashlib.sha256(self.cluster.encode()).hexdigest()[:5]}"

    @property
    def network(self) -> str:
        return f"wherry-{self.cluster}"

    @property
    def cgroup_root(self) -> str:
        return f"/kubepods-{self.cluster}"

    @property
    def metric(self) -> int:
        return 0

    @property
    def last_metric(self) -> int:
        return LAST_METRIC
