"""One resource kept in memory: listed once, then followed by a watch for ever.

`Shelf` holds the objects and their indexes and tells handlers what changed; `Informer` feeds one
from the API server. A broken watch resumes at the last version seen; when that was compacted away
(410) the collection is listed anew and compared, so handlers also learn of what vanished meanwhile.
There is no periodic resync: whoever needs time to pass sets a timer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from random import Random
from typing import TypeAlias, cast

from wherry.api.foreign import status_error
from wherry.api.resource import Resource
from wherry.client.api import Client, Listing
from wherry.client.transport import WatchEvent
from wherry.kit.clock import Clock
from wherry.kit.portions import Work, others
from wherry.kit.tasks import others_end
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, controller_of, key_of, metadata, namespace_of, revision_of, uid_of

log = logging.getLogger(__name__)

FIRST_BACKOFF_S = 0.2
MAX_BACKOFF_S = 10.0
SHORT_WATCH_S = 1.0
"""A watch that ends sooner than this, without an event, counts as a failure (no hot loop)."""

LISTED_AT_ONCE = 500
"""Objects asked for at once; as many as client-go's pager does."""
TAKEN_AT_ONCE = 100
"""Objects of a list that are taken in, with all handlers told, between two turns of the event loop."""

Handler: TypeAlias = Callable[[Object | None, Object | None], None]
"""(old, new): old is None for an object that is new, new is None for one that is gone."""

Objects: TypeAlias = list[Object]

IndexFunction: TypeAlias = Callable[[Object], Iterable[str]]
"""The values an object is found under in an index."""

