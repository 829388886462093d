"""The seam between a component and the API server: what a transport must do.

Objects that come out of a transport may be shared with other readers of the same event: never
change one, copy first (`copy.deepcopy` of the part you change).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from wherry.api.resource import Resource
from wherry.objects.meta import Object

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class WatchEvent(NamedTuple):
    """One event of a watch: ADDED, MODIFIED, DELETED, BOOKMARK or ERROR (then a `v1.Status`)."""

    type: str
    object: Object


class Transport(Protocol):
    """Carries requests as some identity it was made with."""

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | list[Object] | None = None,
        content_type: str = JSON,
    ) -> Object:
        """Send one request and return the decoded answer. Raises ApiError for any failure status,

        including code 503 when the server cannot be reached. `path` is as it reads, nothing of it quoted.
        """
        ...

    def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[WatchEvent]:
        """Stream events; ends when the server ends the watch. Raises ApiError like `call`.

        An ERROR event is yielded, not raised. `aclose()` the iterator to stop early.
        """
        ...

    async def close(self) -> None:
        """Give up connections."""
        ...


@runtime_checkable
class BeatingTransport(Protocol):
    """A transport that takes heartbeats of many objects together."""

    async def beat(self, resource: Resource, objects: Sequence[Object], manager: str) -> list[Object | None]:
        """Set `spec.renewTime` of leases, or `lastHeartbeatTime` of all conditions of nodes, to now.

        It comes to what a write of each by the field manager `manager` comes to, on condition that its
        resourceVersion is that of the object given. For each there is what is stored now, not to be changed,
        or None where nothing was done, and it takes a write of its own. Raises ApiError.
        """
        ...
