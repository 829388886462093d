"""What is served right now: every resource with the cacher its objects come from.

Versions of one kind that share storage share one cacher. A cacher is started when it is first
needed: nobody pays for the 50 kinds a cluster never uses, and nothing is ever answered from a
cacher that has not read the store. Resources can be added and removed while the server runs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import orjson

from wherry.api.resource import Resource
from wherry.apiserver.cacher import Cached, CachedEvent, Cacher
from wherry.apiserver.encoding import decode
from wherry.apiserver.packing import Budget
from wherry.kit.clock import Clock
from wherry.kit.passes import Pass
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.objects.errors import ApiError, corrupt_object, not_found, service_unavailable
from wherry.objects.meta import Object
from wherry.store.base import Entry, Store, StoreError, Subscription

log = logging.getLogger(__name__)

TRIM_EVERY_S = 30.0


@dataclass(frozen=True, slots=True)
class Shared:
    """What all sources of a server share: the clock, who owns their tasks, what they may hold plain, and what
    telling watchers has of each pass of the loop.
    """

    clock: Clock
    tasks: Tasks = field(default_factory=lambda: Tasks("registry"))
    budget: Budget = field(default_factory=Budget)
    telling: Pass = field(default_factory=Pass)


class Source:
    """The cacher of one storage prefix, started at most once, on demand.

    A cacher that came out of step with the store is not ready until it has read everything anew, which
    begins at once: who decides by the cache does not ask whether it is open.
    """

    def __init__(self, resource: Resource, store: Store, shared: Shared) -> None:
        self.store = store
        self.cacher = Cacher(
            resource,
            store,
            budget=shared.budget,
            telling=shared.telling,
            now=shared.clock.monotonic,
            lost=self.lost,
        )
        self.is_ready = False
        self.old_forms = self.cacher.old_forms
        self._shared = shared
        self._reading: Repeater | None = None

    async def open(self) -> None:
        """Return once the cacher holds what the store holds. Raises ApiError (503) if it cannot."""
        if self.is_ready:
            return
        while not self.cacher.started:
            try:
                await self.cacher.start()
            except StoreError as error:
                raise service_unavailable(f"storage is not readable: {error}") from error
        self.is_ready = True

    def lost(self) -> None:
        """The cacher came out of step: read anew."""
        self.is_ready = False
        if self._reading is None:
            name = f"reading {self.cacher.resource.plural} anew"
            expected = (ApiError,)
            self._reading = Repeater(
                name, self._open_again, self._shared.tasks, self._shared.clock, expected=expected
            )
        self._reading.poke()

    async def _open_again(self) -> None:
        await self.open()

    def current(self, entry: Entry) -> Cached | None:
        """What the store says stands at a key now, as the cacher shows it; None if that takes asking."""
        cached = self.cacher.get(entry.key)
        if cached is not None and cached.revision >= entry.revision:
            return cached
        return self.cacher.read(entry)

    async def close(self) -> None:
        """Stop following the store."""
        self.is_ready = False
        if self._reading is not None:
            await self._reading.close()
        await self.cacher.close()


class Served:
    """One resource as it is served: declaration, source, and its conversion to what is stored."""

    __slots__ = ("_heads", "converts", "has_storage", "resource", "source", "verbs")

    def __init__(self, resource: Resource, source: Source, *, converts: bool | None = None) -> None:
        self.resource = resource
        self.source = source
        is_stored = resource.storage_version == (resource.group, resource.version)
        self.converts = not is_stored if converts is None else converts
        self.has_storage = resource.is_stored and ("get" in resource.verbs or "list" in resource.verbs)
        self.verbs = frozenset(resource.verbs)
        # Where versions differ in the name alone, the first bytes are exchanged and the rest is kept.
        self._heads: tuple[bytes, bytes] | None = None
        if resource.from_storage is None:
            stored = "/".join(part for part in resource.storage_version or () if part)
            self._heads = _head(stored), _head(resource.api_version)

    @property
    def cacher(self) -> Cacher:
        """The cacher; only to be read once the source is ready."""
        return self.source.cacher

    @property
    def store(self) -> Store:
        """Where the objects are written to."""
        return self.source.store

    def get(self, namespace: str, name: str) -> Cached | None:
        """The stored object, None if there is none. The source must be ready."""
        return self.source.cacher.get(self.resource.key(namespace, name))

    def is_stored_otherwise(self, cached: Cached) -> bool:
        """Whether the object is stored in another version or form than it would be now."""
        return self.source.old_forms.hold(cached.key, cached.revision)

    def absent(self, namespace: str, name: str) -> ApiError:
        """Why `get` found nothing: there is nothing (404), or nobody can read what is stored (500)."""
        resource = self.resource
        key = resource.key(namespace, name)
        if key in self.source.cacher.unreadable:
            return corrupt_object(key)
        return not_found(resource.plural, resource.group, name)

    def decode(self, cached: Cached) -> Object:
        """A private copy of the object in this resource's version."""
        return self.read(cached.data)

    def read(self, data: bytes) -> Object:
        """The same, of the bytes a `Cached` holds."""
        obj = decode(data)
        return self.from_storage(obj) if self.converts else obj

    def each(self, use: Callable[[Cached], None], namespace: str = "") -> None:
        """Call `use` with every object of a namespace ("" for all), for those who make something of each.

        One that was written past validation, and makes `use` raise, is logged and left out: it must not
        keep the server from starting, nor from deciding by the others.
        """
        for cached in self.cacher.list(namespace)[0]:
            try:
                use(cached)
            except Exception:
                log.exception("%s %s makes no sense and is left out", self.resource.kind, cached.key)

    def data(self, cached: Cached) -> bytes:
        """The object's JSON in this resource's version."""
        if not self.converts:
            return cached.data
        if self._heads is not None and cached.data.startswith(self._heads[0]):
            return self._heads[1] + cached.data[len(self._heads[0]) :]
        return orjson.dumps(self.decode(cached))

    def from_storage(self, obj: Object) -> Object:
        """A stored object in this resource's version."""
        convert = self.resource.from_storage
        return convert(obj) if convert is not None else {**obj, "apiVersion": self.resource.api_version}

    def to_storage(self, obj: Object) -> Object:
        """An object of this resource's version as it is stored."""
        if not self.converts:
            return obj
        convert = self.resource.to_storage
        if convert is not None:
            return convert(obj)
        group, version = self.resource.storage_version or ("", "")
        return {**obj, "apiVersion": f"{group}/{version}" if group else version}


