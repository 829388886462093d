"""Device taint eviction: deletes pods whose claims do not tolerate a NoExecute taint of a device they use.

Taints are those of the device in its slice, and of DeviceTaintRules. A claim that tolerates one for a while
keeps its pods so long, counted from the taint; nothing of this is remembered, so a restart changes nothing.
Each rule tells how far its evictions are (`device_taint_status`). Keys are those of pods, and names of rules.
Source: pkg/controller/devicetainteviction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar

from wherry.api.core.pods import PODS
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
from wherry.controllers.base import Environment
from wherry.controllers.device_taint_status import IN_PROGRESS, Counts, condition, effect_of, rest_s
from wherry.controllers.device_users import (
    BY_SELECTOR,
    DeviceUsers,
    device_of,
    results_of,
    users_of_claim,
)
from wherry.controllers.nodes.tolerations import evict_at, no_execute
from wherry.controllers.timed_eviction import TimedEviction
from wherry.kit.portions import Portions, Work
from wherry.objects.meta import Object, is_deleting, key_of, name_of, uid_of

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
    return _any_selector_of(rule)


def _any_selector_of(rule: Object) -> list[str]:
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

    def __init__(self, environment: Environment) -> None:
        self._blamed: dict[str, frozenset[str]] = {}
        """The rules that drive each pod away, by their names."""
        self._evicted: Counter[str] = Counter()
        """How many pods went because of each rule, by its uid."""
        super().__init__(environment)

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
        if old is not None and new is None:
            self._evicted.pop(uid_of(old), None)
        if (old or {}).get("spec") == (new or {}).get("spec"):
            return ()
        self._users.put([*_selector_of(old), *_selector_of(new)])
        return (name_of(new or old or {}),)

    async def sync(self, key: str) -> float | None:
        """See `TimedEviction`; and tell the rules a pod goes by, or does not go by any more."""
        if "/" not in key:
            return await self._tell(key)
        try:
            return await super().sync(key)
        finally:
            self._blame(key)

    def _blame(self, key: str) -> None:
        """Note which rules drive a pod away; those for which that changed say so."""
        pod = self.cache.get(PODS, key)
        is_there = pod is not None and not self._is_out_of_reach(pod)
        now = frozenset(self._rules_against(pod)) if pod is not None and is_there else frozenset()
        before = self._blamed.pop(key, frozenset())
        if now:
            self._blamed[key] = now
        for name in sorted(now ^ before):
            self.queue.add(name)

    def _rules_against(self, pod: Object) -> Iterator[str]:
        """The names of the rules that drive a pod away, now or later."""
        now = self.clock.now()
        for tolerations, result in self._results_of(pod):
            for rule in self._rules_of(result):
                if evict_at(_taint_of(rule), tolerations, now) is not None:
                    yield name_of(rule)

    async def _evict(self, key: str, pod: Object) -> None:
        rules = {name: self.cache.get(DEVICE_TAINT_RULES, name) for name in set(self._rules_against(pod))}
        await super()._evict(key, pod)
        for name, rule in rules.items():
            still = self.cache.get(DEVICE_TAINT_RULES, name)
            if rule is not None and still is not None and uid_of(rule) == uid_of(still):
                self._evicted[uid_of(rule)] += 1

    async def _tell(self, name: str) -> float | None:
        """Have a rule tell how far its evictions are."""
        rule = self.cache.get(DEVICE_TAINT_RULES, name)
        if rule is None:
            return None
        left_s = rest_s(rule, self.clock.now())
        if left_s > 0:
            return left_s
        told = condition(rule, await self._counts(rule), self.clock.now())
        status = rule.get("status") or {}
        others = [one for one in status.get("conditions") or () if one.get("type") != IN_PROGRESS]
        await self.write_status(rule, {**status, "conditions": [*others, told]}, DEVICE_TAINT_RULES)
        return None

    async def _counts(self, rule: Object) -> Counts:
        """What a rule is about, as far as it says so."""
        evicted, effect = self._evicted[uid_of(rule)], effect_of(rule)
        if effect not in ("NoExecute", "None"):
            return Counts(evicted=evicted)
        taint = {**((rule.get("spec") or {}).get("taint") or {}), "effect": "NoExecute"}
        pods: set[str] = set()
        published = allocated = 0
        portions, now = Portions(Work.CONTROLLING), self.clock.now()
        for selector in _any_selector_of(rule):
            for claim in self.cache.by_index(RESOURCE_CLAIMS, BY_SELECTOR, selector):
                await portions.next()
                meant = [one for one in results_of(claim) if selector in selectors_of(device_of(one))]
                allocated += len(meant)
                if any(evict_at([taint], one.get("tolerations") or (), now) is not None for one in meant):
                    pods.update(filter(self._is_pending, users_of_claim(claim)))
            if effect == "None":
                published = await self._published(selector, portions)
        return Counts(len(pods), len({key.partition("/")[0] for key in pods}), published, allocated, evicted)

    def _is_pending(self, key: str) -> bool:
        pod = self.cache.get(PODS, key)
        return pod is not None and not self._is_out_of_reach(pod)

    async def _published(self, selector: str, portions: Portions) -> int:
        """How many devices of the newest slices a selector means."""
        count = 0
        for found in self.cache.list(RESOURCE_SLICES):
            await portions.next()
            (pool,) = _pool_of_slice(found)
            if _generation(found) != self._newest(pool):
                continue
            driver, _, name = pool.partition("/")
            for device in (found.get("spec") or {}).get("devices") or ():
                count += selector in selectors_of((driver, name, device.get("name") or ""))
        return count

    def _newest(self, pool: str) -> int:
        return max(map(_generation, self.cache.by_index(RESOURCE_SLICES, BY_POOL, pool)), default=0)

    def map_primary(self, cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """Only pods that use claims are of interest."""
        pod = new or old or {}
        uses = (pod.get("spec") or {}).get("resourceClaims") or extended_claim(pod)
        return (key_of(pod),) if uses else ()

    def _is_out_of_reach(self, pod: Object) -> bool:
        return is_deleting(pod) or is_done(pod)

    def _evict_at(self, pod: Object, now: datetime) -> datetime | None:
        """When the pod must go because of the devices it uses, None for never."""
        times = [
            evict_at([taint], tolerations, now)
            for tolerations, result in self._results_of(pod)
            for taint in self._taints_of(result)
        ]
        return min((time for time in times if time is not None), default=None)

    def _results_of(self, pod: Object) -> Iterator[tuple[list[Any], Mapping[str, Any]]]:
        """The devices a pod uses, with what it tolerates of each."""
        for claim_key in claim_keys(pod):
            claim = self.cache.get(RESOURCE_CLAIMS, claim_key)
            if claim is not None and is_reserved_for(claim, uid_of(pod)):
                for result in results_of(claim):
                    yield result.get("tolerations") or [], result

    def _taints_of(self, result: Mapping[str, Any]) -> Iterator[Any]:
        """The NoExecute taints of an allocated device, those of rules included."""
        device = device_of(result)
        pool = f"{device[0]}/{device[1]}"
        newest = self._newest(pool)
        for found in self.cache.by_index(RESOURCE_SLICES, BY_POOL, pool):
            if _generation(found) == newest:
                yield from _tainted(found).get(device[2], ())
        for rule in self._rules_of(result):
            yield from _taint_of(rule)

    def _rules_of(self, result: Mapping[str, Any]) -> Iterator[Object]:
        """The rules that drive those away who use an allocated device."""
        for key in selectors_of(device_of(result)):
            yield from self.cache.by_index(DEVICE_TAINT_RULES, BY_SELECTOR, key)


def _generation(found: Object) -> int:
    return ((found.get("spec") or {}).get("pool") or {}).get("generation") or 0
