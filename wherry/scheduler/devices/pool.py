"""What the newest slices of a pool are together, and why nothing can be had from it (`Pool`).

Source: k8s.io/dynamic-resource-allocation/structured, GatherPools.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from wherry.objects.quantity import parse_quantity
from wherry.scheduler.devices.device import Slice

PoolId = tuple[str, str]
"""(driver, pool)."""
Counters = Mapping[str, Mapping[str, Decimal]]
"""What each set of counters has, by the names of the set and the counter."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The newest slices of a pool."""

    id: PoolId
    slices: tuple[Slice, ...]
    counters: Counters
    is_incomplete: bool
    """There are more slices, or fewer, than there should be: its driver is at work."""
    invalid: str
    """Why its slices contradict each other, "" if they do not."""
    has_conditions: bool
    """Whether any of its devices has to be waited for (`bindingConditions`)."""

    def __str__(self) -> str:
        return "/".join(self.id)

    @property
    def is_usable(self) -> bool:
        """Whether devices can be had from it."""
        return not self.is_incomplete and not self.invalid

    @property
    def trouble(self) -> str:
        """What keeps everybody from it, as it is said of the pool."""
        if self.is_incomplete:
            return "is currently being updated"
        return "is currently invalid" if self.invalid else ""


def newest_of(id_: PoolId, slices: Iterable[Slice]) -> Pool | None:
    """The slices of the highest generation, None if there are none at all."""
    found = sorted(slices, key=lambda one: one.name)
    if not found:
        return None
    generation = max(one.generation for one in found)
    newest = tuple(one for one in found if one.generation == generation)
    is_incomplete = len(newest) != (newest[0].spec.get("pool") or {}).get("resourceSliceCount")
    counters, repeated = _counters_of(newest)
    invalid = _repeated_device(newest) or repeated or _missing_counter(newest, counters)
    has_conditions = any(device.spec.get("bindingConditions") for one in newest for device in one.devices)
    return Pool(id_, newest, counters, is_incomplete, invalid, has_conditions)


def _counters_of(slices: Sequence[Slice]) -> tuple[Counters, str]:
    """All sets of counters, and what is wrong if two have the same name."""
    counters: dict[str, Mapping[str, Decimal]] = {}
    repeated = ""
    for one in slices:
        for counter_set in one.spec.get("sharedCounters") or ():
            name = counter_set.get("name") or ""
            if name in counters:
                repeated = repeated or f"duplicate counter set name {name}"
            counters[name] = {
                counter: parse_quantity(value.get("value") or 0)
                for counter, value in (counter_set.get("counters") or {}).items()
            }
    return counters, repeated


def _repeated_device(slices: Sequence[Slice]) -> str:
    """What is wrong if two devices have the same name."""
    names: set[str] = set()
    for one in slices:
        for device in one.devices:
            if device.id.name in names:
                return f"duplicate device name {device.id.name}"
            names.add(device.id.name)
    return ""


def _missing_counter(slices: Sequence[Slice], counters: Counters) -> str:
    """What is wrong if a device consumes what is not there."""
    for one in slices:
        for device in one.devices:
            for consumed in device.spec.get("consumesCounters") or ():
                name = consumed.get("counterSet") or ""
                if name not in counters:
                    return f"counter set {name} not found"
                for counter in consumed.get("counters") or {}:
                    if counter not in counters[name]:
                        return f"counter {counter} not found in counter set {name}"
    return ""
