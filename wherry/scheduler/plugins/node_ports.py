"""NodePorts: two pods on one node cannot have the same port of the host."""

from __future__ import annotations

from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Rejection, nobody
from wherry.scheduler.table import NodeTable

ANY = "0.0.0.0"  # noqa: S104 - compared, never bound


class NodePorts:
    """Rejects nodes where a wanted (address, protocol, port) is in use; 0.0.0.0 collides with all."""

    name = "NodePorts"

    def filter(self, pod: PodFacts, nodes: NodeTable) -> list[Rejection]:
        """See `FilterPlugin.filter`."""
        if not pod.host_ports:
            return []
        taken = nobody(nodes)
        for address, protocol, number in pod.host_ports:
            for row, used in nodes.port_users.get((protocol, number), {}).items():
                if address == ANY or ANY in used or address in used:
                    taken[row] = True
        reason = "node(s) didn't have free ports for the requested pod ports"
        return [Rejection(taken, reason, resolvable=True)] if taken.any() else []
