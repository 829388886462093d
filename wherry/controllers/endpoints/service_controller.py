"""What both controllers of endpoints do alike: hear of pods through their services, and rest between syncs.

A service of thousands of pods is not written anew for each of them: after a sync its key rests for a while
that grows with its pods, so that what happens meanwhile is one write.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from wherry.api.core.pods import PODS
from wherry.api.core.services import SERVICES
from wherry.api.resource import Resource
from wherry.client.cache import Cache
from wherry.controllers.base import Controller, Environment, Mapper
from wherry.controllers.endpoints.members import is_same_to_endpoints
from wherry.controllers.endpoints.membership import Membership
from wherry.objects.meta import Object

REST_FROM = 100
"""Services of fewer pods are synced at once, always."""
REST_PER_POD_S = 0.001
LONGEST_REST_S = 1.0


def rest_s(pods: int) -> float:
    """Seconds between two syncs of a service of so many pods."""
    return min(pods * REST_PER_POD_S, LONGEST_REST_S) if pods >= REST_FROM else 0.0


class ServiceController(Controller):
    """Keys are services'."""

    primary: ClassVar = SERVICES

    def __init__(self, environment: Environment) -> None:
        self.members = environment.shared(Membership)
        self._synced_at: dict[str, float] = {}
        super().__init__(environment)

    def watch_sources(self) -> None:
        """Beside the fixed kinds: pods, through the services that select them or did."""
        super().watch_sources()
        self._watch(PODS, self._services_of_pod)

    def map_event(self, resource: Resource, mapper: Mapper, old: Object | None, new: Object | None) -> None:
        """Queue the keys an event concerns, large services after their rest."""
        for key in mapper(self.cache, old, new):
            synced_at = self._synced_at.get(key)
            if synced_at is None:
                self.queue.add(key)
            else:
                due = synced_at + rest_s(self.members.count(key))
                self.queue.add_after(key, due - self.clock.monotonic())

    def note_sync(self, key: str) -> None:
        """The service is being brought up to date now."""
        if self.members.count(key) >= REST_FROM:
            self._synced_at[key] = self.clock.monotonic()
        else:
            self._synced_at.pop(key, None)

    def _services_of_pod(self, _: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        if old is not None and new is not None and is_same_to_endpoints(old, new):
            return ()
        keys: set[str] = set()
        for pod in (old, new):
            if pod is not None:
                keys |= self.members.services_of(pod)
        return keys
