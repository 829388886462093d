"""Where a container's devices could be had: hints for the topology manager.

Devices are given later than processors and memory, since their plug-in has to be asked:
`DevicePlugins.allocate` goes by what came of the hints then. Source:
pkg/kubelet/cm/devicemanager/topology_hints.go.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import combinations
from typing import Any

from wherry.kubelet.devices.device_plugins import DevicePlugins
from wherry.kubelet.devices.inventory import Offer
from wherry.kubelet.pod import init_containers, is_sidecar, regular_containers
from wherry.kubelet.topology.hints import Hints, TopologyHint
from wherry.objects.meta import uid_of


def hints_for(
    offer: Offer, nodes: Iterable[int], available: Collection[str], required: Collection[str], amount: int
) -> list[TopologyHint]:
    """The sets of the machine's NUMA `nodes` on which `amount` devices could be had, `required` among them.

    Those are preferred that are as small as the least that could ever do, were no device in use.
    """
    everything = [frozenset(device.nodes) for device in offer.devices.values() if device.is_healthy]
    must = [frozenset(offer.devices[one].nodes) for one in required if one in offer.devices]
    free = [frozenset(offer.devices[one].nodes) for one in available if one not in required]
    ordered = sorted(nodes)
    least = len(ordered)
    found: list[frozenset[int]] = []
    for size in range(1, len(ordered) + 1):
        for some in combinations(ordered, size):
            mask = frozenset(some)
            if sum(1 for near in everything if near & mask) >= amount:
                least = min(least, size)
            if all(near & mask for near in must) and _near(must, mask) + _near(free, mask) >= amount:
                found.append(mask)
    return [TopologyHint(mask, is_preferred=len(mask) == least) for mask in found]


def _near(devices: Iterable[frozenset[int]], mask: frozenset[int]) -> int:
    return sum(1 for near in devices if near & mask)


class DeviceHints:
    """`HintProvider` for the resources of device plug-ins, on a machine with these NUMA `nodes`."""

    def __init__(self, plugins: DevicePlugins, nodes: Collection[int]) -> None:
        self._plugins = plugins
        self._nodes = nodes

    def hints(self, pod: Mapping[str, Any], container: Mapping[str, Any]) -> Hints:
        """See `HintProvider.hints`."""
        uid = uid_of(pod)
        has = self._plugins.assignments.of(uid, container["name"])
        return {
            resource: self._of(resource, amount, has[resource].ids if resource in has else None)
            for resource, amount in self._plugins.wanted(pod, container).items()
        }

    def pod_hints(self, pod: Mapping[str, Any]) -> Hints:
        """See `HintProvider.pod_hints`: as much as all containers want that run at the same time."""
        wanted: dict[str, int] = {}
        inits = init_containers(pod)
        for container in [*(one for one in inits if is_sidecar(one)), *regular_containers(pod)]:
            for resource, amount in self._plugins.wanted(pod, container).items():
                wanted[resource] = wanted.get(resource, 0) + amount
        for container in inits:
            for resource, amount in self._plugins.wanted(pod, container).items():
                wanted[resource] = max(wanted.get(resource, 0), amount)
        had: dict[str, set[str]] = {}
        for container in [*inits, *regular_containers(pod)]:
            for resource, assigned in self._plugins.assignments.of(uid_of(pod), container["name"]).items():
                had.setdefault(resource, set()).update(assigned.ids)
        return {
            resource: self._of(resource, amount, had.get(resource)) for resource, amount in wanted.items()
        }

    def allocate(self, pod: Mapping[str, Any], container: Mapping[str, Any]) -> None:
        """See `HintProvider.allocate`: nothing yet, the pod's worker asks the plug-in before its sandbox
        is made.
        """

    def _of(self, resource: str, amount: int, had: Collection[str] | None) -> list[TopologyHint] | None:
        offer = self._plugins.inventory.find(resource)
        if offer is None or not any(device.nodes for device in offer.devices.values()):
            return None
        if had is not None:
            return hints_for(offer, self._nodes, had, had, amount) if len(had) == amount else []
        free = offer.healthy() - self._plugins.assignments.in_use(resource)
        return hints_for(offer, self._nodes, free, (), amount) if len(free) >= amount else []
