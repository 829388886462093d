"""The kinds quotas count, followed as long as a quota names them.

What changes in pods, services and claims matters, so these are followed in the cache all controllers
share; of everything else only coming and going does, so only metadata is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from wherry.api.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIMS
from wherry.api.core.pods import PODS
from wherry.api.core.services import SERVICES
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.api.quota.catalog import counted_kinds
from wherry.api.quota.evaluator import Evaluator
from wherry.api.resource import Resource
from wherry.client.cache import Cache
from wherry.client.informer import Informer
from wherry.kit.clock import Clock
from wherry.objects.errors import service_unavailable
from wherry.objects.meta import Object, metadata

READ_WHOLE = (PODS, SERVICES, PERSISTENT_VOLUME_CLAIMS, RESOURCE_CLAIMS)
PATIENCE_S = 10.0
"""How long a kind may take to be listed before a count is put off."""
KEPT = ("name", "namespace", "uid", "resourceVersion")
Changed = Callable[[Evaluator, Object | None, Object | None], None]


def counted_only(obj: Object) -> Object:
    """What counting an object needs of it."""
    meta = metadata(obj)
    return {"metadata": {name: meta[name] for name in KEPT if name in meta}}


class Counted:
    """Informers of the counted kinds; `changed` hears of every event of them.

    `whole` is a cache of whole objects that is started and closed by others, `counts` one for
    `counted_only` objects that belongs to this.
    """

    def __init__(self, whole: Cache, counts: Cache, changed: Changed, clock: Clock) -> None:
        self._whole = whole
        self._counts = counts
        self._changed = changed
        self._clock = clock
        self._followed: dict[Resource, Evaluator] = {}

    async def start(self) -> None:
        """Begin following."""
        await self._counts.start()

    async def close(self) -> None:
        """Stop following."""
        await self._counts.close()

    async def forget_all_but(self, served: Sequence[Resource]) -> None:
        """Stop following kinds that are not served any more."""
        gone = [r for r in self._followed if r not in served and r not in READ_WHOLE]
        for resource in gone:
            del self._followed[resource]
            await self._counts.remove(resource)

    async def kinds(
        self, names: Iterable[str], served: Sequence[Resource]
    ) -> list[tuple[Resource, Evaluator]]:
        """The kinds that use the quota's resource `names`, each listed at least once by now.

        Raises ApiError (503) when one cannot be listed for a while: it may not be served any more.
        """
        kinds = counted_kinds(names, served)
        for resource, evaluator in kinds:
            if resource not in self._followed:
                self._followed[resource] = evaluator
                self._cache_of(resource).on(resource, self._handler(evaluator))
        for resource, _ in kinds:
            await self._listed(self._cache_of(resource).add(resource))
        return kinds

    async def _listed(self, informer: Informer) -> None:
        if informer.synced:
            return
        waiting = asyncio.ensure_future(informer.wait_synced())

        def give_up() -> None:
            waiting.cancel()

        timer = self._clock.call_later(PATIENCE_S, give_up)
        try:
            await asyncio.wait([waiting])
        finally:
            timer.cancel()
            waiting.cancel()
        if not informer.synced:
            raise service_unavailable(f"{informer.resource.plural} could not be listed in {PATIENCE_S:g} s")

    def _cache_of(self, resource: Resource) -> Cache:
        return self._whole if resource in READ_WHOLE else self._counts

    def _handler(self, evaluator: Evaluator) -> Callable[[Object | None, Object | None], None]:
        return lambda old, new: self._changed(evaluator, old, new)
