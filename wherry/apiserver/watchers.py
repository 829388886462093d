"""Who watches one resource, arranged so that a change costs only those it concerns.

Watchers of everything get the very same list of events. All others have a scope, found by a dict access:
the namespace or object they watch, or the value of a field or label they demand (upstream's
TriggerPublisherFuncs, for every selector that demands a value). Only within its scope is a watcher with a
selector asked. A watcher that raises has missed something and would never know, so its watch ends: it
begins anew from what it saw last.

Few who watch little are told before the writer is answered. Many, or much, are told in portions (`Pass`), so
that nobody else waits for the last of them: a round tells some events to all, and what happens meanwhile is
told in the next, so each watcher hears everything in order. What takes long to be shown in some form is made
beside the loop, once, while the others are told. Where more is waiting than is remembered anyway, the
watches end instead.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

from wherry.apiserver.cached import CachedEvent, Match
from wherry.apiserver.watcher import (
    EVERYTHING,
    FIELD,
    LABEL,
    NAME,
    EventSink,
    Making,
    Makings,
    Scope,
    Watcher,
)
from wherry.kit.passes import Pass

log = logging.getLogger(__name__)

ROUND_BYTES = 64 * 1024
"""Of so many events at most one round tells, or of one: they are joined for each watcher, one is shared."""
WAITING_BYTES = 16 * 1024 * 1024
"""So much may wait for its round."""
EVENT_BYTES = 1024
"""What an event takes beside its object."""
TELL_BYTES = 4 * 1024
"""To tell a watcher anything costs as much as writing so many bytes."""


class Watchers:
    """All watchers of one resource, by scope. `shared` is what telling all of a server's has of each pass."""

    def __init__(self, shared: Pass | None = None) -> None:
        self._scopes: dict[Scope, dict[Watcher, None]] = {}
        self._first: dict[Watcher, None] = {}
        self._narrow = 0  # watchers of less than everything
        self._fields: Counter[str] = Counter()  # of how many watchers' scopes each field is
        self._labels: Counter[str] = Counter()
        self._pass = shared or Pass()
        self._newest = 0
        self._waiting: deque[CachedEvent] = deque()
        self._waiting_bytes = 0
        self._round: Iterator[Making | None] | None = None
        self._told: Sequence[CachedEvent] = ()  # in this round
        self._making: asyncio.Future[object] | None = None
        self._ending: deque[Watcher] = deque()

    def __len__(self) -> int:
        return len(self._first) + sum(len(watchers) for watchers in self._scopes.values())

    @property
    def oldest_waiting(self) -> int | None:
        """The revision of the oldest event that was not told to all yet; None when all were told of all."""
        told = self._told or self._waiting
        return told[0].object.revision if told else None

    def add(
        self,
        scope: Scope,
        match: Match | None,
        sink: EventSink,
        ended: Callable[[], None] | None,
        *,
        makings: Makings | None = None,
        is_first: bool = False,
    ) -> Watcher:
        """Deliver to `sink` what is published from now on; `ended` is called when the resource goes away.

        With `is_first` always before `publish` returns: for the server itself, which decides by that.
        """
        watcher = Watcher(self, scope, match, sink, ended, makings, self._newest)
        if is_first:
            if scope != EVERYTHING:
                raise ValueError("the server itself watches everything")
            self._first[watcher] = None
            return watcher
        self._scopes.setdefault(scope, {})[watcher] = None
        self._count(scope, 1)
        return watcher

    def remove(self, watcher: Watcher) -> None:
        """Forget one; `Watcher.close` calls this."""
        if self._first.pop(watcher, self) is None:
            return
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
        """Hand events, in revision order, to all whose scope they lie in.

        What was made of them for watchers is forgotten when the last has them.
        """
        for watcher in tuple(self._first):
            watcher.offer(events)
        self._newest = events[-1].object.revision
        if not self._scopes:
            _forget(events)
            return
        self._waiting += events
        self._waiting_bytes += sum(event.object.held_bytes + EVENT_BYTES for event in events)
        if self._round is None:
            self._go_on()
        elif self._waiting_bytes > WAITING_BYTES:
            self._give_up()

    def _go_on(self) -> None:
        """Tell as many as this pass of the loop has room for, and the others in the next."""
        self._pass.start()
        try:
            self._tell_some()
        finally:
            self._pass.stop()

    def _tell_some(self) -> None:
        self._making = None
        while self._round is not None or self._waiting or self._ending:
            if self._pass.is_spent:
                self._round = self._round or iter(())
                self._pass.later(self._go_on)
                return
            if self._round is None:
                self._begin_round()
            try:
                making = next(self._round)  # type: ignore[arg-type]
            except StopIteration:
                _forget(self._told)
                self._round, self._told = None, ()
                continue
            except Exception:
                log.exception("who is to be told of %d events cannot be found out", len(self._told))
                self._drop()
                continue
            if making is not None:
                self._making = asyncio.ensure_future(making.begin())
                self._making.add_done_callback(self._made)
                return

    def _made(self, making: asyncio.Future[object]) -> None:
        if making.cancelled():
            return  # the loop ends
        if (error := making.exception()) is not None:
            log.warning("an event's form is made on the loop, since beside it that failed: %s", error)
        self._go_on()

    def _begin_round(self) -> None:
        if not self._waiting:
            self._round = self._ends()
            return
        told, size = list[CachedEvent](), 0
        while self._waiting:
            more = self._waiting[0].object.held_bytes + EVENT_BYTES
            if told and size + more > ROUND_BYTES:
                break
            told.append(self._waiting.popleft())
            size += more
        self._waiting_bytes -= size
        self._told, self._round = told, self._telling(told)

    def _telling(self, events: Sequence[CachedEvent]) -> Iterator[Making | None]:
        """Tell one watcher with each step, or name what has to be made first."""
        put_off: dict[Hashable, tuple[Making, list[tuple[Watcher, Sequence[CachedEvent]]]]] = {}
        for watcher, batch in self._concerned(events):
            seen = watcher.seen(batch)
            making = watcher.making(seen)
            if making is None:
                self._pass.spend(TELL_BYTES + watcher.tell(seen))
            else:
                put_off.setdefault(making.key, (making, []))[1].append((watcher, seen))
                self._pass.spend(TELL_BYTES)
            yield None
        for making, those in put_off.values():
            yield making
            for watcher, seen in those:
                self._pass.spend(TELL_BYTES + watcher.tell(seen))
                yield None

    def _concerned(self, events: Sequence[CachedEvent]) -> Iterator[tuple[Watcher, Sequence[CachedEvent]]]:
        """Each watcher in whose scope some of the events lie, and those it was not told of as it began."""
        first = events[0].object.revision
        for scope, batch in self._batches(events):
            for watcher in tuple(self._scopes.get(scope, ())):
                if watcher.since < first:
                    yield watcher, batch
                elif later := [event for event in batch if event.object.revision > watcher.since]:
                    yield watcher, later

    def _batches(self, events: Sequence[CachedEvent]) -> Iterator[tuple[Scope, Sequence[CachedEvent]]]:
        if EVERYTHING in self._scopes:
            yield EVERYTHING, events
        if not self._narrow:
            return
        concerned: dict[Scope, list[CachedEvent]] = {}
        for event in events:
            for scope in self._scopes_of(event):
                if scope in self._scopes:
                    concerned.setdefault(scope, []).append(event)
        yield from concerned.items()

    def _give_up(self) -> None:
        """More is waiting than may: whoever was not told of it begins anew from what it saw last."""
        log.warning(
            "%d watches end: %d events wait for them, more than %d MiB",
            len(self) - len(self._first),
            len(self._waiting),
            WAITING_BYTES // 2**20,
        )
        self._drop()

    def break_off(self) -> None:
        """Tell nothing more to those who watch now, and end them: they cannot be told everything."""
        for watcher in tuple(self._first):
            watcher.end()
        self._drop()

    def _drop(self) -> None:
        _forget(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        for watchers in self._scopes.values():
            for watcher in watchers:
                watcher.lacks = True
        self._end_later()
        self._scopes, self._narrow = {}, 0
        self._fields.clear()
        self._labels.clear()
        if self._round is None:
            self._go_on()

    def _end_later(self) -> None:
        self._ending += [watcher for watchers in self._scopes.values() for watcher in watchers]

    def _ends(self) -> Iterator[None]:
        """End one watch with each step."""
        while self._ending:
            self._ending.popleft().end()
            self._pass.spend(TELL_BYTES)
            yield None

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
        """End all of them, when they were told what was published."""
        for watcher in tuple(self._first):
            watcher.end()
        self._end_later()
        if self._round is None:
            self._go_on()


def _forget(events: Iterable[CachedEvent]) -> None:
    for event in events:
        event.forget()


def _both(one: Mapping[str, object], other: Mapping[str, object]) -> Iterator[str]:
    """The keys both have, at one look-up for each of the shorter: an object's labels are few."""
    few, many = (one, other) if len(one) <= len(other) else (other, one)
    return (key for key in few if key in many)
