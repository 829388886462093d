"""Evicting pods when their time has come, unless it is put off: for taints of nodes, and of devices."""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime
from typing import ClassVar

from wherry.api.core.pods import PODS
from wherry.client.events import NORMAL
from wherry.controllers.base import Controller, Environment
from wherry.controllers.pod_control import report_disruption
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, is_deleting


class TimedEviction(Controller):
    """Deletes pods when `_evict_at` says so; nothing is remembered that a restart could lose."""

    primary = PODS
    reason: ClassVar[str]
    """That of its events."""
    marked: ClassVar[str] = "Marking for deletion"
    """What the event of a pod that goes says; `{key}` is the pod's."""
    spared: ClassVar[str] = "Cancelling deletion"
    """What that of one says that need not go after all."""
    disruption: ClassVar[tuple[str, str]]
    """Reason and message of the condition DisruptionTarget."""

    def __init__(self, environment: Environment) -> None:
        self._due: set[str] = set()
        super().__init__(environment)

    @abstractmethod
    def _evict_at(self, pod: Object, now: datetime) -> datetime | None:
        """When the pod must go, None for never."""

    def _is_out_of_reach(self, pod: Object) -> bool:
        """Whether the pod need not be evicted any more."""
        return is_deleting(pod)

    async def sync(self, key: str) -> float | None:
        """Delete the pod if its time is over, else come again when it is."""
        pod = self.cache.get(PODS, key)
        if pod is None or self._is_out_of_reach(pod):
            self._due.discard(key)
            return None
        now = self.clock.now()
        due = self._evict_at(pod, now)
        if due is None:
            if key in self._due:
                self._due.discard(key)
                self.events.event(pod, NORMAL, self.reason, self.spared.format(key=key))
            return None
        self._due.add(key)
        if due > now:
            return (due - now).total_seconds()
        await self._evict(key, pod)
        self._due.discard(key)
        return None

    async def _evict(self, key: str, pod: Object) -> None:
        self.events.event(pod, NORMAL, self.reason, self.marked.format(key=key))
        try:
            await report_disruption(self.client, self.clock, pod, *self.disruption)
        except ApiError as error:
            if error.code != 404:
                raise
        await self.delete(key, PODS, pod)
