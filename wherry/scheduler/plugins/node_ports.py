"""NodePorts: two pods on one node cannot have the same port of the host."""

from __future__ import annotations

from wherry.scheduler.facts import HostPort, PodFacts
from wherry.scheduler.framework import Change, Kind, Plugin, Reach, Rejection, nobody
from wherry.scheduler.interned import Rows
from wherry.scheduler.world import World

ANY = "0.0.0.0"  # noqa: S104 - compared, never bound


class NodePorts(Plugin):
    """Rejects nodes where a wanted (address, protocol, port) is in use; 0.0.0.0 collides with all."""

    name = "NodePorts"
    reach = Reach.NODE
    changes = frozenset({Kind.NODE, Kind.POD_GONE})

    def prepare(self, pod: PodFacts, world: World) -> tuple[HostPort, ...] | None:
        """See `Plugin.prepare`: the wanted ports."""
        return pod.template.host_ports or None

    def filter(self, state: tuple[HostPort, ...], world: World, rows: Rows) -> list[Rejection]:
        """See `Plugin.filter`."""
        taken = nobody(world)
        for address, protocol, number in state:
            for row, used in world.nodes.port_users.get((protocol, number), {}).items():
                if address == ANY or ANY in used or address in used:
                    taken[row] = True
        reason = "node(s) didn't have free ports for the requested pod ports"
        return [Rejection(taken[rows], reason, resolvable=True)]

    def concerned(self, pod: PodFacts, change: Change, world: World) -> bool:
        """See `Plugin.concerned`: of pods that went, only those with ports matter."""
        if change.kind is Kind.POD_GONE and not any(p.template.host_ports for p in change.pods.values()):
            return False
        return super().concerned(pod, change, world)
