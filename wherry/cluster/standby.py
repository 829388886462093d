"""A scheduler that begins with the first pod: `Standby`.

Where clusters are many and short, as in tests, most have few pods or none: they need not pay for what the
scheduler watches and for its columns (NumPy among them).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from wherry.api.core.pods import PODS
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.kit.clock import Clock
from wherry.kit.tasks import Tasks
from wherry.objects.meta import Object

if TYPE_CHECKING:
    from wherry.scheduler.explain.explainer import Explainer
    from wherry.scheduler.scheduler import Scheduler


class Standby:
    """Waits for a pod, and then has the scheduler that `make` gives work."""

    def __init__(self, client: Client, clock: Clock, random: Random, make: Callable[[], Scheduler]) -> None:
        self._cache = Cache(client, clock, random=random)
        self._make = make
        self._scheduler: Scheduler | None = None
        self._beginning: asyncio.Task[None] | None = None
        self._tasks = Tasks("scheduler standby")

    async def start(self) -> None:
        """Begin; returns when it is known whether there are pods, and the scheduler runs if there are."""
        self._cache.on(PODS, self._pod_changed)
        await self._cache.start()
        if self._beginning is not None:
            await self._beginning

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if self._scheduler is None and new is not None:
            self._scheduler = self._make()
            self._beginning = self._tasks.spawn(self._begin(self._scheduler), "beginning")

    async def _begin(self, scheduler: Scheduler) -> None:
        await scheduler.start()
        await self._cache.remove(PODS)

    async def explainer(self) -> Explainer:
        """What tells why pods are where they are; the scheduler begins if it has not yet."""
        if self._scheduler is None:
            self._pod_changed(None, {})
        assert self._scheduler is not None
        if self._beginning is not None:
            await asyncio.shield(self._beginning)
        return self._scheduler.explainer

    async def close(self) -> None:
        """End, and with it the scheduler."""
        await self._tasks.close()
        await self._cache.close()
        if self._scheduler is not None:
            await self._scheduler.close()
