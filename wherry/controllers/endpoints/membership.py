"""Which pods each service selects."""

from __future__ import annotations

from wherry.api.core.services import SERVICES
from wherry.client.cache import Cache
from wherry.controllers.endpoints.members import selects
from wherry.controllers.selected_pods import SelectedPods
from wherry.objects.meta import Object, key_of, namespace_of
from wherry.objects.selectors import from_map


class Membership:
    """Follows pods and services through `cache`; make it before anybody maps their events by it.

    Both controllers of endpoints share one (`Environment.shared`).
    """

    def __init__(self, cache: Cache) -> None:
        self._pods = SelectedPods(cache)
        cache.on(SERVICES, self._service_changed)

    def services_of(self, pod: Object) -> set[str]:
        """The keys of the services that select the pod."""
        return self._pods.selecting_pod(pod)

    async def pods_of(self, service: Object) -> list[Object]:
        """The pods the service selects, ended and deleted ones too, in no order."""
        return await self._pods.pods_of(key_of(service))

    def count(self, key: str) -> int:
        """How many pods the service is known to select."""
        return self._pods.count(key)

    def _service_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and selects(new):
            self._pods.follow(key_of(new), namespace_of(new), from_map(new["spec"]["selector"]))
        else:
            self._pods.forget(key_of(new or old or {}))
