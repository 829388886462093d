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
    pod_users,
)
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.api.dynamicresources.resource_slices import RESOURCE_SLICES
from wherry.api.dynamicresources.taints import is_meant
from wherry.client.cache import Cache
from wherry.controllers.base import Environment
from wherry.controllers.nodes.tolerations import evict_at, no_execute
from wherry.controllers.timed_eviction import TimedEviction
from wherry.objects.meta import Object, is_deleting, key_of, namespace_of, uid_of

BY_POOL = "device-pool"


def _results(claim: Object) -> list[Mapping[str, Any]]:
    """The devices a claim was given."""
    allocation = (claim.get("status") or {}).get("allocation") or {}
    return (allocation.get("devices") or {}).get("results") or []


def _pools_of_claim(claim: Object) -> list[str]:
    return sorted({f"{one.get('driver')}/{one.get('pool')}" for one in _results(claim)})


def _pool_of_slice(found: Object) -> list[str]:
    spec = found.get("spec") or {}
    return [f"{spec.get('driver')}/{(spec.get('pool') or {}).get('name')}"]


def _tainted(found: Object | None) -> dict[str, list[Any]]:
    """The NoExecute taints of a slice's devices, by name."""
    devices = ((found or {}).get("spec") or {}).get("devices") or ()
    taints = {device.get("name") or "": no_execute(device.get("taints")) for device in devices}
    return {name: own for name, own in taints.items() if own}


def _users(claims: Iterable[Object]) -> Iterator[str]:
    for claim in claims:
        yield from (f"{namespace_of(claim)}/{user.get('name')}" for user in pod_users(claim))


def _users_of_claim(_: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
    """A claim that is allocated, or whose users change, concerns these."""
    return {*_users([old] if old else []), *_users([new] if new else [])}


def _users_of_slice(cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
    """A change of NoExecute taints concerns all who use devices of the pool."""
    if _tainted(old) == _tainted(new):
        return ()
    (pool,) = _pool_of_slice(new or old or {})
    return set(_users(cache.by_index(RESOURCE_CLAIMS, BY_POOL, pool)))


def _users_of_rule(cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
    """A rule of this effect concerns all who use devices."""
    rules = [rule for rule in (old, new) if rule is not None and _taint_of(rule)]
    if not rules or (old or {}).get("spec") == (new or {}).get("spec"):
        return ()
    return set(_users(cache.list(RESOURCE_CLAIMS)))


def _taint_of(rule: Object) -> list[Any]:
    """The taint of a rule, if it drives pods away."""
    return no_execute([(rule.get("spec") or {}).get("taint") or {}])


class DeviceTaintEviction(TimedEviction):
    """See the module."""

    name = "device-taint-eviction-controller"
    account = "device-taint-eviction-controller"
    component = "device-taint-eviction"
    reason = "DeviceTaintManagerEviction"
    disruption = ("DeletionByDeviceTaintManager", "Device Taint manager: deleting due to NoExecute taint")
    watches: ClassVar = {
        RESOURCE_CLAIMS: _users_of_claim,
        RESOURCE_SLICES: _users_of_slice,
        DEVICE_TAINT_RULES: _users_of_rule,
    }

    def __init__(self, environment: Environment) -> None:
        environment.cache.add_index(RESOURCE_CLAIMS, BY_POOL, _pools_of_claim)
        environment.cache.add_index(RESOURCE_SLICES, BY_POOL, _pool_of_slice)
        super().__init__(environment)

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
            for result in _results(claim):
                tolerations = result.get("tolerations") or ()
                times += [evict_at([taint], tolerations, now) for taint in self._taints_of(result)]
        return min((time for time in times if time is not None), default=None)

    def _taints_of(self, result: Mapping[str, Any]) -> Iterator[Any]:
        """The NoExecute taints of an allocated device, those of rules included."""
        device = (result.get("driver") or "", result.get("pool") or "", result.get("device") or "")
        slices = self.cache.by_index(RESOURCE_SLICES, BY_POOL, f"{device[0]}/{device[1]}")
        newest = max((_generation(found) for found in slices), default=0)
        for found in slices:
            if _generation(found) == newest:
                yield from _tainted(found).get(device[2], ())
        for rule in self.cache.list(DEVICE_TAINT_RULES):
            if is_meant((rule.get("spec") or {}).get("deviceSelector"), device):
                yield from _taint_of(rule)


def _generation(found: Object) -> int:
    return ((found.get("spec") or {}).get("pool") or {}).get("generation") or 0
