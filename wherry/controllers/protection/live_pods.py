"""One look at a namespace's pods as they are stored, for all objects that wait to be let go: `LivePods`.

The cache may not know a pod yet that was just made or bound, so the API server is asked. Listing pods for
each object that is deleted would cost objects times pods; upstream's claim protection shares its list as well
(pkg/controller/volume/pvcprotection, LazyLivePodList).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from wherry.api.core.pods import PODS
from wherry.client.api import Client
from wherry.controllers.rests import Rests
from wherry.kit.clock import Clock
from wherry.kit.portions import Portions, Work
from wherry.objects.meta import Object, key_of, namespace_of, uid_of

VALID_S = 10.0
"""So long an object goes by a look that was taken after its deletion; later it waits for another."""
REST_PER_POD_S = 0.001
"""Between two looks at one namespace, for each of its pods."""


class LivePods:
    """Says which of the objects that wait (`waiting(namespace)`, deleted already) no stored pod uses.

    `keys_of` are the keys of all objects a pod may use, `uses` says whether it does.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        waiting: Callable[[str], Iterable[Object]],
        keys_of: Callable[[Object], Sequence[str]],
        uses: Callable[[Object, Object], bool],
    ) -> None:
        self._client = client
        self._clock = clock
        self._waiting = waiting
        self._keys_of = keys_of
        self._uses = uses
        self._rests = Rests(clock, REST_PER_POD_S)
        self._free: dict[str, tuple[float, set[str]]] = {}
        """Of each namespace looked at lately: when, and the uids of those that nobody used then."""
        self._one = asyncio.Lock()

    def rest_s(self, obj: Object) -> float:
        """Seconds until `is_free` may be asked of the object; 0 when it may."""
        return 0.0 if self._is_known(obj) else max(self._rests.left_s(namespace_of(obj)), 0.0)

    async def is_free(self, obj: Object) -> bool:
        """Whether no pod used the object at some moment after its deletion. Raises ApiError."""
        async with self._one:
            if not self._is_known(obj):
                await self._look(namespace_of(obj))
            known = self._is_known(obj)
            self._free[namespace_of(obj)][1].discard(uid_of(obj))  # let go now, or asked of anew
            return known

    def _is_known(self, obj: Object) -> bool:
        known = self._free.get(namespace_of(obj))
        return known is not None and uid_of(obj) in known[1] and self._clock.monotonic() - known[0] < VALID_S

    async def _look(self, namespace: str) -> None:
        # Who waits first: a look holds for those alone that were deleted before it.
        waiting, now = list(self._waiting(namespace)), self._clock.monotonic()
        pods, portions = (await self._client.list(PODS, namespace)).items, Portions(Work.CONTROLLING)
        by_key: defaultdict[str, list[Object]] = defaultdict(list)
        for pod in pods:
            await portions.next()
            for key in self._keys_of(pod):
                by_key[key].append(pod)
        free: set[str] = set()
        for obj in waiting:
            await portions.next()
            if not any(self._uses(pod, obj) for pod in by_key.get(key_of(obj), ())):
                free.add(uid_of(obj))
        self._free = {name: look for name, look in self._free.items() if now - look[0] < VALID_S}
        self._free[namespace] = (now, free)
        self._rests.note(namespace, len(pods))
