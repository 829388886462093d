"""What the API server shows of an agent's own Node: the pods' range it was given, and whether it is Ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from wherry.api.core.nodes import NODES
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.kit.clock import Clock
from wherry.objects.conditions import is_true
from wherry.objects.meta import Object


class OwnNode:
    """Follows one Node. `on_range` is called with each range of pods' addresses it is given."""

    def __init__(
        self, client: Client, name: str, clock: Clock, random: Random, on_range: Callable[[str], None]
    ) -> None:
        self.ready = asyncio.Event()
        """Set once the Node was Ready."""
        self._on_range = on_range
        self._range = ""
        self._cache = Cache(client, clock, random=random)
        self._cache.add(NODES, field_selector=f"metadata.name={name}")
        self._cache.on(NODES, self._changed)

    async def start(self) -> None:
        """Begin; waits for the API server."""
        await self._cache.start()

    async def close(self) -> None:
        """End. May be called before `start`."""
        await self._cache.close()

    def _changed(self, _: Object | None, node: Object | None) -> None:
        if node is None:
            return
        given = (node.get("spec") or {}).get("podCIDR") or ""
        if given and given != self._range:
            self._range = given
            self._on_range(given)
        if is_true((node.get("status") or {}).get("conditions"), "Ready"):
            self.ready.set()
