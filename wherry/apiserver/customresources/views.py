"""Stored custom resources as one version shows them: `VersionView`, a store seen through a schema.

Objects are stored in the version that was the storage version when they were written, and by the
schema of that day. A view converts them, drops what the schema no longer has and fills in new
defaults; what is written through it is converted to the present storage version. The cacher of each
served version reads from a view, so nothing above it has to know.

The store tells what was written before it answers, and every version shows it then: what they show of a large
object is made before it is stored, beside the loop.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeAlias, TypeVar

import orjson

from wherry.api.apiextensions.custom_kind import CustomKind
from wherry.apiserver import encoding
from wherry.apiserver.beside import LARGE
from wherry.apiserver.stored import OldForms
from wherry.apiserver.threads import WATCHERS, Threads
from wherry.kit.portions import Portions, Work
from wherry.objects.errors import TooLargeToStore
from wherry.objects.meta import Object
from wherry.objects.structural import TooManyDefaults, apply_defaults, prune
from wherry.store.base import Entry, Event, Page, RevisionMismatch, Sink, Store, Subscription

log = logging.getLogger(__name__)

T = TypeVar("T")
Entries: TypeAlias = list[Entry]

UNREADABLE = b""
"""The value shown of an entry that cannot be read: no cacher can, so each leaves it out and says so."""


def readable(entry: Entry) -> Object | None:
    """The entry's object, None when it cannot be decoded or lacks what every object has."""
    try:
        obj = encoding.decode(entry.value)
    except ValueError:
        return None
    return obj if isinstance(obj.get("metadata"), dict) else None


def told(events: Sequence[Event], before: Sequence[Entry], live: Sequence[Entry]) -> list[Event]:
    """The events with the states `before` them, and what is `live` after them, as they are shown."""
    previous, entries = iter(before), iter(live)
    return [
        event._replace(
            previous=None if event.previous is None else next(previous),
            entry=event.entry if event.deleted else next(entries),
        )
        for event in events
    ]


