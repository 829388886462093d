"""What devices there are of which resource, as their plug-ins last said. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from wherry.kubelet.devices.messages import HEALTHY

STOP_GRACE_S = 300.0
"""How long a plug-in may be away until its resource is no more the node's (`endpointStopGracePeriod`)."""
MOST_DEVICES = 10_000
"""So many a plug-in may have: each is looked at with every allocation."""
LONGEST_ID = 253


class TooMuch(Exception):
    """A plug-in's list that is not taken."""


@dataclass(frozen=True, slots=True)
class Device:
    """One device; `nodes` are the NUMA nodes it is near to, empty where that is not known."""

    id: str
    is_healthy: bool
    nodes: tuple[int, ...] = ()


@dataclass(slots=True)
class Offer:
    """The devices of one resource; `stopped_at` is when its plug-in went (monotonic), None while it is
    there.
    """

    devices: Mapping[str, Device] = field(default_factory=dict)
    stopped_at: float | None = None

    def healthy(self) -> set[str]:
        """The devices that can be given."""
        if self.stopped_at is not None:
            return set()
        return {device.id for device in self.devices.values() if device.is_healthy}


def read_devices(listed: Iterable[Any]) -> dict[str, Device]:
    """The devices of a `ListAndWatchResponse`, by id. Raises TooMuch."""
    found: dict[str, Device] = {}
    for device in listed:
        if not device.ID or len(device.ID) > LONGEST_ID:
            raise TooMuch(f"a device's ID must have 1 to {LONGEST_ID} characters")
        if len(found) >= MOST_DEVICES:
            raise TooMuch(f"more than {MOST_DEVICES} devices")
        nodes = tuple(sorted({node.ID for node in device.topology.nodes if node.ID >= 0}))
        found[device.ID] = Device(device.ID, device.health == HEALTHY, nodes)
    return found


class Inventory:
    """Everything on offer, by resource."""

    def __init__(self) -> None:
        self._offers: dict[str, Offer] = {}
        self._removed: set[str] = set()
        self._awaited: set[str] = set()

    def expect(self, resources: Collection[str], now: float) -> None:
        """These were there before the agent: their plug-ins have the usual time to come back."""
        self._awaited.update(resources)
        for resource in resources:
            self._offers.setdefault(resource, Offer({}, now))

    def came(self, resource: str) -> None:
        """The resource's plug-in is there."""
        self._removed.discard(resource)
        self._offers.setdefault(resource, Offer()).stopped_at = None

    def listed(self, resource: str, devices: Mapping[str, Device]) -> set[str]:
        """The plug-in's devices are these now; the ids of those whose health changed, or which went."""
        self._awaited.discard(resource)
        offer = self._offers.setdefault(resource, Offer())
        before, offer.devices = offer.devices, devices
        return {
            name
            for name in before.keys() | devices.keys()
            if _is_healthy(before.get(name)) != _is_healthy(devices.get(name))
        }

    def went(self, resource: str, now: float) -> set[str]:
        """The plug-in is gone: its devices are not healthy; which of them were."""
        offer = self._offers.get(resource)
        if offer is None or offer.stopped_at is not None:
            return set()
        changed = offer.healthy()
        offer.stopped_at = now
        offer.devices = {name: Device(name, False, device.nodes) for name, device in offer.devices.items()}
        return changed

    def expire(self, now: float) -> set[str]:
        """Forget resources whose plug-ins were away for too long; which ones."""
        gone = {
            resource
            for resource, offer in self._offers.items()
            if offer.stopped_at is not None and now - offer.stopped_at > STOP_GRACE_S
        }
        for resource in gone:
            del self._offers[resource]
        self._removed |= gone
        self._awaited -= gone
        return gone

    def find(self, resource: str) -> Offer | None:
        """What there is of a resource, None when no plug-in has it."""
        return self._offers.get(resource)

    def is_awaited(self, resource: str) -> bool:
        """Whether the resource was there before the agent, and its plug-in has still time to come back."""
        return resource in self._awaited

    def is_known(self, resource: str) -> bool:
        """Whether a plug-in has the resource, or had."""
        return resource in self._offers or resource in self._removed

    def names(self) -> list[str]:
        """The resources plug-ins have."""
        return sorted(self._offers)

    def capacity(self) -> dict[str, int]:
        """How many devices there are; those of resources that went are 0."""
        found = dict.fromkeys(self._removed, 0)
        return found | {name: len(offer.devices) for name, offer in self._offers.items()}

    def allocatable(self) -> dict[str, int]:
        """How many of them can be given."""
        found = dict.fromkeys(self._removed, 0)
        return found | {name: len(offer.healthy()) for name, offer in self._offers.items()}


def _is_healthy(device: Device | None) -> bool:
    return device is not None and device.is_healthy
