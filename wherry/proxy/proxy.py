"""Keeps the kernel's rules in step with Services and EndpointSlices.

Changes only mark the rules as stale; one task brings them up to date, as often as there was change
since it last began, so a burst of changes costs one update. A failed update is repeated with
growing delays until it succeeds.
"""

from __future__ import annotations

import asyncio
import logging

from wherry.api.core.services import SERVICES
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.kit.clock import Clock
from wherry.kit.tasks import Tasks
from wherry.objects.meta import Object
from wherry.proxy.backends.base import Backend, BackendError
from wherry.proxy.conntrack import flush, plan_flushes
from wherry.proxy.model import ServicePort, build_model

log = logging.getLogger(__name__)

FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 30.0


class Proxy:
    """One node's proxy, over any backend."""

    def __init__(self, client: Client, backend: Backend, node_name: str, clock: Clock) -> None:
        self._backend = backend
        self._node_name = node_name
        self._clock = clock
        self._cache = Cache(client, clock)
        self._tasks = Tasks("proxy")
        self._stale = asyncio.Event()
        self._first_sync = asyncio.Event()
        self._model: tuple[ServicePort, ...] = ()

    async def start(self) -> None:
        """Begin; returns when the rules stand for the first time."""
        for resource in (SERVICES, ENDPOINT_SLICES):
            self._cache.on(resource, self._changed)
        await self._cache.start()
        self._stale.set()
        self._tasks.spawn(self._run(), "sync")
        await self._first_sync.wait()

    async def close(self) -> None:
        """End; the rules stay, so that running pods go on being reached."""
        await self._tasks.close()
        await self._cache.close()

    def _changed(self, old: Object | None, new: Object | None) -> None:
        self._stale.set()

    async def _run(self) -> None:
        retry_s = FIRST_RETRY_S
        while True:
            await self._stale.wait()
            self._stale.clear()
            try:
                await self._sync()
                retry_s = FIRST_RETRY_S
            except BackendError as error:
                log.error("rules not updated, again in %.1f s: %s", retry_s, error)
                await self._clock.sleep(retry_s)
                retry_s = min(retry_s * 2, LONGEST_RETRY_S)
                self._stale.set()

    async def _sync(self) -> None:
        model = build_model(self._cache.list(SERVICES), self._cache.list(ENDPOINT_SLICES), self._node_name)
        if model != self._model or not self._first_sync.is_set():
            await self._backend.apply(model)
            await flush(plan_flushes(self._model, model))
            self._model = model
        self._first_sync.set()
