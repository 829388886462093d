"""Since when the use of legacy tokens is tracked: a ConfigMap that tells those who clean them up.

Source: pkg/controlplane/controller/legacytokentracking. It comes back when it is deleted, and with today's
date when it says none, or one that is still to come.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.apiserver.cached import CachedEvent
from wherry.apiserver.ensuring import create_if_missing
from wherry.apiserver.parts import Parts
from wherry.client.api import Client
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.objects.errors import ApiError
from wherry.store.base import Subscription

NAMESPACE, NAME = "kube-system", "kube-apiserver-legacy-service-account-token-tracking"
SINCE = "since"


class TokenTracking:
    """Keeps the ConfigMap what it should be, from its start on."""

    def __init__(self, parts: Parts, client: Client) -> None:
        self._parts = parts
        self._client = client
        self._feed: Subscription | None = None
        self._tasks = Tasks("legacy token tracking")
        self._repeater = Repeater(
            "the tracking of legacy tokens", self._again, self._tasks, parts.clock, expected=(ApiError,)
        )

    async def bring_about(self) -> None:
        """Create the ConfigMap, or put it right. Raises ApiError."""
        registry = self._parts.registry
        await registry.open((CONFIG_MAPS,))
        now = self._parts.clock.now()
        wanted = {SINCE: now.strftime("%Y-%m-%d")}
        cached = registry.of(CONFIG_MAPS).get(NAMESPACE, NAME)
        if cached is None:
            meta = {"name": NAME, "namespace": NAMESPACE}
            made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": wanted}
            await create_if_missing(self._client, CONFIG_MAPS, made)
            return
        present = cached.decode()
        data = present.get("data") or {}
        if not _is_date(data.get(SINCE) or "", now):
            await self._client.update(CONFIG_MAPS, {**present, "data": {**data, **wanted}})

    def start(self) -> None:
        """Look after the ConfigMap from now on; nobody waits for it."""
        self._repeater.poke()

    async def close(self) -> None:
        """Look after it no more."""
        if self._feed is not None:
            self._feed.close()
        await self._repeater.close()
        await self._tasks.close()

    def _changed(self, events: Sequence[CachedEvent]) -> None:
        for event in events:
            if (event.object.namespace, event.object.name) == (NAMESPACE, NAME):
                self._repeater.poke()

    async def _again(self) -> None:
        await self.bring_about()
        if self._feed is None:
            self._feed = self._parts.registry.follow(CONFIG_MAPS, self._changed, self._repeater.poke)


def _is_date(text: str, now: datetime) -> bool:
    """Whether the text is a day that has come; a day more for servers whose clocks are ahead."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) <= now + timedelta(days=1)
    except ValueError:
        return False