OWNER = "owner"
NAMESPACE = "namespace"
OWNERS = "ownerReferences"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which part of a collection is kept; empty fields select everything."""

    namespace: str = ""
    label_selector: str = ""
    field_selector: str = ""


def owner_of(obj: Object) -> list[str]:
    """The controlling owner, if there is one: the index `owned` reads.

    An owner is of its dependent's namespace: whatever a reference in another one says is no matter.
    """
    owner = controller_of(obj)
    return [owner_value(namespace_of(obj), owner["uid"])] if owner is not None and owner.get("uid") else []


def owner_value(namespace: str, uid: str) -> str:
    """What the objects of a namespace that an owner with that uid controls are found under."""
    return f"{namespace}/{uid}"


class Shelf:
    """Objects by key, with indexes, and the handlers that hear of every change.

    Objects on the shelf are shared by all readers and must not be changed by anybody.
    """

    def __init__(self, transform: Callable[[Object], Object] | None = None) -> None:
        self._transform = transform
        self._objects: dict[str, Object] = {}
        self._functions: dict[str, IndexFunction] = {}
        self._indexes: dict[str, dict[str, dict[str, None]]] = {}
        """Of each index the keys found under a value, in the order they came there."""
        self._handlers: list[Handler] = []
        self.add_index(NAMESPACE, lambda obj: (namespace_of(obj),))
        self.add_index(OWNER, owner_of)

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, key: str) -> Object | None:
        """The object of that key."""
        return self._objects.get(key)

    def list(self, namespace: str = "") -> Objects:
        """All objects, or those of one namespace."""
        return self.by_index(NAMESPACE, namespace) if namespace else list(self._objects.values())

    def by_index(self, name: str, value: str) -> Objects:
        """The objects an index holds under a value. Raises KeyError for an index never added."""
        found = self._indexes[name].get(value)
        return [self._objects[key] for key in found] if found else []

    def add_index(self, name: str, function: IndexFunction) -> None:
        """Keep an index from now on; one of the same name is replaced."""
        self._functions[name] = function
        index: dict[str, dict[str, None]] = {}
        self._indexes[name] = index
        for key, obj in self._objects.items():
            for value in _values(name, function, obj):
                index.setdefault(value, {})[key] = None

    def on(self, handler: Handler) -> None:
        """Call `handler` for every change from now on, and at once for each object already here."""
        self._handlers.append(handler)
        for obj in list(self._objects.values()):
            _call(handler, None, obj)

    def put(self, obj: Object) -> None:
        """Take in a new object or a new version of one; a version that is here already is ignored."""
        obj = self._transform(obj) if self._transform is not None else obj
        key = key_of(obj)
        old = self._objects.get(key)
        if old is not None and uid_of(old) != uid_of(obj):
            self._drop(key, old)  # deleted and created again while nobody watched: both are news
            old = None
        if old is not None and revision_of(old) == revision_of(obj):
            return
        self._objects[key] = obj
        self._index(key, old, obj)
        self._tell(old, obj)

    def remove(self, obj: Object) -> None:
        """Forget an object; handlers get its last state, `obj` itself."""
        obj = self._transform(obj) if self._transform is not None else obj
        key = key_of(obj)
        if key in self._objects:
            self._drop(key, obj)

    async def replace(self, objects: Sequence[Object]) -> None:
        """Become exactly `objects`, telling handlers of each difference.

        Others have their turn every so often, since each object is told to every handler: until it is done
        some objects are as they are now, and some as they were.
        """
        present = set()
        for number, obj in enumerate(objects, 1):
            present.add(key_of(obj))
            self.put(obj)
            if not number % TAKEN_AT_ONCE:
                await others(Work.CACHES)
        for number, key in enumerate([key for key in self._objects if key not in present], 1):
            self._drop(key, self._objects[key])
            if not number % TAKEN_AT_ONCE:
                await others(Work.CACHES)

    def _drop(self, key: str, last: Object) -> None:
        old = self._objects.pop(key)
        self._index(key, old, None)
        self._tell(last, None)

    def _index(self, key: str, old: Object | None, new: Object | None) -> None:
        """Find the object under what it has now. Most have no owner, and all keep their namespace."""
        owners = metadata(new).get(OWNERS) if new is not None else None
        old_owners = metadata(old).get(OWNERS) if old is not None else None
        if old is None:
            self._indexes[NAMESPACE].setdefault(namespace_of(new or {}), {})[key] = None
        for name, function in self._functions.items():
            if name == OWNER and owners == old_owners and new is not None:
                continue
            if name == NAMESPACE and new is not None:
                continue
            index = self._indexes[name]
            wanted = _values(name, function, new) if new is not None else []
            present = _values(name, function, old) if old is not None else ()
            if wanted == present:
                continue
            for value in present:
                entries = index.get(value)
                if entries is None or value in wanted:
                    continue
                entries.pop(key, None)
                if not entries:
                    del index[value]
            if new is not None:
                for value in wanted:
                    index.setdefault(value, {})[key] = None

    def _tell(self, old: Object | None, new: Object | None) -> None:
        for handler in self._handlers:
            _call(handler, old, new)


_ANY_FAULT = (Exception, SystemExit, asyncio.CancelledError)
"""Readers may be code of installed packages; none of these ends the loop that tells the others."""


def _call(handler: Handler, old: Object | None, new: Object | None) -> None:
    try:
        handler(old, new)
    except _ANY_FAULT:
        # One reader's fault must not cost the others their events.
        log.exception("a handler failed on %s", key_of(new or old or {}))


def _values(name: str, function: IndexFunction, obj: Object) -> list[str]:
    """What `function` finds an object under; nothing where it fails, so that the others go on."""
    try:
        return list(function(obj))
    except _ANY_FAULT:
        log.exception("index %s failed on %s", name, key_of(obj))
        return []


class Informer:
    """A shelf that follows one resource."""

    def __init__(
        self, client: Client, resource: Resource, scope: Scope, clock: Clock, random: Random, shelf: Shelf
    ) -> None:
        self.resource = resource
        self.scope = scope
        self.shelf = shelf
        self._client = client
        self._clock = clock
        self._random = random
        self._version = ""
        self._failures = 0
        self._synced = asyncio.Event()
        self._followers: list[Callable[[str], None]] = []

    @property
    def synced(self) -> bool:
        """Whether the first list is in."""
        return self._synced.is_set()

    @property
    def resource_version(self) -> str:
        """The version the shelf is at, "" before the first list."""
        return self._version

    def on_progress(self, follower: Callable[[str], None]) -> None:
        """Call `follower(version)` whenever the shelf has reached a version, after its handlers.

        Whoever wrote at version N knows that the shelf shows the write once N was reached.
        """
        self._followers.append(follower)

    async def wait_synced(self) -> None:
        """Return when the first list is in."""
        await self._synced.wait()

    async def run(self) -> None:
        """Follow the resource until cancelled; whatever fails is logged and tried again."""
        while True:
            try:
                with others_end("the list or watch"):
                    if not self._version:
                        await self._list()
                    await self._watch()
            except ApiError as error:
                self._note(error)
                await self._back_off()
            except Exception:
                log.exception("following %s failed", self.resource.plural)
                await self._back_off()

    async def _list(self) -> None:
        """Take over what there is, in portions (client-go's pager): read at once a hundred thousand objects
        would be held twice, and hold up everybody else of the process, or of the server, for seconds.
        """
        first = listing = await self._page()
        items = listing.items
        while listing.continue_token:
            await others(Work.CACHES)  # within one process no page waits for anything
            try:
                listing = await self._page(listing.continue_token)
            except ApiError as error:
                if error.code != 410:
                    raise
                # The first page's moment was forgotten meanwhile: all at once is of one moment for sure.
                first = listing = await self._page(limit=0)
                items = []
            items += listing.items
        await self.shelf.replace(items)
        self._synced.set()
        self._reach(first.resource_version)

    async def _page(self, continue_token: str = "", limit: int = LISTED_AT_ONCE) -> Listing:
        return await self._client.list(
            self.resource,
            self.scope.namespace,
            label_selector=self.scope.label_selector,
            field_selector=self.scope.field_selector,
            limit=limit,
            continue_token=continue_token,
        )

    async def _watch(self) -> None:
        began = self._clock.monotonic()
        events = self._client.watch(
            self.resource,
            self.scope.namespace,
            resource_version=self._version,
            label_selector=self.scope.label_selector,
            field_selector=self.scope.field_selector,
            timeout_s=int(self._client.watch_s * (1 + self._random.random())),
        )
        seen = 0
        async with aclosing(cast("AsyncGenerator[WatchEvent, None]", events)) as stream:
            async for event in stream:
                self._take(event)
                self._failures = 0
                seen += 1
        if not seen and self._clock.monotonic() - began < SHORT_WATCH_S:
            await self._back_off()

    def _take(self, event: WatchEvent) -> None:
        if event.type == "ERROR":
            raise status_error(event.object, 500)
        if event.type in ("ADDED", "MODIFIED"):
            self.shelf.put(event.object)
        elif event.type == "DELETED":
            self.shelf.remove(event.object)
        self._reach(revision_of(event.object))

    def _reach(self, version: str) -> None:
        if version:
            self._version = version
            for follower in self._followers:
                try:
                    follower(version)
                except Exception:
                    log.exception("a follower of %s failed at version %s", self.resource.plural, version)

    def _note(self, error: ApiError) -> None:
        if error.code == 410 or _is_from_the_future(error):
            log.info("%s: version %s cannot be had, listing again", self.resource.plural, self._version)
            self._version = ""
        else:
            is_known = error.is_told or (error.code == 404 and self._failures)  # a version nobody serves
            level = logging.DEBUG if is_known else logging.WARNING
            log.log(level, "following %s: %s", self.resource.plural, error.message)

    async def _back_off(self) -> None:
        delay_s = min(FIRST_BACKOFF_S * 2.0 ** min(self._failures, 16), MAX_BACKOFF_S)
        self._failures += 1
        await self._clock.sleep(delay_s * (0.5 + self._random.random()))


def _is_from_the_future(error: ApiError) -> bool:
    """Whether our version is ahead of the server's: its store was put back to an earlier state."""
    causes = error.details.get("causes") or ()
    return any(cause.get("reason") == "ResourceVersionTooLarge" for cause in causes)
