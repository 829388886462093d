"""Which ports and ranges a new cluster gets, and a cluster of an earlier version keeps.

They are of numbered slots (`config.index_defaults`): the ports of the first slot that no other cluster of the
machine has, and the ranges of the first one from there on that overlap neither theirs nor the machine's own
networks. Everything here is pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from wherry.cluster.config import ConfigError, Setup, index_defaults
from wherry.cluster.values import SIMULATED
from wherry.network.routes import Route, overlapping_route

OLD_POD_CIDR = "10.244.0.0/24"
"""What the first cluster of a machine was once made with: one block, and no room for a second node."""
RANGES = ("pod_cidr", "service_cidr")


@dataclass(frozen=True, slots=True)
class Taken:
    """What is not free: the settings of other clusters, and the networks of the machine."""

    others: Sequence[Setup]
    routes: Sequence[Route]

    def why(self, network: IPv4Network, *, with_routes: bool = True) -> str:
        """What overlaps `network`, "" if nothing does."""
        for other in self.others:
            if any(network.overlaps(one) for one in ranges_of(other)):
                return f"cluster {other.cluster.name!r}"
        return overlapping_route(network, self.routes) if with_routes else ""


@dataclass(frozen=True, slots=True)
class Choice:
    """A setup, and what is to be told about its ranges (one line, "" if nothing is)."""

    setup: Setup
    note: str = ""


def ranges_of(setup: Setup) -> list[IPv4Network]:
    """The ranges of pods and Services."""
    return [IPv4Network(setup.value(attribute)) for attribute in RANGES]


def free_defaults(
    name: str, taken: Taken, runtime: str, is_usable: Callable[[Setup], bool] = lambda _: True
) -> Choice:
    """The first defaults that collide with nothing of `taken`.

    The addresses of a simulated cluster are nobody's, so the machine's networks matter not to it. `is_usable`
    may pass over ports. Raises ConfigError when the slots run out.
    """
    is_simulated = runtime == SIMULATED
    ports = {port for other in taken.others for port in _ports(other)}
    # The very first defaults belong to the cluster called "default", made or not.
    index = 0 if name == "default" else 1
    setup = index_defaults(name, index).having({"runtime": runtime})
    while ports & _ports(setup) or not is_usable(setup):
        index += 1
        setup = index_defaults(name, index).having({"runtime": runtime})
    note = ""
    for slot in range(index, 51):
        ranged = index_defaults(name, slot)
        reasons = [(one, taken.why(one, with_routes=not is_simulated)) for one in ranges_of(ranged)]
        overlaps = [f"{one} overlaps {why}" for one, why in reasons if why]
        if not overlaps:
            return Choice(setup.having({a: ranged.value(a) for a in RANGES}), note and _told(ranged, note))
        if any(why and not why.startswith("cluster ") for _, why in reasons):
            note = note or overlaps[0]
    raise ConfigError("every default range is taken: give podCIDR, serviceCIDR and ports yourself")


def widened(stored: Setup, taken: Taken) -> Setup:
    """A cluster of an earlier version with room for more nodes, if its range is a default, and more free."""
    wide = Setup.of(stored.cluster.name).cluster.pod_cidr
    if stored.cluster.pod_cidr != OLD_POD_CIDR or taken.why(IPv4Network(wide)):
        return stored
    return stored.having({"pod_cidr": wide})


def conversion_note(before: Setup, after: Setup) -> str:
    """What becomes of a cluster of an earlier version, in one line."""
    pods, kept = after.cluster.pod_cidr, before.cluster.pod_cidr
    room = f"all nodes' pods have addresses of {pods}" if pods != kept else "no other node has room there"
    return (
        f"Cluster {before.cluster.name} was made by an earlier version and is converted: its node keeps "
        f"{kept} ({room}), and its pods start again"
    )


def _told(setup: Setup, note: str) -> str:
    return f"Pods get {setup.cluster.pod_cidr}, Services {setup.cluster.service_cidr}: {note}"


def _ports(setup: Setup) -> set[int]:
    return {setup.cluster.api_port, setup.node.kubelet_port}
