"""What both controllers of endpoints do alike: hear of pods through their services, and rest after syncs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from wherry.api.core.pods import PODS
from wherry.api.core.services import SERVICES
from wherry.client.cache import Cache
from wherry.controllers.base import Controller, Environment
from wherry.controllers.endpoints.members import is_same_to_endpoints
from wherry.controllers.endpoints.membership import Membership
from wherry.controllers.endpoints.trigger_times import TriggerTimes
from wherry.objects.meta import Object


class ServiceController(Controller):
    """Keys are services'."""

    primary: ClassVar = SERVICES

    def __init__(self, environment: Environment) -> None:
        self.members = environment.shared(Membership)
        self.trigger_times = TriggerTimes()
        super().__init__(environment)

    def watch_sources(self) -> None:
        """Beside the fixed kinds: pods, through the services that select them or did."""
        super().watch_sources()
        self._watch(PODS, self._services_of_pod)

    def note_sync(self, key: str) -> None:
        """The service is being brought up to date now."""
        self.rests.note(key, self.members.count(key))

    def _services_of_pod(self, _: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        if old is not None and new is not None and is_same_to_endpoints(old, new):
            return ()
        keys: set[str] = set()
        for pod in (old, new):
            if pod is not None:
                keys |= self.members.services_of(pod)
        return keys
