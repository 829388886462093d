"""A transport to nowhere: for a kubelet that runs static pods alone (upstream's standalone mode)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from wherry.client.transport import JSON, WatchEvent
from wherry.objects.errors import service_unavailable
from wherry.objects.meta import Object

WHY = "there is no API server: this kubelet runs static pods alone"


class NoServer:
    """Every request fails at once."""

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
    ) -> Object:
        """See `client.transport.Transport`. Raises ApiError (503)."""
        raise service_unavailable(WHY)

    def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[WatchEvent]:
        """See `client.transport.Transport`. Raises ApiError (503)."""
        raise service_unavailable(WHY)

    async def close(self) -> None:
        """Nothing to give up."""
