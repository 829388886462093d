"""Who uses devices that a rule or a pool's slices say something new of: found in portions, not while it is
told (`DeviceUsers`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from wherry.api.dynamicresources.pod_claims import pod_users
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.api.dynamicresources.taints import selectors_of
from wherry.client.cache import Cache
from wherry.kit.clock import Clock
from wherry.kit.portions import Portions, Work
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.objects.meta import Object, namespace_of

BY_SELECTOR = "device-selector"
"""Claims by all selectors (`taints.selector_key`) that mean one of their devices."""


class DeviceUsers:
    """`tell`s the keys of the pods that use the devices which selectors mean."""

    def __init__(self, cache: Cache, tell: Callable[[str], None], tasks: Tasks, clock: Clock) -> None:
        cache.add_index(RESOURCE_CLAIMS, BY_SELECTOR, _selectors_of_claim)
        self._cache = cache
        self._tell = tell
        self._waiting: dict[str, None] = {}
        self._looking = Repeater("users of devices", self._look, tasks, clock)

    def put(self, selectors: Iterable[str | None]) -> None:
        """Something about the devices changed that these selectors mean; None means none."""
        self._waiting.update({selector: None for selector in selectors if selector is not None})
        if self._waiting:
            self._looking.poke()

    async def _look(self) -> None:
        portions = Portions(Work.CONTROLLING)
        while self._waiting:
            selector, _ = self._waiting.popitem()
            for claim in self._cache.by_index(RESOURCE_CLAIMS, BY_SELECTOR, selector):
                await portions.next()
                for key in users_of_claim(claim):
                    self._tell(key)


def users_of_claim(claim: Object) -> Iterator[str]:
    """The keys of the pods a claim is reserved for."""
    return (f"{namespace_of(claim)}/{user.get('name')}" for user in pod_users(claim))


def results_of(claim: Object) -> list[Mapping[str, Any]]:
    """The devices a claim was given."""
    allocation = (claim.get("status") or {}).get("allocation") or {}
    return (allocation.get("devices") or {}).get("results") or []


def device_of(result: Mapping[str, Any]) -> tuple[str, str, str]:
    """(driver, pool, name) of a device a claim was given."""
    return result.get("driver") or "", result.get("pool") or "", result.get("device") or ""


def _selectors_of_claim(claim: Object) -> list[str]:
    found: dict[str, None] = {}
    for result in results_of(claim):
        found.update(dict.fromkeys(selectors_of(device_of(result))))
    return list(found)
