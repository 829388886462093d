"""Who watches one resource, arranged so that a change costs only those it concerns.

Watchers of everything get the very same list of events. Those of a namespace or of one object are
found by a dict access; only watchers with a selector are asked one by one. A watcher that raises has
missed something and would never know, so its watch ends: it begins anew from what it saw last.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from wherry.apiserver.cached import CachedEvent, Match

log = logging.getLogger(__name__)

EventSink = Callable[[Sequence[CachedEvent]], None]
"""Receives events in revision order, on the event loop; must not block. One that raises is ended."""

Scope = tuple[str, str]
"""(namespace, name), "" for any."""


class Watcher:
    """One running watch of a cacher; implements `store.base.Subscription`."""

    __slots__ = ("_ended", "_owner", "match", "open", "scope", "sink")

    def __init__(
        self,
        owner: Watchers,
        scope: Scope,
        match: Match | None,
        sink: EventSink,
        ended: Callable[[], None] | None,
    ) -> None:
        self._owner = owner
        self._ended = ended
        self.scope = scope
        self.match = match
        self.sink = sink
        self.open = True

    def offer(self, events: Sequence[CachedEvent]) -> None:
        """Hand over those of `events`, all within the scope, that the watcher sees."""
        if not self.open:
            return
        try:
            if self.match is not None:
                events = [seen for event in events if (seen := event.seen_through(self.match)) is not None]
            if events:
                self.sink(events)
        except Exception:
            log.exception("a watcher failed over %d events: its watch ends", len(events))
            self.end()

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


class Watchers:
    """All watchers of one resource, by scope."""

    def __init__(self) -> None:
        self._scopes: dict[Scope, dict[Watcher, None]] = {}
        self._narrow = 0  # watchers of less than everything

    def __len__(self) -> int:
        return sum(len(watchers) for watchers in self._scopes.values())

    def add(
        self, scope: Scope, match: Match | None, sink: EventSink, ended: Callable[[], None] | None
    ) -> Watcher:
        """Deliver to `sink` from now on; `ended` is called when the resource goes away."""
        watcher = Watcher(self, scope, match, sink, ended)
        self._scopes.setdefault(scope, {})[watcher] = None
        self._narrow += scope != ("", "")
        return watcher

    def remove(self, watcher: Watcher) -> None:
        """Forget one; `Watcher.close` calls this."""
        watchers = self._scopes.get(watcher.scope, {})
        if watchers.pop(watcher, self) is None:
            self._narrow -= watcher.scope != ("", "")
        if not watchers:
            self._scopes.pop(watcher.scope, None)

    def publish(self, events: Sequence[CachedEvent]) -> None:
        """Hand events, in revision order, to all whose scope they lie in."""
        for watcher in tuple(self._scopes.get(("", ""), ())):
            watcher.offer(events)
        if not self._narrow:
            return
        concerned: dict[Scope, list[CachedEvent]] = {}
        for event in events:
            for scope in scopes_of(event):
                if scope in self._scopes:
                    concerned.setdefault(scope, []).append(event)
        for scope, batch in concerned.items():
            for watcher in tuple(self._scopes.get(scope, ())):
                watcher.offer(batch)

    def end(self) -> None:
        """End all of them."""
        for watchers in list(self._scopes.values()):
            for watcher in tuple(watchers):
                watcher.end()


def scopes_of(event: CachedEvent) -> Iterable[Scope]:
    """The scopes narrower than everything in which an event lies."""
    namespace, name = event.object.namespace, event.object.name
    if namespace:
        return ((namespace, ""), (namespace, name), ("", name))
    return (("", name),)