class VersionView:
    """A `Store` of objects in `api_version`, kept in `storage_api_version` by `store`.

    Only apiVersion differs between versions here; see `conversion` for definitions with a webhook.
    `threads` work on large objects.
    """

    def __init__(
        self, store: Store, kind: CustomKind, api_version: str, storage_api_version: str, threads: Threads
    ) -> None:
        self._store = store
        self._threads = threads
        self._root = kind.root
        self._api_version = api_version
        self._storage_api_version = storage_api_version
        self.old_forms = OldForms()
        self.versions: Sequence[VersionView] = (self,)
        """The views of all versions of the kind, this one among them."""
        self._foreseen: dict[bytes, bytes] = {}
        """What is shown of values that are just being stored."""

    @property
    def revision(self) -> int:
        """See `Store.revision`."""
        return self._store.revision

    @property
    def is_full(self) -> bool:
        """See `base.Store.is_full`."""
        return self._store.is_full

    @property
    def oldest(self) -> int:
        """See `Store.oldest`."""
        return self._store.oldest

    async def get(self, key: str) -> Entry | None:
        """See `Store.get`."""
        entry = await self._store.get(key)
        return (await self._all_shown([entry]))[0] if entry is not None else None

    async def list(self, prefix: str, *, revision: int = 0, limit: int = 0, start_after: str = "") -> Page:
        """See `Store.list`."""
        page = await self._store.list(prefix, revision=revision, limit=limit, start_after=start_after)
        return Page(await self._all_shown(page.entries), page.revision, page.remaining)

    async def create(self, key: str, value: bytes, *, ttl_s: int | None = None) -> Entry:
        """See `Store.create`."""
        async with self._storing(key, value) as stored:
            return await self._store.create(key, stored, ttl_s=ttl_s)

    async def update(
        self,
        key: str,
        value: bytes,
        *,
        expected: int,
        ttl_s: int | None = None,
        is_reserved: bool = False,
        is_mark: bool = False,
    ) -> Entry:
        """See `Store.update`."""
        try:
            async with self._storing(key, value) as stored:
                return await self._store.update(
                    key, stored, expected=expected, ttl_s=ttl_s, is_reserved=is_reserved, is_mark=is_mark
                )
        except RevisionMismatch as error:
            raise await self._overtaken(error) from error

    async def delete(self, key: str, *, expected: int) -> Entry:
        """See `Store.delete`."""
        try:
            return await self._store.delete(key, expected=expected)
        except RevisionMismatch as error:
            raise await self._overtaken(error) from error

    async def _overtaken(self, error: RevisionMismatch) -> RevisionMismatch:
        (current,) = await self._all_shown([error.current])
        return RevisionMismatch(error.key, error.expected, current)

    async def watch(
        self, prefix: str, after: int, sink: Sink, *, lost: Callable[[], None] | None = None
    ) -> Subscription:
        """See `Store.watch`."""

        def show(events: Sequence[Event]) -> None:
            sink(
                [
                    event if event.deleted else event._replace(entry=self._shown(event.entry))
                    for event in events
                ]
            )

        return await self._store.watch(prefix, after, show, lost=lost)

    async def events(self, prefix: str, after: int, upto: int, *, limit_bytes: int) -> Sequence[Event]:
        """See `Store.events`."""
        found = await self._store.events(prefix, after, upto, limit_bytes=limit_bytes)
        before = await self._all_shown([event.previous for event in found if event.previous is not None])
        live = await self._all_shown([event.entry for event in found if not event.deleted])
        return told(found, before, live)

    async def compact(self, revision: int) -> None:
        """See `Store.compact`."""
        await self._store.compact(revision)

    async def close(self) -> None:
        """Nothing: the store belongs to the server."""

    @asynccontextmanager
    async def _storing(self, key: str, value: bytes) -> AsyncIterator[bytes]:
        """Around the write of `value`, of this version: what is stored of it."""
        if len(value) < LARGE:
            yield self._stored(value)
            return
        stored = await self._beside(partial(self._stored, value))
        entry = Entry(key, stored, 0, 0)
        foreseen = [(view, (await self._beside(partial(view._look, entry)))[0]) for view in self.versions]
        for view, shown in foreseen:
            view._foreseen[stored] = shown.value
        try:
            yield stored
        finally:
            for view, _ in foreseen:
                view._foreseen.pop(stored, None)

    async def _beside(self, work: Callable[[], T]) -> T:
        return await self._threads.run(WATCHERS, work)

    async def _all_shown(self, entries: Sequence[Entry]) -> Entries:
        """Entries as this view shows them, in portions, large ones made beside the loop."""
        portions = Portions(Work.REQUESTS)
        shown: Entries = []
        for entry in entries:
            await portions.next()
            if len(entry.value) < LARGE:
                shown.append(self._shown(entry))
            else:
                shown.append(self._noted(*await self._beside(partial(self._look, entry))))
        return shown

    def _shown(self, entry: Entry) -> Entry:
        foreseen = self._foreseen.get(entry.value)
        if foreseen is not None:
            return self._noted(entry._replace(value=foreseen), is_old=False)
        return self._noted(*self._look(entry))

    def _noted(self, entry: Entry, is_old: bool | None) -> Entry:
        """`entry`, of which is remembered whether it is stored in an old form; None if nobody can read it."""
        if is_old is not None:
            self.old_forms.note(entry.key, entry.revision, is_old=is_old)
        return entry

    def _look(self, entry: Entry) -> tuple[Entry, bool | None]:
        """An entry as this view shows it, and what `_noted` is to know. Changes nothing else."""
        obj = readable(entry)
        if obj is None:
            return entry._replace(value=UNREADABLE), None
        is_old = self._is_old(obj)
        changed = obj.get("apiVersion") != self._api_version
        obj["apiVersion"] = self._api_version
        return self._fitted(entry, obj, changed=changed), is_old

    def _is_old(self, obj: Object) -> bool:
        return obj.get("apiVersion") != self._storage_api_version

    def _fitted(self, entry: Entry, obj: Object, *, changed: bool) -> Entry:
        """`entry` with `obj`, which is of this view's version, as its value."""
        try:
            changed |= self._fit_as_far_as_possible(entry, obj)
            return entry._replace(value=encoding.encode_stored(obj)) if changed else entry
        except Exception:
            # Written past validation; one value must not take the whole kind away.
            log.exception("%s at revision %d does not fit its schema", entry.key, entry.revision)
            return entry._replace(value=UNREADABLE)

    def _fit_as_far_as_possible(self, entry: Entry, obj: Object) -> bool:
        """What is there can be read, and made smaller, whatever its schema has come to say."""
        try:
            return self._fit(obj)
        except TooManyDefaults as error:
            log.warning("%s at revision %d lacks defaults: %s", entry.key, entry.revision, error)
            return True

    async def shown(self, obj: Object) -> Object:
        """An object of another version of the kind as this view shows it; a new object.

        Raises ApiError (500) when its defaults make it too large to store.
        """
        made = encoding.decode(orjson.dumps({**obj, "apiVersion": self._api_version}))
        try:
            self._fit(made)
        except TooManyDefaults as error:
            raise TooLargeToStore from error
        return made

    def _fit(self, obj: Object) -> bool:
        """Make `obj` what the schema says, in place; whether it changed. Raises TooManyDefaults."""
        removed = prune(obj, self._root)
        return apply_defaults(obj, self._root) or bool(removed)

    def _stored(self, value: bytes) -> bytes:
        if self._api_version == self._storage_api_version:
            return value
        return encoding.encode_stored({**encoding.decode(value), "apiVersion": self._storage_api_version})
