"""A transport that leads nowhere, for caches whose objects a test puts there itself: `Nowhere`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from wherry.client.transport import JSON, WatchEvent
from wherry.objects.errors import service_unavailable
from wherry.objects.meta import Object


class Nowhere:
    """A `client.transport.Transport` on which nothing can be reached."""

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | list[Object] | None = None,
        content_type: str = JSON,
    ) -> Object:
        """See `Transport.call`. Raises ApiError."""
        raise service_unavailable(f"there is no server for {method} {path}")

    def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[WatchEvent]:
        """See `Transport.watch`. Raises ApiError."""
        raise service_unavailable(f"there is no server for a watch of {path}")

    async def close(self) -> None:
        """See `Transport.close`."""
