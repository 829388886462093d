"""The ConfigMaps and Secrets this node's pods use: each watched while somebody refers to it.

A node may read only what its pods use, so there is one small watch per object instead of one for all.
Holders are told when an object they hold changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.secrets import SECRETS
from wherry.api.resource import Resource
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.kit.clock import Clock
from wherry.kit.tasks import Tasks, shared
from wherry.objects.meta import Object

Reference: TypeAlias = tuple[str, str, str]
"""(kind, namespace, name)."""

KINDS: Mapping[str, Resource] = {"ConfigMap": CONFIG_MAPS, "Secret": SECRETS}


class _Watched:
    """One object, followed by a cache of its own."""

    def __init__(self, client: Client, clock: Clock, reference: Reference) -> None:
        kind, namespace, name = reference
        self.resource = KINDS[kind]
        self.key = f"{namespace}/{name}"
        self.holders: set[str] = set()
        self.cache = Cache(client, clock)
        self.cache.add(self.resource, namespace=namespace, field_selector=f"metadata.name={name}")
        self.listed: asyncio.Task[None] | None = None

    @property
    def has_failed(self) -> bool:
        """Whether it could not even begin, and is to be begun anew."""
        listed = self.listed
        return listed is not None and listed.done() and (listed.cancelled() or bool(listed.exception()))


class References:
    """Watches of single objects, counted by holder (a pod's uid)."""

    def __init__(self, client: Client, clock: Clock, on_change: Callable[[str], None]) -> None:
        self._client = client
        self._clock = clock
        self._on_change = on_change
        self._watched: dict[Reference, _Watched] = {}
        self._tasks = Tasks("references")

    async def hold(self, holder: str, references: set[Reference]) -> None:
        """Follow these objects for `holder`, and return when each was read once."""
        for reference in references:
            watched = self._watched.get(reference)
            if watched is None or watched.has_failed:
                watched = self._begin(reference, watched)
            watched.holders.add(holder)
        waits = [w.listed for r in references if (w := self._watched[r]).listed is not None]
        if waits:
            await asyncio.gather(*(shared(task, "the first read") for task in waits))

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """The object as last seen, None when there is none.

        Raises KeyError when nobody holds it: hold first.
        """
        watched = self._watched[(kind, namespace, name)]
        return watched.cache.get(watched.resource, watched.key)

    def release(self, holder: str) -> None:
        """`holder` needs nothing any more; what nobody holds is followed no longer."""
        for reference, watched in list(self._watched.items()):
            watched.holders.discard(holder)
            if not watched.holders:
                del self._watched[reference]
                self._tasks.spawn(self._end(watched), f"release {watched.key}")

    async def close(self) -> None:
        """Stop following everything."""
        watched = list(self._watched.values())
        self._watched.clear()
        await self._tasks.close()
        for one in watched:
            await one.cache.close()

    def _begin(self, reference: Reference, failed: _Watched | None) -> _Watched:
        watched = _Watched(self._client, self._clock, reference)
        self._watched[reference] = watched
        if failed is not None:
            watched.holders |= failed.holders
            self._tasks.spawn(self._end(failed), f"give up {failed.key}")
        watched.cache.on(watched.resource, partial(self._changed, reference))
        watched.listed = self._tasks.spawn(watched.cache.start(), f"list {watched.key}")
        return watched

    def _changed(self, reference: Reference, _old: Object | None, _new: Object | None) -> None:
        watched = self._watched.get(reference)
        if watched is not None and watched.listed is not None and watched.listed.done():
            for holder in list(watched.holders):
                self._on_change(holder)

    async def _end(self, watched: _Watched) -> None:
        if watched.listed is not None:
            watched.listed.cancel()
        await watched.cache.close()
