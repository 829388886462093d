"""The search for devices on one node (`find_devices`): claim by claim, request by request, device by device.

The first full solution is taken. Each choice is undone when what follows it comes to nothing, so that all
combinations are tried (in the order of pools, slices and devices; the order of devices within a request does
not matter), as long as there are `Steps` left.

Source: k8s.io/dynamic-resource-allocation/structured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from operator import attrgetter
from typing import Any

from wherry.api.dynamicresources.allocations import RESULTS_LIMIT
from wherry.objects.cel import CelError
from wherry.objects.quantity import parse_quantity
from wherry.objects.taints import tolerates_any
from wherry.scheduler.devices.capacity import Amounts, consumption, fits
from wherry.scheduler.devices.device import Device, DeviceId
from wherry.scheduler.devices.inventory import Inventory
from wherry.scheduler.devices.places import Sees
from wherry.scheduler.devices.pool import Pool
from wherry.scheduler.devices.results import Given
from wherry.scheduler.devices.steps import Steps
from wherry.scheduler.devices.wanted import Constraint, Request, Wanted

PREVENTING = ("NoSchedule", "NoExecute")
GLANCES_OF_A_STEP = 16
"""So many things are passed over, or compared, in a step."""
SELECTORS = 8
"""So many selectors of taint rules mean a device."""


class AllocationError(Exception):
    """A claim cannot be allocated on this node, in words for its pod."""


class BrokenSelector(Exception):
    """A selector cannot be evaluated on a device: nothing can be allocated anywhere."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the search stands: the device `index` of one alternative of a request of a claim."""

    claim: int = 0
    request: int = 0
    choice: int = -1
    index: int = 0
    start: int = 0
    """The devices before this one were looked at for this request."""


def find_devices(
    inventory: Inventory, wanted: Sequence[Wanted], node: str, sees: Sees, steps: Steps
) -> list[list[Given]] | None:
    """The devices for each claim on a node, None if there are not enough.

    Raises AllocationError, BrokenSelector and OutOfSteps.
    """
    return _Search(inventory, wanted, node, sees, steps).run()


