"""Who watches one resource, arranged so that a change costs only those it concerns.

Watchers of everything get the very same list of events. All others have a scope, found by a dict access:
the namespace or object they watch, or the value of a field or label they demand (upstream's
TriggerPublisherFuncs, for every selector that demands a value). Only within its scope is a watcher with a
selector asked. A watcher that raises has missed something and would never know, so its watch ends: it
begins anew from what it saw last.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from wherry.apiserver.cached import Cached, CachedEvent, Match
from wherry.apiserver.selected import Selection

log = logging.getLogger(__name__)

EventSink = Callable[[Sequence[CachedEvent]], None]
"""Receives events in revision order, on the event loop; must not block. One that raises is ended."""

Scope = tuple[str, str, str, str]
"""(namespace, kind, attribute, value): kind is "" (all of the namespace), NAME, FIELD or LABEL; a namespace
of "" is any."""

NAME, FIELD, LABEL = "name", "field", "label"
EVERYTHING: Scope = ("", "", "", "")


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
        self._fields: Counter[str] = Counter()  # of how many watchers' scopes each field is
        self._labels: Counter[str] = Counter()

    def __len__(self) -> int:
        return sum(len(watchers) for watchers in self._scopes.values())

    def add(
        self, scope: Scope, match: Match | None, sink: EventSink, ended: Callable[[], None] | None
    ) -> Watcher:
        """Deliver to `sink` from now on; `ended` is called when the resource goes away."""
        watcher = Watcher(self, scope, match, sink, ended)
        self._scopes.setdefault(scope, {})[watcher] = None
        self._count(scope, 1)
        return watcher

    def remove(self, watcher: Watcher) -> None:
        """Forget one; `Watcher.close` calls this."""
        watchers = self._scopes.get(watcher.scope, {})
        if watchers.pop(watcher, self) is None:
            self._count(watcher.scope, -1)
        if not watchers:
            self._scopes.pop(watcher.scope, None)

    def _count(self, scope: Scope, change: int) -> None:
        self._narrow += change * (scope != EVERYTHING)
        _, kind, attribute, _ = scope
        if kind in (FIELD, LABEL):
            counts = self._fields if kind == FIELD else self._labels
            counts[attribute] += change
            if not counts[attribute]:
                del counts[attribute]

    def publish(self, events: Sequence[CachedEvent]) -> None:
        """Hand events, in revision order, to all whose scope they lie in."""
        for watcher in tuple(self._scopes.get(EVERYTHING, ())):
            watcher.offer(events)
        if not self._narrow:
            return
        concerned: dict[Scope, list[CachedEvent]] = {}
        for event in events:
            for scope in self._scopes_of(event):
                if scope in self._scopes:
                    concerned.setdefault(scope, []).append(event)
        for scope, batch in concerned.items():
            for watcher in tuple(self._scopes.get(scope, ())):
                watcher.offer(batch)

    def _scopes_of(self, event: CachedEvent) -> Iterator[Scope]:
        """The scopes narrower than everything in which an event may lie and which somebody may watch."""
        obj, previous = event.object, event.previous
        namespace, name = obj.namespace, obj.name
        states = (obj,) if previous is None or event.type == "DELETED" else (obj, previous)
        found = {(NAME, "", name)}
        for field in self._fields:
            found |= {(FIELD, field, state.value(field)) for state in states}
        if self._labels:
            for state in states:
                found |= {(LABEL, label, state.labels[label]) for label in _both(state.labels, self._labels)}
        if namespace:
            yield namespace, "", "", ""
        for kind, attribute, value in found:
            yield "", kind, attribute, value
            if namespace:
                yield namespace, kind, attribute, value

    def end(self) -> None:
        """End all of them."""
        for watchers in list(self._scopes.values()):
            for watcher in tuple(watchers):
                watcher.end()


def _both(one: Mapping[str, object], other: Mapping[str, object]) -> Iterator[str]:
    """The keys both have, at one look-up for each of the shorter: an object's labels are few."""
    few, many = (one, other) if len(one) <= len(other) else (other, one)
    return (key for key in few if key in many)


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
