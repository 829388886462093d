"""A scheduler that begins with the first pod, or the first node it could put one on: `Standby`.

Where clusters are many and short, as in tests, most have few pods or none: they need not pay for what the
scheduler watches and for its columns (NumPy among them). And where a node is just coming, loading these
would hold up what it waits for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from random import Random
from typing import TYPE_CHECKING

from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.kit.clock import Clock
from wherry.kit.tasks import Tasks, shared
from wherry.objects.conditions import is_true
from wherry.objects.meta import Object

if TYPE_CHECKING:
    from wherry.scheduler.explain.explainer import Explainer
    from wherry.scheduler.scheduler import Scheduler

log = logging.getLogger(__name__)


class Standby:
    """Waits for a pod, and then has the scheduler that `make` gives work.

    Unless it `waits_for_pods` alone, a Ready node will do.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        random: Random,
        make: Callable[[], Awaitable[Scheduler]],
        *,
        waits_for_pods: bool,
    ) -> None:
        self._cache = Cache(client, clock, random=random)
        self._waits_for_pods = waits_for_pods
        self._make = make
        self._scheduler: Scheduler | None = None
        self._beginning: asyncio.Task[None] | None = None
        self._tasks = Tasks("scheduler standby")

    async def start(self) -> None:
        """Begin; returns when it is known whether there are pods, and the scheduler runs if there are."""
        self._cache.on(PODS, self._pod_changed)
        if not self._waits_for_pods:
            self._cache.on(NODES, self._node_changed)
        await self._cache.start()
        if self._beginning is not None:
            await self._beginning

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and not self._tasks.is_closed:
            self._begin_once()

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None or self._tasks.is_closed:
            return
        if is_true((new.get("status") or {}).get("conditions"), "Ready"):
            self._begin_once()

    def _begin_once(self) -> asyncio.Task[None]:
        if self._beginning is None:
            self._beginning = self._tasks.spawn(self._begin(), "beginning")
        return self._beginning

    async def _begin(self) -> None:
        scheduler = self._scheduler = await self._make()
        await scheduler.start()
        log.info("the scheduler runs")
        await self._cache.remove(PODS)
        if not self._waits_for_pods:
            await self._cache.remove(NODES)

    async def explainer(self) -> Explainer:
        """What tells why pods are where they are; the scheduler begins if it has not yet."""
        await shared(self._begin_once(), "the scheduler's start")
        assert self._scheduler is not None, "it has begun"
        return self._scheduler.explainer

    async def close(self) -> None:
        """End, and with it the scheduler."""
        await self._tasks.close()
        await self._cache.close()
        if self._scheduler is not None:
            await self._scheduler.close()
