"""From watches to the inventory of devices: what slices, classes, taint rules and claims mean to the
scheduler, and whom they wake (`DeviceFeed`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from wherry.api.core.pods import PODS
from wherry.api.dynamicresources.device_classes import DEVICE_CLASSES
from wherry.api.dynamicresources.device_taint_rules import DEVICE_TAINT_RULES
from wherry.api.dynamicresources.pod_claims import claim_keys
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.api.dynamicresources.resource_slices import RESOURCE_SLICES
from wherry.client.cache import Cache
from wherry.objects.meta import Object, key_of, name_of, uid_of
from wherry.scheduler.framework import Change, Kind
from wherry.scheduler.plugins.dynamic_resources import CLASS
from wherry.scheduler.queue import PodQueue
from wherry.scheduler.world import World

BY_CLAIM = "resource-claim"


class DeviceFeed:
    """Keeps an inventory up to date, and tells a queue."""

    def __init__(self, world: World, queue: PodQueue) -> None:
        self._world = world
        self._inventory = world.devices
        self._queue = queue
        self._cache: Cache | None = None

    def follow(self, cache: Cache) -> None:
        """Hear of everything about devices in the cache from now on."""
        cache.add_index(PODS, BY_CLAIM, claim_keys)
        self._cache = cache
        cache.on(RESOURCE_CLAIMS, self._claim_changed)
        cache.on(RESOURCE_SLICES, self._slice_changed)
        cache.on(DEVICE_CLASSES, self._class_changed)
        cache.on(DEVICE_TAINT_RULES, self._rule_changed)

    def pod_changed(self, old: Object | None, new: Object) -> None:
        """A pod that waits is told of its claims."""
        if old is not None and (new.get("spec") or {}).get("resourceClaims") and _told(old) != _told(new):
            change = Change(Kind.RESOURCE_CLAIMS, dict.fromkeys(claim_keys(new)), {})
            uid = uid_of(new)
            self._queue.changed_for(lambda: (uid,), change, uid)

    def _claim_changed(self, old: Object | None, new: Object | None) -> None:
        key = key_of(new or old or {})
        freed = self._inventory.set_claim(key, new)
        change = Change(Kind.RESOURCE_CLAIMS, {key: None}, {})
        self._queue.changed_for(partial(self._users_of, key), change, key)
        if freed:
            self._tell(Kind.DEVICES, freed)

    def _users_of(self, key: str) -> Iterator[str]:
        return map(uid_of, self._cache.by_index(PODS, BY_CLAIM, key) if self._cache is not None else ())

    def _slice_changed(self, old: Object | None, new: Object | None) -> None:
        nodes = self._inventory.set_slice(name_of(new or old or {}), new)
        self._tell(Kind.DEVICES, nodes or ("",))

    def _class_changed(self, old: Object | None, new: Object | None) -> None:
        name = name_of(new or old or {})
        self._inventory.set_class(name, new)
        self._world.touched()  # classes stand for resources others look at, too
        self._tell(Kind.DEVICES, (CLASS + name,))

    def _rule_changed(self, old: Object | None, new: Object | None) -> None:
        self._inventory.set_rule(name_of(new or old or {}), new)
        self._tell(Kind.DEVICES, ("",))

    def _tell(self, kind: Kind, names: Iterable[str]) -> None:
        self._queue.changed(Change(kind, dict.fromkeys(names), {}))


def _told(pod: Object) -> object:
    return (pod.get("status") or {}).get("resourceClaimStatuses")
