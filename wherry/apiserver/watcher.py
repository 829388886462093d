"""One watch of a resource: `Watcher`, its scope, and what it needs made before it can be told."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from wherry.apiserver.cached import Cached, CachedEvent, Match
from wherry.apiserver.selected import Selection

if TYPE_CHECKING:
    from wherry.apiserver.watchers import Watchers

log = logging.getLogger(__name__)

EventSink = Callable[[Sequence[CachedEvent]], int | None]
"""Receives events in revision order, on the event loop; must not block. One that raises is ended. It may say
how many bytes it wrote."""


class Making(NamedTuple):
    """What has to be made of events before they can be shown, which takes long."""

    key: Hashable
    """The same for all who need the same."""
    begin: Callable[[], Awaitable[object]]
    """Makes it beside the loop; then the sinks find it."""


Makings = Callable[[Sequence[CachedEvent]], Making | None]
"""What a sink needs to be made before it is given these events; None for nothing that takes long."""

Scope = tuple[str, str, str, str]
"""(namespace, kind, attribute, value): kind is "" (all of the namespace), NAME, FIELD or LABEL; a namespace
of "" is any."""

NAME, FIELD, LABEL = "name", "field", "label"
FAILED = "a watcher failed over %d events: its watch ends"
EVERYTHING: Scope = ("", "", "", "")


class Watcher:
    """One running watch of a cacher; implements `store.base.Subscription`."""

    __slots__ = ("_ended", "_owner", "_told", "lacks", "makings", "match", "open", "scope", "since", "sink")

    def __init__(
        self,
        owner: Watchers,
        scope: Scope,
        match: Match | None,
        sink: EventSink,
        ended: Callable[[], None] | None,
        makings: Makings | None,
        since: int,
    ) -> None:
        self._owner = owner
        self._ended = ended
        self.scope = scope
        self.match = match
        self.sink = sink
        self.makings = makings
        self.since = since
        """Up to this revision nothing is to be told."""
        self._told = since
        self.open = True
        self.lacks = False
        """Whether it will not be told of something that happened: it is about to end."""

    def seen(self, events: Sequence[CachedEvent]) -> Sequence[CachedEvent]:
        """Those of `events`, all within the scope, that the watcher sees, as it sees them."""
        if not self.open:
            return ()
        if self.match is None:
            return events
        try:
            return [seen for event in events if (seen := event.seen_through(self.match)) is not None]
        except Exception:
            log.exception(FAILED, len(events))
            self.end()
            return ()

    def making(self, seen: Sequence[CachedEvent]) -> Making | None:
        """What has to be made before `tell`, if that takes long."""
        if self.makings is None or not seen:
            return None
        try:
            return self.makings(seen)
        except Exception:
            log.exception(FAILED, len(seen))
            self.end()
            return None

    def tell(self, seen: Sequence[CachedEvent]) -> int:
        """Hand over what it sees; the bytes written."""
        if not seen or not self.open:
            return 0
        try:
            self._told = seen[-1].object.revision
            return self.sink(seen) or 0
        except Exception:
            log.exception(FAILED, len(seen))
            self.end()
            return 0

    def offer(self, events: Sequence[CachedEvent]) -> None:
        """Hand over those of `events`, all within the scope, that the watcher sees."""
        self.tell(self.seen(events))

    def told_to(self, newest: int) -> int:
        """Up to which revision it was told everything, when `newest` is that of the store."""
        if self.lacks:
            return self._told
        waiting = self._owner.oldest_waiting
        return newest if waiting is None else max(self._told, min(waiting - 1, newest))

    def end(self) -> None:
        """Close from the serving side, and tell the watcher."""
        if self.open:
            self.close()
            if self._ended is not None:
                self._ended()

    def close(self) -> None:
        """Deliver nothing more."""
        if self.open:
            self.open = False
            self._owner.remove(self)


def scope_of(namespace: str, name: str, match: Match | None, *, namespaced: bool) -> Scope:
    """The scope of a watch of `namespace` and `name` ("" for all) through `match`."""
    if isinstance(match, Selection):
        name = name or match.name
        namespace = namespace or match.namespace
    if not namespaced:
        namespace = ""
    if name:
        return namespace, NAME, "", name
    if isinstance(match, Selection) and match.demands:
        demand = match.demands[0]
        return namespace, LABEL if demand.is_label else FIELD, demand.attribute, demand.value
    return namespace, "", "", ""


def seen_of(events: Sequence[CachedEvent], scope: Scope, match: Match | None) -> Sequence[CachedEvent]:
    """Those of `events` that a watcher of the scope sees, as it sees them."""
    if scope != EVERYTHING:
        events = [event for event in events if is_within(scope, event.object)]
    if match is not None:
        events = [seen for event in events if (seen := event.seen_through(match)) is not None]
    return events


def is_within(scope: Scope, item: Cached) -> bool:
    """Whether an object lies in the namespace and has the name a scope asks for, as far as it does."""
    namespace, kind, _, value = scope
    return (not namespace or item.namespace == namespace) and (kind != NAME or item.name == value)
