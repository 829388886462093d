"""Stored custom resources as one version shows them: `VersionView`, a store seen through a schema.

Objects are stored in the version that was the storage version when they were written, and by the
schema of that day. A view converts them, drops what the schema no longer has and fills in new
defaults; what is written through it is converted to the present storage version. The cacher of each
served version reads from a view, so nothing above it has to know.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import orjson

from wherry.api.apiextensions.custom_kind import CustomKind
from wherry.apiserver import encoding
from wherry.apiserver.stored import OldForms
from wherry.objects.errors import TooLargeToStore
from wherry.objects.meta import Object
from wherry.objects.structural import TooManyDefaults, apply_defaults, prune
from wherry.store.base import Entry, Event, Page, RevisionMismatch, Sink, Store, Subscription

log = logging.getLogger(__name__)

UNREADABLE = b""
"""The value shown of an entry that cannot be read: no cacher can, so each leaves it out and says so."""


def readable(entry: Entry) -> Object | None:
    """The entry's object, None when it cannot be decoded or lacks what every object has."""
    try:
        obj = encoding.decode(entry.value)
    except ValueError:
        return None
    return obj if isinstance(obj.get("metadata"), dict) else None


class VersionView:
    """A `Store` of objects in `api_version`, kept in `storage_api_version` by `store`.

    Only apiVersion differs between versions here; see `conversion` for definitions with a webhook.
    """

    def __init__(self, store: Store, kind: CustomKind, api_version: str, storage_api_version: str) -> None:
        self._store = store
        self._root = kind.root
        self._api_version = api_version
        self._storage_api_version = storage_api_version
        self.old_forms = OldForms()

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
        return self._shown(entry) if entry is not None else None

    async def list(self, prefix: str, *, revision: int = 0, limit: int = 0, start_after: str = "") -> Page:
        """See `Store.list`."""
        page = await self._store.list(prefix, revision=revision, limit=limit, start_after=start_after)
        return Page([self._shown(entry) for entry in page.entries], page.revision, page.remaining)

    async def create(self, key: str, value: bytes, *, ttl_s: int | None = None) -> Entry:
        """See `Store.create`."""
        return await self._store.create(key, self._stored(value), ttl_s=ttl_s)

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
            return await self._store.update(
                key,
                self._stored(value),
                expected=expected,
                ttl_s=ttl_s,
                is_reserved=is_reserved,
                is_mark=is_mark,
            )
        except RevisionMismatch as error:
            raise self._overtaken(error) from error

    async def delete(self, key: str, *, expected: int) -> Entry:
        """See `Store.delete`."""
        try:
            return await self._store.delete(key, expected=expected)
        except RevisionMismatch as error:
            raise self._overtaken(error) from error

    def _overtaken(self, error: RevisionMismatch) -> RevisionMismatch:
        return RevisionMismatch(error.key, error.expected, self._shown(error.current))

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
        return [self._told(event) for event in found]

    def _told(self, event: Event) -> Event:
        entry = event.entry if event.deleted else self._shown(event.entry)
        previous = None if event.previous is None else self._shown(event.previous)
        return event._replace(entry=entry, previous=previous)

    async def compact(self, revision: int) -> None:
        """See `Store.compact`."""
        await self._store.compact(revision)

    async def close(self) -> None:
        """Nothing: the store belongs to the server."""

    def _shown(self, entry: Entry) -> Entry:
        obj = readable(entry)
        if obj is None:
            return entry._replace(value=UNREADABLE)
        self._note_form(entry, obj)
        changed = obj.get("apiVersion") != self._api_version
        obj["apiVersion"] = self._api_version
        return self._fitted(entry, obj, changed=changed)

    def _note_form(self, entry: Entry, obj: Object) -> None:
        is_old = obj.get("apiVersion") != self._storage_api_version
        self.old_forms.note(entry.key, entry.revision, is_old=is_old)

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