class _Search:
    def __init__(
        self, inventory: Inventory, wanted: Sequence[Wanted], node: str, sees: Sees, steps: Steps
    ) -> None:
        self._inventory = inventory
        self._wanted = wanted
        self._steps = steps
        self._pools = sorted(inventory.pools_for(node), key=attrgetter("has_conditions"))
        """Devices that have to be waited for come last."""
        steps.spend(1 + len(self._pools) // 4)
        self._pool_of: dict[tuple[str, str], Pool] = {pool.id: pool for pool in self._pools}
        self._reachable = [(pool, self._devices_of(pool, node, sees)) for pool in self._pools]
        self._devices = [device for pool, devices in self._reachable if pool.is_usable for device in devices]
        self._given: list[list[Given]] = [[] for _ in wanted]
        self._taking: dict[DeviceId, int] = {}
        """Devices that are taken as a whole in this search."""
        self._sharing: dict[DeviceId, list[Amounts]] = {}
        self._admin: set[tuple[int, DeviceId]] = set()
        self._counted: dict[tuple[str, str], dict[str, dict[str, Decimal]]] = {}
        """What is left of the pools' counters."""
        self._values: dict[tuple[int, int], list[frozenset[tuple[str, Any]]]] = {}
        """By claim and constraint: the values of the devices that were chosen."""
        self._all: dict[tuple[int, int, int], list[Device]] = {}

    def run(self) -> list[list[Given]] | None:
        """See `find_devices`."""
        for number, claim in enumerate(self._wanted):
            self._check(number, claim)
        found = self._search() if self._devices or not any(one.requests for one in self._wanted) else None
        if found is None:
            self._blame_invalid()
        return found

    def _blame_invalid(self) -> None:
        """Say so if there are devices which cannot be had because their pool is invalid."""
        for pool, devices in self._reachable:
            if devices and pool.invalid and not pool.is_incomplete:
                raise AllocationError(f"pool {pool.id[1]} is invalid: {pool.invalid}")

    def _search(self) -> list[list[Given]] | None:
        waiting = [self._choices(_Place())]
        while waiting:
            self._steps.spend()
            following = next(waiting[-1], None)
            if following is None:
                waiting.pop()
            elif following.claim == len(self._wanted):
                return self._given
            else:
                waiting.append(self._choices(following))
        return None

    def _check(self, number: int, wanted: Wanted) -> None:
        """Find out what "all" is, and whether a claim asks for more than can be written down."""
        least = 0
        for at, parts in enumerate(wanted.requests):
            counts = []
            for choice, request in enumerate(parts):
                if request.takes_all:
                    self._all[number, at, choice] = self._all_for(wanted, request)
                    counts.append(len(self._all[number, at, choice]))
                else:
                    counts.append(request.count)
            least += min(counts, default=0)
        if least > RESULTS_LIMIT:
            text = f"number of requested devices {least} exceeds the claim limit of {RESULTS_LIMIT}"
            raise AllocationError(f"claim {wanted.key}: {text}")

    def _all_for(self, wanted: Wanted, request: Request) -> list[Device]:
        for pool, devices in self._reachable:
            if devices and not pool.is_usable:
                what = f"asks for all devices, but resource pool {pool} {pool.trouble}"
                raise AllocationError(f"claim {wanted.key}, request {request.name}: {what}")
        self._steps.spend(1 + len(self._devices) // GLANCES_OF_A_STEP)
        return [device for device in self._devices if self._is_chosen(request, device)]

    def _devices_of(self, pool: Pool, node: str, sees: Sees) -> list[Device]:
        """The devices of a pool a node may use."""
        found: list[Device] = []
        for part in pool.slices:
            if part.is_per_device:
                self._steps.spend(1 + len(part.everywhere) // GLANCES_OF_A_STEP)
                found += part.on_node.get(node, ())
                found += [device for device, place in part.everywhere if sees(place)]
            elif part.node == node or (not part.node and all(map(sees, part.places.values()))):
                self._steps.spend()
                found += part.devices
        return found

    # One step: each generator makes a choice, yields where the search goes on, and undoes the choice.

    def _choices(self, place: _Place) -> Iterator[_Place]:
        requests = self._wanted[place.claim].requests if place.claim < len(self._wanted) else ()
        if place.request >= len(requests):
            yield _Place(claim=place.claim + 1)
            return
        parts = requests[place.request]
        if place.choice < 0:
            for choice in range(len(parts)):
                yield replace(place, choice=choice)
            return
        request = parts[place.choice]
        everything = self._all.get((place.claim, place.request, place.choice))
        count = request.count if everything is None else len(everything)
        if not count:
            return  # "all" wants one at least
        if place.index >= count:
            yield _Place(claim=place.claim, request=place.request + 1)
            return
        if len(self._given[place.claim]) + count - place.index > RESULTS_LIMIT:
            return
        if everything is not None:
            yield from self._with(place, request, everything[place.index], 0)
            return
        for at in range(place.start, len(self._devices)):
            self._steps.spend()
            yield from self._with(place, request, self._devices[at], at + 1)

    def _with(self, place: _Place, request: Request, device: Device, start: int) -> Iterator[_Place]:
        """Go on with a device, if it can be had."""
        if not self._is_free(place, request, device) or not self._is_chosen(request, device):
            return
        taken: dict[str, tuple[str, str, Decimal]] | None = None
        if device.is_shared or request.capacity:
            taken = consumption(device.spec, device.id.driver, request.capacity)
            if taken is None or not fits(taken, device.spec, self._used(device.id)):
                return
        if not self._is_tolerated(request, device) or not self._satisfies(place, request, device):
            return
        if not self._take(place, request, device, taken if device.is_shared else None):
            return
        yield replace(place, index=place.index + 1, start=start)
        self._give_back(place, request, device)

    def _is_free(self, place: _Place, request: Request, device: Device) -> bool:
        if request.is_admin:
            return (place.claim, device.id) not in self._admin
        return device.id not in self._inventory.used and device.id not in self._taking

    def _is_chosen(self, request: Request, device: Device) -> bool:
        for source, origin in request.selectors:
            try:
                if not device.matched_by(source, self._steps):
                    return False
            except CelError as error:
                text = f"{origin} on device {device.id}: CEL runtime error: {error}"
                raise BrokenSelector(text) from error
        return True

    def _is_tolerated(self, request: Request, device: Device) -> bool:
        taints = list(self._inventory.taints_of(device))
        glances = len(taints) * (1 + len(request.tolerations)) + (SELECTORS if self._inventory.rules else 0)
        self._steps.spend((glances + GLANCES_OF_A_STEP - 1) // GLANCES_OF_A_STEP)
        return all(
            taint[2] not in PREVENTING or tolerates_any(request.tolerations, taint) for taint in taints
        )

    def _concerned(self, place: _Place, request: Request) -> Iterator[tuple[tuple[int, int], Constraint]]:
        for number, constraint in enumerate(self._wanted[place.claim].constraints):
            if constraint.concerns(request):
                yield (place.claim, number), constraint

    def _satisfies(self, place: _Place, request: Request, device: Device) -> bool:
        for key, constraint in self._concerned(place, request):
            own, others = device.values_of(constraint.attribute), self._values.get(key, ())
            if own is None:
                return False
            self._steps.spend((len(own) * len(others)) // GLANCES_OF_A_STEP)
            if constraint.is_distinct:
                if any(not own.isdisjoint(other) for other in others):
                    return False
            elif not own.intersection(*others):
                return False
        return True

    def _take(
        self,
        place: _Place,
        request: Request,
        device: Device,
        portion: Mapping[str, tuple[str, str, Decimal]] | None,
    ) -> bool:
        """Choose a device; False if there are not enough counters for it."""
        consumes = device.spec.get("consumesCounters") or ()
        if consumes and not self._is_begun(device) and not self._count(device, -1):
            return False
        for key, constraint in self._concerned(place, request):
            self._values.setdefault(key, []).append(device.values_of(constraint.attribute) or frozenset())
        if portion is not None:
            amounts = {name: amount for name, (_, _, amount) in portion.items()}
            self._sharing.setdefault(device.id, []).append(amounts)
        elif request.is_admin:
            self._admin.add((place.claim, device.id))
        else:
            self._taking[device.id] = place.claim
        consumed = None if portion is None else {name: text for name, text, _ in portion.values()}
        self._given[place.claim].append(Given(request, device, consumed))
        return True

    def _give_back(self, place: _Place, request: Request, device: Device) -> None:
        """Undo `_take`."""
        given = self._given[place.claim].pop()
        if given.consumed is not None:
            self._sharing[device.id].pop()
        elif request.is_admin:
            self._admin.discard((place.claim, device.id))
        else:
            del self._taking[device.id]
        for key, _ in self._concerned(place, request):
            self._values[key].pop()
        if device.spec.get("consumesCounters") and not self._is_begun(device):
            self._count(device, 1)

    def _is_begun(self, device: Device) -> bool:
        """Whether somebody has a portion of it, so that its counters are taken already."""
        return device.is_shared and (
            device.id in self._inventory.portions or bool(self._sharing.get(device.id))
        )

    def _used(self, device: DeviceId) -> Amounts:
        used = dict(self._inventory.portions.get(device, {}))
        for amounts in self._sharing.get(device, ()):
            for name, amount in amounts.items():
                used[name] = used.get(name, Decimal(0)) + amount
        return used

    def _count(self, device: Device, sign: int) -> bool:
        """Take (or give back) a device's counters; False, and nothing is taken, if they do not suffice."""
        pool = self._pool_of[device.id.driver, device.id.pool]
        left = self._counted.get(pool.id)
        if left is None:
            self._steps.spend(1 + sum(len(found.devices) for found in pool.slices))
            left = self._counted[pool.id] = _left_of(pool, self._inventory)
        self._steps.spend(len(device.spec.get("consumesCounters") or ()))
        _consume(left, device, sign)
        if sign < 0 and any(
            amount < 0
            for consumed in device.spec.get("consumesCounters") or ()
            for amount in left[consumed.get("counterSet") or ""].values()
        ):
            _consume(left, device, 1)
            return False
        return True


def _left_of(pool: Pool, inventory: Inventory) -> dict[str, dict[str, Decimal]]:
    """The pool's counters less what devices in use take."""
    left = {name: dict(counters) for name, counters in pool.counters.items()}
    for found in pool.slices:
        for device in found.devices:
            if device.spec.get("consumesCounters") and inventory.is_taken(device.id):
                _consume(left, device, -1)
    return left


def _consume(left: dict[str, dict[str, Decimal]], device: Device, sign: int) -> None:
    for consumed in device.spec.get("consumesCounters") or ():
        counters = left[consumed.get("counterSet") or ""]
        for name, counter in (consumed.get("counters") or {}).items():
            counters[name] += sign * parse_quantity(counter.get("value") or 0)
