"""Which devices a container gets: in upstream's order. Pure but for the plug-in's own opinion.

Source: pkg/kubelet/cm/devicemanager/manager.go (devicesToAllocate, filterByAffinity).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass

from wherry.kubelet.devices.inventory import Offer

Prefer = Callable[[list[str], list[str], int], Awaitable[list[str]]]
"""Asks the plug-in: those available, those that must be among them, how many altogether; its wish."""


class CannotAllocate(Exception):
    """The devices cannot be had; the text says why."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a container wants of a resource.

    `had` are devices it has already, `reusable` those that init containers of its pod had, `in_use` those of
    all containers, `affinity` the NUMA nodes its devices are to be near to (None for any).
    """

    resource: str
    needed: int
    had: Collection[str] = ()
    reusable: Collection[str] = ()
    in_use: Collection[str] = ()
    affinity: frozenset[int] | None = None


async def choose_devices(wish: Wish, offer: Offer | None, prefer: Prefer) -> list[str]:
    """The devices to ask the plug-in for, none if the container has them. Raises CannotAllocate."""
    resource = wish.resource
    if offer is None:
        raise CannotAllocate(f"cannot allocate unregistered device {resource}")
    healthy = offer.healthy()
    if not healthy:
        raise CannotAllocate(f"no healthy devices present; cannot allocate unhealthy devices {resource}")
    if not healthy.issuperset(wish.had):
        text = "previously allocated devices are no longer healthy; cannot allocate unhealthy devices"
        raise CannotAllocate(f"{text} {resource}")
    if wish.had:
        return []
    chosen = _Chosen(wish.needed)
    if chosen.take(sorted(wish.reusable)):
        return chosen.ids
    available = healthy - set(wish.in_use)
    missing = chosen.missing
    if len(available) < missing:
        raise CannotAllocate(
            f"requested number of devices unavailable for {resource}."
            f" Requested: {missing}, Available: {len(available)}"
        )
    aligned, others = by_affinity(available, offer, wish.affinity)
    if missing < len(aligned):
        wanted = await prefer(sorted({*aligned, *chosen.ids}), list(chosen.ids), wish.needed)
        chosen.take(one for one in wanted if one in aligned)
        chosen.take(aligned)
        return chosen.ids
    if chosen.take(aligned):
        return chosen.ids
    wanted = await prefer(sorted({*available, *chosen.ids}), list(chosen.ids), wish.needed)
    chosen.take(one for one in wanted if one in available)
    chosen.take(others)
    return chosen.ids


class _Chosen:
    def __init__(self, needed: int) -> None:
        self.ids: list[str] = []
        self._needed = needed

    @property
    def missing(self) -> int:
        return self._needed - len(self.ids)

    def take(self, devices: Iterable[str]) -> bool:
        """Take as many as are missing; whether none are any more."""
        for device in devices:
            if not self.missing:
                break
            if device not in self.ids:
                self.ids.append(device)
        return not self.missing


def by_affinity(
    available: Collection[str], offer: Offer, affinity: frozenset[int] | None
) -> tuple[list[str], list[str]]:
    """Devices near to the nodes, and all others: first those near to other nodes, then those near to none."""
    if affinity is None or not any(device.nodes for device in offer.devices.values()):
        return [], sorted(available)
    near: list[str] = []
    far: list[str] = []
    nowhere: list[str] = []
    for device in sorted(available):
        nodes = offer.devices[device].nodes
        (near if affinity.intersection(nodes) else far if nodes else nowhere).append(device)
    return near, [*far, *nowhere]
