"""Counting what a namespace uses, whenever something gives back what it used.

Creations need no count: admission has reserved for them. But a count that is made while an object is
on its way into the store misses it. This project's API server adds what it knows to be under way, and the
count is made again when that is over; with another one, an object that appears soon after a count has it
made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from wherry.api.apiextensions.custom_resource_definitions import CUSTOM_RESOURCE_DEFINITIONS
from wherry.api.core.pods import PODS
from wherry.api.core.resource_quotas import RESOURCE_QUOTAS
from wherry.api.quota.amounts import Amounts, add, spell_all
from wherry.api.quota.evaluator import Evaluator
from wherry.api.quota.pods import is_counted, released_at
from wherry.api.quota.usage import usage_of
from wherry.api.resource import Resource
from wherry.client.cache import Cache
from wherry.controllers.base import Controller, Environment
from wherry.controllers.resourcequota.counted import Counted, counted_only
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, key_of, namespace_of, split_key

CONFLICT_ATTEMPTS = 5
RECOUNT_WITHIN_S = 5.0
"""An object that appears within this time of a count may have been on its way during it."""
RECOUNT_DELAY_S = 0.2
APPEARED_DELAY_S = 1.0
RESTS = 10
"""How many times as long as a count took the next one waits: emptying a large namespace is not counted
through after every single deletion."""
DEFINITIONS_DELAY_S = 1.0
OVERDUE_MARGIN_S = 1.0


class ResourceQuotas(Controller):
    """Keeps the status of quotas."""

    name = "resourcequota-controller"
    account = "resourcequota-controller"
    component = "resourcequota-controller"
    primary = RESOURCE_QUOTAS

    def __init__(self, environment: Environment) -> None:
        counts = Cache(
            environment.client, environment.clock, random=environment.random, transform=counted_only
        )
        self._counted = Counted(environment.cache, counts, self._object_changed, environment.clock)
        self._counted_at: dict[str, float] = {}
        super().__init__(environment)
        self.cache.on(CUSTOM_RESOURCE_DEFINITIONS, self._definitions_changed)

    def map_primary(self, cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """A quota whose limits changed; what it says of their use is this controller's own word."""
        if new is None:
            self._counted_at.pop(key_of(old or {}), None)
            self.rests.rest(key_of(old or {}), 0)
        elif old is None or (old.get("spec") != new.get("spec")):
            self.rests.rest(key_of(new), 0)  # somebody waits to see the new limits
            yield key_of(new)

    async def start(self) -> None:
        """Begin following and counting."""
        await self._counted.start()
        await super().start()

    async def close(self) -> None:
        """Stop counting, then following."""
        await super().close()
        await self._counted.close()

    async def sync(self, key: str) -> float | None:
        """Count anew; seconds until the next count is due anyway."""
        quota = self.cache.get(RESOURCE_QUOTAS, key)
        if quota is None:
            return None
        served = self.config.resources()
        await self._counted.forget_all_but(served)
        hard = (quota.get("spec") or {}).get("hard") or {}
        kinds = await self._counted.kinds(hard, served)
        for _ in range(CONFLICT_ATTEMPTS):
            wanted = plan_status(quota, await self._count(key, quota, kinds))
            try:
                written = await self.write_status(quota, wanted)
            except ApiError as error:
                if error.code == 404:
                    return None
                if error.code != 409:
                    raise
                # Admission has reserved something meanwhile: that is to be counted too.
                found = await self._read(key)
                if found is None:
                    return None
                quota = found
                continue
            break
        else:
            return RECOUNT_DELAY_S
        if (written.get("status") or {}).get("used") != wanted["used"]:
            return RECOUNT_DELAY_S  # the server knows of something that may have been missed
        return self._next_count_s(kinds, quota)

    async def _read(self, key: str) -> Object | None:
        """The quota as it stands. By a list: this controller's account may not get it (upstream's rights)."""
        namespace, name = split_key(key)
        listed = await self.client.list(RESOURCE_QUOTAS, namespace, field_selector=f"metadata.name={name}")
        return listed.items[0] if listed.items else None

    async def _count(self, key: str, quota: Object, kinds: Sequence[tuple[Resource, Evaluator]]) -> Amounts:
        """What is used now, later than the version of `quota`: the caches may be behind it."""
        begun = self.clock.monotonic()
        used: Amounts = {}
        for resource, evaluator in kinds:
            listed = await self.client.list(resource, namespace_of(quota))
            add(used, usage_of(quota, evaluator, listed.items, self.clock.now()))
        ended = self._counted_at[key] = self.clock.monotonic()
        self.rests.rest(key, (ended - begun) * RESTS)
        return used

    def _next_count_s(self, kinds: Sequence[tuple[Resource, Evaluator]], quota: Object) -> float:
        """When a deleted pod's time will be over, or a full count is due."""
        due_s = self.config.quota_resync_s
        if any(resource is PODS for resource, _ in kinds):
            for moment in overdue(self.cache.list(PODS, namespace_of(quota)), self.clock.now()):
                due_s = min(due_s, (moment - self.clock.now()).total_seconds() + OVERDUE_MARGIN_S)
        return due_s

    def _object_changed(self, evaluator: Evaluator, old: Object | None, new: Object | None) -> None:
        obj = new or old or {}
        for quota in self.cache.list(RESOURCE_QUOTAS, namespace_of(obj)):
            if not evaluator.matching((quota.get("spec") or {}).get("hard") or ()):
                continue
            key = key_of(quota)
            if old is None:
                self._appeared(key)
            elif new is None or self._uses_otherwise(evaluator, old, new):
                self.queue.add_after(key, self.rests.left_s(key))

    def _uses_otherwise(self, evaluator: Evaluator, old: Object, new: Object) -> bool:
        now = self.clock.now()
        return is_on_its_way_out(old, new) or evaluator.usage(old, now) != evaluator.usage(new, now)

    def _appeared(self, key: str) -> None:
        counted_at = self._counted_at.get(key)
        if counted_at is not None and self.clock.monotonic() - counted_at < RECOUNT_WITHIN_S:
            self.queue.add_after(key, max(self.rests.left_s(key), APPEARED_DELAY_S))

    def _definitions_changed(self, _old: Object | None, _new: Object | None) -> None:
        # A moment later, when the API server serves what the definition says.
        for quota in self.cache.list(RESOURCE_QUOTAS):
            if any(name.startswith("count/") for name in (quota.get("spec") or {}).get("hard") or ()):
                self.queue.add_after(key_of(quota), DEFINITIONS_DELAY_S)


def plan_status(quota: Object, counted: Amounts) -> Object:
    """The quota's status when `counted` is used of it; what could not be counted stays as it was."""
    hard = (quota.get("spec") or {}).get("hard") or {}
    before = (quota.get("status") or {}).get("used") or {}
    kept = {name: amount for name, amount in before.items() if name in hard and name not in counted}
    return {"hard": dict(hard), "used": {**kept, **spell_all(counted, hard)}}


def overdue(pods: Iterable[Object], now: datetime) -> list[datetime]:
    """When deleted pods that still count will count no more."""
    moments = [released_at(pod) for pod in pods if is_counted(pod, now)]
    return [moment for moment in moments if moment is not None]


def is_on_its_way_out(old: Object, new: Object) -> bool:
    """Whether the object's deletion has just been asked for: a count tells when it is overdue."""
    return bool(released_at(new)) and released_at(old) != released_at(new)