class Following:
    """A watch by the server itself, which begins anew when it ended; implements `Subscription`."""

    def __init__(
        self,
        source: Source,
        shared: Shared,
        sink: Callable[[Sequence[CachedEvent]], None],
        anew: Callable[[], None],
    ) -> None:
        self._source = source
        self._sink = sink
        self._anew = anew
        name = f"following {source.cacher.resource.plural}"
        self._beginning = Repeater(name, self._begin, shared.tasks, shared.clock, expected=(ApiError,))
        self._is_open = True
        self._watch: Subscription | None = self._subscribe()

    def close(self) -> None:
        """Follow no more."""
        self._is_open = False
        self._beginning.stop()
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _subscribe(self) -> Subscription:
        return self._source.cacher.watch("", 0, None, self._sink, ended=self._ended, is_first=True)

    def _ended(self) -> None:
        self._watch = None
        if self._is_open and not self._source.cacher.is_closed:
            self._beginning.poke()

    async def _begin(self) -> None:
        if not self._is_open or self._source.cacher.is_closed or self._watch is not None:
            return
        await self._source.open()
        self._anew()
        self._watch = self._subscribe()


def _head(api_version: str) -> bytes:
    return b'{"apiVersion":%b,' % orjson.dumps(api_version)


class Registry:
    """All served resources, found by (group, version, plural)."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self.shared = Shared(clock)
        """What all sources share."""
        self._served: dict[tuple[str, str, str], Served] = {}
        self._sources: dict[str, Source] = {}
        self._order: dict[tuple[str, str, str], Resource] = {}
        self.generation = 0
        """Grows whenever a resource is added or removed, so that documents about them are remade."""
        self.on_change: list[Callable[[Sequence[Resource]], None]] = []
        """Called with the resources of which no version is served any more, whenever others are served: what
        was made of a kind goes with it."""
        self._trimmed_at = -1
        """The store's revision when nothing was left to forget; until it moves on, nothing is."""
        self._trimming = Repeater("forgetting old changes", self._trim, self.shared.tasks, clock)

    def add(self, resources: Iterable[Resource]) -> None:
        """Serve `resources`; one that is served already is replaced."""
        resources = list(resources)
        self._order |= {(r.group, r.version, r.plural): r for r in resources}
        # The version that is stored comes first: its declaration knows how to read what is stored.
        for resource in sorted(resources, key=lambda r: r.storage_version != (r.group, r.version)):
            source = self._sources.get(resource.storage_key)
            if source is None:
                source = Source(resource, self._store, self.shared)
                self._sources[resource.storage_key] = source
            self._served[resource.group, resource.version, resource.plural] = Served(resource, source)
        self.generation += 1

    async def replace(self, old: Sequence[Resource], new: Iterable[tuple[Resource, Source]]) -> None:
        """Serve `new`, each from its own source, and `old` no longer; watches of sources not kept end.

        Both are custom resources. What is built in stays: a definition of the same name is not served.
        """
        new = [(r, source) for r, source in new if not self.has_built_in(r.group, r.plural)]
        old = [r for r in old if not self.has_built_in(r.group, r.plural)]
        kept = {source for _, source in new}
        ended = {self._served.pop(_place(resource)).source for resource in old} - kept
        for resource in old:
            self._order.pop(_place(resource))
        for resource, source in new:
            self._order[_place(resource)] = resource
            self._served[_place(resource)] = Served(resource, source, converts=False)
        self.generation += 1
        self._changed(old)
        for source in ended:
            await source.close()

    def has_built_in(self, group: str, plural: str) -> bool:
        """Whether some version of that resource is the server's own, not defined in the cluster."""
        return any(
            served.resource.custom is None
            for (found_group, _, found_plural), served in self._served.items()
            if (found_group, found_plural) == (group, plural)
        )

    async def remove(self, resource: Resource) -> None:
        """Serve `resource` no longer; its stored objects stay."""
        self._served.pop((resource.group, resource.version, resource.plural), None)
        self._order.pop((resource.group, resource.version, resource.plural), None)
        self.generation += 1
        self._changed([resource])
        if not any(served.resource.is_version_of(resource) for served in self._served.values()):
            source = self._sources.pop(resource.storage_key, None)
            if source is not None:
                await source.close()

    def find(self, group: str, version: str, plural: str) -> Served | None:
        """The served resource at that path, None if there is none."""
        return self._served.get((group, version, plural))

    def of(self, resource: Resource) -> Served:
        """The served form of a built-in declaration. Raises KeyError if it is not served."""
        return self._served[resource.group, resource.version, resource.plural]

    def of_kind(self, api_version: str, kind: str) -> Served | None:
        """The resource whose objects are of that kind, None if none is served."""
        for served in list(self._served.values()):  # threads ask, too
            if served.resource.kind == kind and served.resource.api_version == api_version:
                return served
        return None

    def knows(self, api_version: str, kind: str) -> bool:
        """Whether objects of that kind are served."""
        return self.of_kind(api_version, kind) is not None

    def object_counts(self) -> dict[tuple[str, str], int]:
        """How many objects there are, by group and plural, of every kind somebody has asked for."""
        counts: dict[tuple[str, str], int] = {}
        for served in self._served.values():
            if served.has_storage and served.source.is_ready and not served.converts:
                resource = served.resource
                counts[resource.group, resource.plural] = len(served.cacher)
        return counts

    def resources(self) -> Sequence[Resource]:
        """Every served declaration, in the order added."""
        return list(self._order.values())

    async def open(self, resources: Iterable[Resource]) -> None:
        """Start the sources of `resources`, all at once. Raises ApiError (503)."""
        self._trimming.within(TRIM_EVERY_S)
        await asyncio.gather(*(self.of(resource).source.open() for resource in resources))

    def _changed(self, old: Sequence[Resource]) -> None:
        served = {(group, plural) for group, _, plural in self._served}
        gone = [resource for resource in old if (resource.group, resource.plural) not in served]
        for tell in self.on_change:
            tell(gone)

    async def _trim(self) -> float:
        """Where nothing is written any more, what was written last goes by itself."""
        revision = self._store.revision
        if revision != self._trimmed_at:
            are_settled = [source.cacher.trim() for source in self._all_sources()]
            self._trimmed_at = revision if all(are_settled) else -1
        return TRIM_EVERY_S

    def _all_sources(self) -> set[Source]:
        return {*self._sources.values(), *(served.source for served in self._served.values())}

    def follow(
        self,
        resource: Resource,
        sink: Callable[[Sequence[CachedEvent]], None],
        anew: Callable[[], None],
    ) -> Subscription:
        """Hand `sink` every later change of a resource whose source is ready.

        `anew` is called when changes were missed (the sink raised, or the cacher came out of step):
        whatever was made of the resource's objects has to be made again from those there are now.
        """
        return Following(self.of(resource).source, self.shared, sink, anew)

    async def close(self) -> None:
        """Close every source."""
        await self._trimming.close()
        for source in self._all_sources():
            await source.close()
        await self.shared.tasks.close()


def _place(resource: Resource) -> tuple[str, str, str]:
    return resource.group, resource.version, resource.plural
