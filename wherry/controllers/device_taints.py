"""Device taint eviction: deletes pods whose claims do not tolerate a NoExecute taint of a device they use.

Taints are those of the device in its slice, and of DeviceTaintRules. A claim that tolerates one for a while
keeps its pods so long, counted from the taint; nothing is remembered, so a restart changes nothing.
Source: pkg/controller/devicetainteviction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar

from wherry.api.dynamicresources.device_taint_rules import DEVICE_TAINT_RULES
from wherry.api.dynamicresources.pod_claims import (
    claim_keys,
    extended_claim,
    is_done,
    is_reserved_for,
)
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.api.dynamicresources.resource_slices import RESOURCE_SLICES
from wherry.api.dynamicresources.taints import selector_key, selectors_of
from wherry.client.cache import Cache
from wherry.controllers.device_users import BY_SELECTOR, DeviceUsers, device_of, results_of, users_of_claim
from wherry.controllers.nodes.tolerations import evict_at, no_execute
from wherry.controllers.timed_eviction import TimedEviction
from wherry.objects.meta import Object, is_deleting, key_of, uid_of

BY_POOL = "device-pool"


def _pool_of_slice(found: Object) -> list[str]:
    spec = found.get("spec") or {}
    return [f"{spec.get('driver')}/{(spec.get('pool') or {}).get('name')}"]


def _tainted(found: Object | None) -> dict[str, list[Any]]:
    """The NoExecute taints of a slice's devices, by name."""
    devices = ((found or {}).get("spec") or {}).get("devices") or ()
    taints = {device.get("name") or "": no_execute(device.get("taints")) for device in devices}
    return {name: own for name, own in taints.items() if own}


def _users_of_claim(_: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
    """A claim that is allocated, or whose users change, concerns these."""
    return [key for claim in (old, new) if claim is not None for key in users_of_claim(claim)]


def _taint_of(rule: Object) -> list[Any]:
    """The taint of a rule, if it drives pods away."""
    return no_execute([(rule.get("spec") or {}).get("taint") or {}])


def _selector_of(rule: Object | None) -> list[str]:
    """The selector of a rule, if it drives pods away."""
    if rule is None or not _taint_of(rule):
        return []
    key = selector_key((rule.get("spec") or {}).get("deviceSelector"))
    return [] if key is None else [key]


class DeviceTaintEviction(TimedEviction):
    """See the module."""

    name = "device-taint-eviction-controller"
    account = "device-taint-eviction-controller"
    component = "device-taint-eviction"
    reason = "DeviceTaintManagerEviction"
    disruption = ("DeletionByDeviceTaintManager", "Device Taint manager: deleting due to NoExecute taint")
    watches: ClassVar = {RESOURCE_CLAIMS: _users_of_claim}

    def watch_sources(self) -> None:
        """See `Controller.watch_sources`: many may use what a slice or a rule is about."""
        self.cache.add_index(RESOURCE_SLICES, BY_POOL, _pool_of_slice)
        self.cache.add_index(DEVICE_TAINT_RULES, BY_SELECTOR, _selector_of)
        self._users = DeviceUsers(self.cache, self._queue, self.tasks, self.clock)
        super().watch_sources()
        self._watch(RESOURCE_SLICES, self._slice_changed)
        self._watch(DEVICE_TAINT_RULES, self._rule_changed)

    def _queue(self, key: str) -> None:
        self.queue.add_after(key, self.rests.left_s(key))

    def _slice_changed(self, _: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """A change of NoExecute taints concerns all who use devices of the pool."""
        if _tainted(old) != _tainted(new):
            spec = (new or old or {}).get("spec") or {}
            pool = {"driver": spec.get("driver"), "pool": (spec.get("pool") or {}).get("name")}
            self._users.put([selector_key(pool)])
        return ()

    def _rule_changed(self, _: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """A rule of this effect concerns all who use the devices it means, or meant."""
        if (old or {}).get("spec") != (new or {}).get("spec"):
            self._users.put([*_selector_of(old), *_selector_of(new)])
        return ()

    def map_primary(self, cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """Only pods that use claims are of interest."""
        pod = new or old or {}
        uses = (pod.get("spec") or {}).get("resourceClaims") or extended_claim(pod)
        return (key_of(pod),) if uses else ()

    def _is_out_of_reach(self, pod: Object) -> bool:
        return is_deleting(pod) or is_done(pod)

    def _evict_at(self, pod: Object, now: datetime) -> datetime | None:
        """When the pod must go because of the devices it uses, None for never."""
        times = []
        for claim_key in claim_keys(pod):
            claim = self.cache.get(RESOURCE_CLAIMS, claim_key)
            if claim is None or not is_reserved_for(claim, uid_of(pod)):
                continue
            for result in results_of(claim):
                tolerations = result.get("tolerations") or ()
                times += [evict_at([taint], tolerations, now) for taint in self._taints_of(result)]
        return min((time for time in times if time is not None), default=None)

    def _taints_of(self, result: Mapping[str, Any]) -> Iterator[Any]:
        """The NoExecute taints of an allocated device, those of rules included."""
        device = device_of(result)
        slices = self.cache.by_index(RESOURCE_SLICES, BY_POOL, f"{device[0]}/{device[1]}")
        newest = max((_generation(found) for found in slices), default=0)
        for found in slices:
            if _generation(found) == newest:
                yield from _tainted(found).get(device[2], ())
        for key in selectors_of(device):
            for rule in self.cache.by_index(DEVICE_TAINT_RULES, BY_SELECTOR, key):
                yield from _taint_of(rule)


def _generation(found: Object) -> int:
    return ((found.get("spec") or {}).get("pool") or {}).get("generation") or 0
