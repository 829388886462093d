"""Every stored object of one resource, in memory, as the bytes a client gets.

Most requests are answered from here without decoding: GET hands out `data`, LIST joins it, a watch
event wraps it. Beside the bytes stands only what selectors and keys need. A cacher is fed by one
store subscription; since the store tells its sinks before it answers the writer, what a client was
told was written is always here. A cacher that failed over an event no longer knows what is stored: it
ends its watches and has to be started again (`lost`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TypeAlias

from wherry.api.resource import Resource
from wherry.apiserver.cached import Cached, CachedEvent, Facts, Match
from wherry.apiserver.indexes import Index
from wherry.apiserver.packing import Budget, Packer
from wherry.apiserver.past import MATCHED_AT_ONCE, items_then, matching, page_then, told_again
from wherry.apiserver.ring import RING_BYTES, RING_EVENTS, Ring
from wherry.apiserver.selected import Demand, Selection
from wherry.apiserver.stored import OldForms
from wherry.apiserver.watcher import (
    EVERYTHING,
    EventSink,
    Makings,
    Watcher,
    is_within,
    scope_of,
    seen_of,
)
from wherry.apiserver.watchers import Watchers
from wherry.kit.passes import Pass
from wherry.kit.portions import Portions, Work, others
from wherry.kit.tasks import Abandoned, shared
from wherry.objects.errors import ApiError, service_unavailable
from wherry.objects.meta import Object
from wherry.store.base import Compacted, Entry, Event, FutureRevision, Store, Subscription
from wherry.store.keys import prefix_end

__all__ = ["Cached", "CachedEvent", "Cacher", "EventSink", "Match"]

log = logging.getLogger(__name__)

CachedList: TypeAlias = list[Cached]

RECALLED_BYTES = RING_BYTES // 2
"""How much of the past is read again from the store for watches that resume."""

_PAGE = 2000  # entries read from the store at once when a cacher starts
_READ_AT_ONCE = 250  # entries of the store that are taken over between two turns of the event loop
_TOLD_AT_ONCE = 250  # past changes handed to a watcher between two turns of the event loop
_TOLD_AT_ONCE_BYTES = 1024 * 1024  # of objects, in the same turn
_SAMPLES = 32


class Cacher:
    """The objects of one `resource`, kept current from `store`. Nothing is answered before `start`."""

    def __init__(
        self,
        resource: Resource,
        store: Store,
        *,
        budget: Budget | None = None,
        telling: Pass | None = None,
        ring_events: int = RING_EVENTS,
        ring_bytes: int = RING_BYTES,
        now: Callable[[], float] = time.monotonic,
        lost: Callable[[], None] | None = None,
    ) -> None:
        self.resource = resource
        self.unreadable: dict[str, int] = {}
        """Keys whose stored values nobody can read, and so are left out, with their revisions."""
        self._lost = lost
        self._store = store
        self._facts = Facts(resource, self._may_keep)
        self._budget = budget or Budget()
        self._plain_bytes = 0  # this cacher's part of what the budget counts
        self._packer: Packer | None = None
        self._packer_until = 0  # how many objects it was made for
        self._objects: dict[str, Cached] = {}
        self._keys: list[str] = []
        self._watchers = Watchers(telling)
        self._ring = Ring(now, ring_events, ring_bytes)
        self._recalling = asyncio.Lock()
        self._indexes: dict[str, Index] = {}
        self._feed: Subscription | None = None
        self._is_broken = False
        self._starting: asyncio.Task[None] | None = None
        self._foreseen: dict[bytes, Object] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._objects)

    @property
    def old_forms(self) -> OldForms:
        """The objects that are stored in another form than this server writes."""
        return self._facts.old_forms

    @property
    def started(self) -> bool:
        """Whether the cacher holds what the store holds."""
        return self._feed is not None

    @property
    def floor(self) -> int:
        """The oldest revision `watch` can begin at without `recall`."""
        return self._ring.floor

    def trim(self) -> bool:
        """Let go of recent changes that became too old; whether none is left that will."""
        self._ring.trim()
        return self._ring.is_settled

    @property
    def is_closed(self) -> bool:
        """Whether the resource is no longer served."""
        return self._closed

    @property
    def revision(self) -> int:
        """The newest revision of the whole store; everything up to it has arrived here."""
        return self._store.revision

    async def start(self) -> None:
        """Load the resource and follow it. May be called again, also while it runs.

        Raises StoreError when the store cannot be read; then another call tries again. Raises ApiError (503)
        when the cacher is closed, also while it loads.
        """
        if self._feed is not None:
            return
        if self._closed:
            raise _stopped()
        if self._starting is None or self._starting.done():
            self._starting = asyncio.get_running_loop().create_task(self._load())
        try:
            await shared(self._starting, f"loading {self.resource.plural}")
        except Abandoned as error:
            raise _stopped() from error

    async def close(self) -> None:
        """Stop following; every watch is told its end."""
        self._closed = True
        if self._starting is not None and not self._starting.done():
            self._starting.cancel()
            await asyncio.wait([self._starting])
        if self._feed is not None:
            self._feed.close()
            self._feed = None
        self._watchers.end()
        self._count_plain(-self._plain_bytes)

    def get(self, key: str) -> Cached | None:
        """The object at a store key."""
        return self._objects.get(key)

    def read(self, entry: Entry) -> Cached | None:
        """A stored value as an object of this cacher, which it need not hold; None if nobody can read it."""
        return self._take_over(entry)

    def list(
        self, namespace: str = "", *, start_after: str = "", limit: int = 0, match: Match | None = None
    ) -> tuple[CachedList, int]:
        """Objects of one namespace ("" for all) in key order, beginning after the key `start_after`.

        At most `limit` of them (0: all). With them comes how many follow; with `match` only whether
        any matching one does (0 or 1), since the rest is not looked through.
        """
        objects = self._objects
        if match is None:
            low, high = self._span(namespace, start_after)
            stop = min(high, low + limit) if limit else high
            return [objects[key] for key in self._keys[low:stop]], high - stop
        found: CachedList = []
        for key in self._candidates(namespace, start_after, match):
            candidate = objects[key]
            if match(candidate):
                if limit and len(found) == limit:
                    return found, 1
                found.append(candidate)
        return found, 0

    async def chosen(
        self, namespace: str = "", *, start_after: str = "", limit: int = 0, match: Match | None = None
    ) -> tuple[CachedList, int, int]:
        """What `list` gives, and the revision it is of; everybody else has their turn while `match` is asked.

        All of it is of one moment: objects are never changed, so what is there at first is looked through.
        """
        revision = self.revision
        if match is None:
            return (*self.list(namespace, start_after=start_after, limit=limit), revision)
        objects = self._objects
        items = (objects[key] for key in self._candidates(namespace, start_after, match))
        return (*await matching(items, match, limit), revision)

    def _candidates(self, namespace: str, start_after: str, match: Match) -> Iterable[str]:
        """The keys, in order, of all objects that can match, and perhaps of others."""
        prefix = self.resource.prefix(namespace if self._facts.namespaced else "")
        for demand in self._indexed(match):
            index = self._indexes.get(demand.attribute)
            if index is not None and index.is_complete:
                keys = index.keys(demand.value)
                return sorted(key for key in keys if key > start_after and key.startswith(prefix))
        low, high = self._span(namespace, start_after)
        return (self._keys[place] for place in range(low, high))

    def _indexed(self, match: Match | None) -> Sequence[Demand]:
        """What `match` demands of fields that are indexed."""
        demands = match.demands if isinstance(match, Selection) else ()
        return [one for one in demands if not one.is_label and one.attribute in self.resource.indexed]

    def by_value(self, field: str, value: str) -> CachedList | None:
        """The objects whose `field` has that value, in no order; None while there is no index by it."""
        index = self._indexes.get(field)
        if index is None or not index.is_complete:
            return None
        return [self._objects[key] for key in index.keys(value)]

    async def having(self, field: str, value: str) -> CachedList:
        """The objects whose `field`, one of the kind's `indexed`, has that value, in key order."""
        if field not in self._indexes:
            await self._make_index(field)
        found = self.by_value(field, value)
        if found is None:  # somebody else is making the index just now
            found = [item for item in self._objects.values() if item.value(field) == value]
        return sorted(found, key=lambda item: item.key)

    async def read_facts(self, namespace: str = "", match: Match | None = None) -> None:
        """Read what `match` asks of a namespace's objects ("" for all), as the first selector would.

        That takes some ten microseconds per object; done here it holds up nobody, however many. What is
        looked up by an indexed field is read once for all, and kept by that field from then on.
        """
        for demand in self._indexed(match):
            if demand.attribute not in self._indexes:
                await self._make_index(demand.attribute)
            index = self._indexes.get(demand.attribute)
            if index is not None and index.is_complete:
                return
        await self._read(namespace)

    async def _make_index(self, field: str) -> None:
        index = self._indexes[field] = Index(field)
        items = list(self._objects.values())
        try:
            portions = Portions(Work.REQUESTS)
            for item in items:
                await portions.next()
                if self._objects.get(item.key) is item:  # else the index was told of what came after
                    index.add(item)
        except BaseException:
            self._indexes.pop(field, None)
            raise
        index.is_complete = True

    async def _read(self, namespace: str) -> None:
        low, high = self._span(namespace, "")
        unread = [item for key in self._keys[low:high] if not (item := self._objects[key]).is_read]
        portions = Portions(Work.REQUESTS)
        for item in unread:
            await portions.next()
            item.read()

    async def list_at(
        self,
        revision: int,
        namespace: str = "",
        *,
        start_after: str = "",
        limit: int = 0,
        match: Match | None = None,
    ) -> tuple[CachedList, int]:
        """The same as of an earlier `revision`: the present if nothing changed since, else with what did
        change undone, and only beyond what is remembered here from the store's history.

        Raises Compacted or FutureRevision when that cannot be had.
        """
        if self.revision < revision:
            raise FutureRevision(revision, self.revision)
        if revision < self._store.oldest:  # what was compacted is gone for all, as upstream's snapshots are
            raise Compacted(revision, self._store.oldest)
        if revision >= self._ring.newest:
            found, remaining, _ = await self.chosen(
                namespace, start_after=start_after, limit=limit, match=match
            )
            return found, remaining
        if revision >= self._ring.floor:
            prefix = self.resource.prefix(namespace if self._facts.namespaced else "")
            undone = self._ring.since(revision)
            objects, keys = self._objects, self._keys
            span = self._span(namespace, start_after)
            if len(undone) > MATCHED_AT_ONCE:  # others write meanwhile; this goes on with what is there now
                objects, keys, span = dict(objects), keys[slice(*span)], (0, span[1] - span[0])
            overlay: dict[str, Cached | None] = {}
            for start in range(0, len(undone), MATCHED_AT_ONCE):
                if start:
                    await others(Work.REQUESTS)
                for event in undone[start : start + MATCHED_AT_ONCE]:
                    key = event.object.key
                    if key > start_after and key.startswith(prefix):
                        overlay.setdefault(key, event.previous)
            if match is not None:
                return await matching(items_then(objects, keys, span, overlay), match, limit)
            return page_then(objects, keys, span, overlay, limit)
        return await self._list_stored(revision, namespace, start_after, limit, match)

    async def _list_stored(
        self, revision: int, namespace: str, start_after: str, limit: int, match: Match | None
    ) -> tuple[CachedList, int]:
        prefix = self.resource.prefix(namespace)
        found: CachedList = []
        while True:
            room = limit - len(found) if limit else _READ_AT_ONCE
            size = min(room, _READ_AT_ONCE) if match is None else _READ_AT_ONCE
            page = await self._store.list(prefix, revision=revision, limit=size, start_after=start_after)
            kept = [item for item in self._taken_over(page.entries) if match is None or match(item)]
            if limit and len(kept) > room:
                return [*found, *kept[:room]], 1
            found += kept
            if not page.remaining:
                return found, 0
            if limit and match is None and len(found) >= limit:
                return found, page.remaining
            start_after = page.entries[-1].key
            await others(Work.REQUESTS)

    async def recall(self, after: int) -> None:
        """Make `watch` from revision `after` possible, if the store still knows what came since.

        So those who watched the server before it was started again need not list everything anew.
        Raises Compacted, StoreError.
        """
        ring = self._ring
        if after >= ring.floor:
            return
        async with self._recalling:
            floor = ring.floor
            if after >= floor or not self.started:
                return
            prefix = self.resource.prefix()
            events = await self._store.events(prefix, after, floor, limit_bytes=RECALLED_BYTES)
            made: list[CachedEvent] = []
            for event in told_again(events, self._objects, self._take_over):
                made.append(event)
                if len(made) % _READ_AT_ONCE == 0:
                    await others(Work.REQUESTS)
            if ring.floor == floor:  # else it began anew, or let go of so much that this is no help
                ring.recall(made, after)

    async def catch_up(
        self,
        namespace: str,
        after: int,
        match: Match | None,
        sink: EventSink,
        *,
        name: str = "",
    ) -> int:
        """Hand `sink` what `watch` would of a long past, in portions; the revision to go on from.

        Raises Compacted when the past is no longer remembered.
        """
        scope = scope_of(namespace, name, match, namespaced=self._facts.namespaced)
        while len(portions := list(_portions(past := self._ring.since(after)))) > 1:
            for portion in portions:
                told = seen_of(portion, scope, match)
                if told:
                    sink(told)
                await others(Work.REQUESTS)
            after = past[-1].object.revision
        return after

    def watch(
        self,
        namespace: str,
        after: int,
        match: Match | None,
        sink: EventSink,
        *,
        name: str = "",
        ended: Callable[[], None] | None = None,
        makings: Makings | None = None,
        is_first: bool = False,
    ) -> Watcher:
        """Hand `sink` every change in `namespace` ("" for all) above revision `after` (0: from now on).

        Past changes are handed over before this returns. `name` narrows to one object, at no cost
        to changes of others. `match` selects (see `CachedEvent.seen_through`). `ended` is called
        when the resource stops being served. For `makings` and `is_first` see `Watchers`. Raises
        Compacted when the past is no longer remembered, FutureRevision when `after` has not been reached.
        """
        if self._feed is None:
            raise RuntimeError(f"the cacher of {self.resource.plural} was not started")
        if after > self._store.revision:
            raise FutureRevision(after, self._store.revision)
        past: Sequence[CachedEvent] = self._ring.since(after) if after else ()
        scope = scope_of(namespace, name, match, namespaced=self._facts.namespaced)
        watcher = self._watchers.add(scope, match, sink, ended, makings=makings, is_first=is_first)
        if scope != EVERYTHING:
            past = [event for event in past if is_within(scope, event.object)]
        if past:
            watcher.offer(past)
        return watcher

    def _span(self, namespace: str, start_after: str) -> tuple[int, int]:
        low, high = 0, len(self._keys)
        if namespace and self._facts.namespaced:
            prefix = self.resource.prefix(namespace)
            low, high = bisect_left(self._keys, prefix), bisect_left(self._keys, prefix_end(prefix))
        if start_after:
            low = min(max(low, bisect_right(self._keys, start_after)), high)
        return low, high

    async def _load(self) -> None:
        prefix = self.resource.prefix()
        while True:
            try:
                revision = await self._read_all(prefix)
                feed = await self._store.watch(prefix, revision, self._receive, lost=self._break_off)
            except Compacted:
                continue  # the store forgot the moment that was being read; begin at a newer one
            if not self._is_broken:
                self._feed = feed
                return

    def _break_off(self) -> None:
        """What is held may be wrong from here on: end the watches; `start` reads everything anew."""
        self._is_broken = True
        if self._feed is None:
            return  # it is being read just now, and that begins again
        log.error("the cacher of %s is out of step with the store and reads it anew", self.resource.plural)
        self._feed = None
        self._starting = None
        self._watchers.break_off()
        if self._lost is not None and not self._closed:
            self._lost()

    async def _read_all(self, prefix: str) -> int:
        """Take over what is stored below `prefix`; the revision of which it is the state.

        Read in pages, as otherwise every object would be held twice while this runs, and the process
        keep that much memory for ever. What was held before is there until all is read: who decides by
        the cache (as authorization does) must not see an empty one.
        """
        self._is_broken = False
        plain_before = self._plain_bytes
        objects: dict[str, Cached] = {}
        unreadable: dict[str, int] = {}
        revision, last = 0, ""
        try:
            while True:
                page = await self._store.list(prefix, revision=revision, limit=_PAGE, start_after=last)
                for entry in page.entries:
                    item = self._take_over(entry)
                    if item is None:
                        unreadable[entry.key] = entry.revision
                    else:
                        self._hold(item, objects)
                revision = page.revision
                if not page.remaining:
                    break
                last = page.entries[-1].key
        except BaseException:
            self._count_plain(plain_before - self._plain_bytes)
            raise
        self._count_plain(-plain_before)
        self._objects, self._keys, self.unreadable = objects, list(objects), unreadable
        self._indexes.clear()
        self._ring.begin(revision)
        return revision

    def _taken_over(self, entries: Iterable[Entry]) -> CachedList:
        return [item for entry in entries if (item := self._take_over(entry)) is not None]

    def _take_over(self, entry: Entry) -> Cached | None:
        try:
            return self._facts.cached(entry)
        except Exception as error:
            message = "the stored value of %s at revision %d cannot be read and is left out: %s"
            trace = None if isinstance(error, ValueError) else error
            log.error(message, entry.key, entry.revision, error, exc_info=trace)
            return None

    @contextmanager
    def foreseeing(self, foreseen: Mapping[bytes, Object]) -> Iterator[None]:
        """Around writes of these values: what each is when decoded need not be found out anew for watchers.

        The objects get their resourceVersions here, and are not to be changed by anybody else.
        """
        self._foreseen |= foreseen
        try:
            yield
        finally:
            for value in foreseen:
                self._foreseen.pop(value, None)

    def _receive(self, events: Sequence[Event]) -> None:
        changes = [change for event in events if (change := self._apply(event)) is not None]
        if changes:
            self._watchers.publish(changes)

    def _apply(self, event: Event) -> CachedEvent | None:
        key = event.entry.key
        current = None if event.deleted else self._take_over(event.entry)
        if current is None and not event.deleted:
            self.unreadable[key] = event.entry.revision
        elif self.unreadable:
            self.unreadable.pop(key, None)
        previous = self._objects.get(key)
        if current is not None:
            if previous is None:
                insort(self._keys, key)
            else:
                self._let_go(previous)
            self._hold(current, self._objects)
            change = CachedEvent("ADDED" if previous is None else "MODIFIED", current, previous)
        elif previous is not None:
            del self._objects[key]
            self._let_go(previous)
            del self._keys[bisect_left(self._keys, key)]
            change = CachedEvent("DELETED", previous.at(event.entry.revision), previous)
        else:
            return None
        if self._foreseen and (obj := self._foreseen.get(event.entry.value)) is not None:
            obj["metadata"]["resourceVersion"] = str(event.entry.revision)
            change.foresee(obj)
        for index in self._indexes.values():
            index.replace(previous, current)
        self._ring.add(change)
        return change

    def _hold(self, item: Cached, objects: dict[str, Cached]) -> None:
        """Keep an object among `objects`, compressed if all cachers together hold enough already."""
        objects[item.key] = item
        if self._budget.is_spent:
            if self._packer is None or len(objects) > self._packer_until:
                self._packer = self._make_packer(objects)
            item.pack(self._packer)
        self._count_plain(item.plain_bytes)

    def _make_packer(self, objects: dict[str, Cached]) -> Packer:
        """A packer for objects like those held now, and for some times as many.

        Its samples are from all over, since neighbours are more alike than the rest.
        """
        self._packer_until = len(objects) * 4
        step = max(len(objects) // _SAMPLES, 1)
        return Packer(item.data for item in islice(objects.values(), 0, None, step))

    def _let_go(self, item: Cached) -> None:
        self._count_plain(-item.plain_bytes)
        item.replaced()

    def _may_keep(self, item: Cached, more: int) -> bool:
        """Whether a message may stay beside an object: while it is what is stored, and there is room."""
        if self._feed is None or self._budget.is_spent or self._objects.get(item.key) is not item:
            return False
        self._count_plain(more)
        return True

    def _count_plain(self, change: int) -> None:
        self._plain_bytes += change
        self._budget.held += change


def _portions(past: Sequence[CachedEvent]) -> Iterator[Sequence[CachedEvent]]:
    """The past, cut into what is told at once."""
    start = size = 0
    for end, event in enumerate(past):
        more = event.object.held_bytes
        if end > start and (end - start >= _TOLD_AT_ONCE or size + more > _TOLD_AT_ONCE_BYTES):
            yield past[start:end]
            start, size = end, 0
        size += more
    if start < len(past):
        yield past[start:]


def _stopped() -> ApiError:
    """The resource is served no longer, or from elsewhere: who tries again finds out (upstream's words)."""
    return service_unavailable("apiserver cacher is stopped")
