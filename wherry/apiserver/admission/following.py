"""Following configuration objects: `Followed` makes something of each object of one resource.

Nothing is done per request: what was made of each object is kept until the object changes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from wherry.api.resource import Resource
from wherry.apiserver.cacher import Cached, CachedEvent
from wherry.apiserver.parts import Parts
from wherry.objects.meta import Object
from wherry.store.base import Subscription

log = logging.getLogger(__name__)

Made = TypeVar("Made")


class Followed(Generic[Made]):
    """What `make` makes of each object of `resource`, by name."""

    def __init__(self, resource: Resource, make: Callable[[Object], Made]) -> None:
        self._resource = resource
        self._make = make
        self._made: dict[str, Made] = {}
        self._feed: Subscription | None = None

    @property
    def resource(self) -> Resource:
        """What is followed."""
        return self._resource

    def in_order(self) -> list[Made]:
        """Everything made, by the objects' names."""
        return [self._made[name] for name in sorted(self._made)]

    async def start(self, core: Parts, changed: Callable[[], None]) -> None:
        """Read what is there, then call `changed` after every change. Raises ApiError (503)."""
        if core.registry.find(self._resource.group, self._resource.version, self._resource.plural) is None:
            return  # turned off in this server's configuration
        served = core.registry.of(self._resource)
        await served.source.open()

        def put(cached: Cached) -> None:
            try:
                self._made[cached.name] = self._make(served.decode(cached))
            except Exception:
                # Written past validation; it must not keep the others from being followed.
                log.exception("%s %s makes no sense", self._resource.kind, cached.name)
                self._made.pop(cached.name, None)

        def receive(events: Sequence[CachedEvent]) -> None:
            for event in events:
                if event.type == "DELETED":
                    self._made.pop(event.object.name, None)
                else:
                    put(event.object)
            changed()

        def read() -> None:
            self._made.clear()
            for cached in served.cacher.list()[0]:
                put(cached)
            changed()

        read()
        self._feed = core.registry.follow(self._resource, receive, read)

    def close(self) -> None:
        """Follow no more."""
        if self._feed is not None:
            self._feed.close()
            self._feed = None
