"""Conversion by webhook: `ConversionWebhook` asks, `ConvertedView` shows stored objects converted.

Converting takes a network call, so what the store tells is converted in order by a task and reaches
the cacher a little later. Requests wait (`ConvertedSource.open`) until everything written before them
has arrived; so nobody reads less than was there when he asked.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import orjson

from wherry.api.apiextensions.custom_kind import CustomKind
from wherry.api.foreign import status_error
from wherry.api.resource import Resource
from wherry.apiserver import encoding
from wherry.apiserver.beside import LARGE
from wherry.apiserver.cached import Cached
from wherry.apiserver.core import Core
from wherry.apiserver.customresources.views import UNREADABLE, Entries, VersionView, readable, told
from wherry.apiserver.endpoints import webhook_backend, webhook_trust
from wherry.apiserver.outbound import Unreachable, read_answer
from wherry.apiserver.registry import Shared, Source
from wherry.apiserver.threads import Threads
from wherry.kit.portions import Portions, Work
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object
from wherry.objects.nesting import MANAGED_DEPTH, MAX_DEPTH, TOO_DEEP, is_too_deep
from wherry.objects.uids import new_uid
from wherry.store.base import Entry, Event, Page, Sink, Store, Subscription

log = logging.getLogger(__name__)

TIMEOUT_S = 30.0
ANSWER_LIMIT_B = 8 * 1024 * 1024
LONGEST_WHY = 4096
"""Characters of a failure that are told: it may repeat what the webhook said."""
GROWTH = 4
"""How many times as large as what is sent an answer may be, besides `ANSWER_LIMIT_B` bytes."""
WAITING_BATCHES = 4096
WAITING_BYTES = 16 * 1024 * 1024
"""What may wait for a webhook that does not answer; past either it is read from the store again."""
Objects: TypeAlias = list[Object | None]
KEPT_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "generation")


class ConversionWebhook:
    """The webhook of one definition."""

    def __init__(self, core: Core, kind: str, webhook: Mapping[str, Any]) -> None:
        self._core = core
        self._kind = kind
        self._client_config = webhook.get("clientConfig") or {}
        offered = webhook.get("conversionReviewVersions") or ("v1",)
        self._version = next((version for version in offered if version in ("v1", "v1beta1")), "v1")

    async def convert(self, objects: list[Object], api_version: str) -> list[Object]:
        """The objects in `api_version`, in the same order. Raises ApiError (500)."""
        if not objects:
            return []
        review_id = new_uid(self._core.random)
        review = {
            "kind": "ConversionReview",
            "apiVersion": f"apiextensions.k8s.io/{self._version}",
            "request": {"uid": review_id, "desiredAPIVersion": api_version, "objects": objects},
        }
        try:
            return _checked(await self._ask(orjson.dumps(review)), review_id, objects, api_version)
        except (Unreachable, ValueError) as error:
            gvk = f"{objects[0].get('apiVersion')}, Kind={self._kind}"
            why = str(error)[:LONGEST_WHY]
            raise ApiError(500, "", f"conversion webhook for {gvk} failed: {why}") from error

    async def _ask(self, review: bytes) -> Object:
        """The response to a review. Raises Unreachable, ValueError, ApiError."""
        core = self._core
        backend = await webhook_backend(core.registry, core.random, self._client_config)
        async with core.outbound.request(
            "POST",
            backend.target,
            backend.path,
            backend.query,
            trust=webhook_trust(self._client_config, backend),
            headers=(("Content-Type", "application/json"), ("Accept", "application/json")),
            body=review,
            timeout_s=TIMEOUT_S,
        ) as response:
            data = await read_answer(response, ANSWER_LIMIT_B + GROWTH * len(review))
            if response.status != 200:
                raise Unreachable(
                    f"the server answered {response.status}: {data[:200].decode(errors='replace')}"
                )
        answer = orjson.loads(data)
        found = answer.get("response") if isinstance(answer, dict) else None
        if not isinstance(found, dict):
            raise ValueError("invalid response: not an object")  # noqa: TRY004 - it is data
        return found


def _checked(response: Object, review_id: str, sent: list[Object], api_version: str) -> list[Object]:
    """The converted objects. Raises ValueError when the webhook did not do as it should."""
    if response.get("uid") != review_id:
        raise ValueError(f'expected response.uid="{review_id}", got "{response.get("uid")}"')
    result = response.get("result")
    if not isinstance(result, dict):
        raise ValueError("the webhook did not say whether it could convert")  # noqa: TRY004 - it is data
    if result.get("status") != "Success":
        raise ValueError(status_error(result, 500, "the webhook refused without saying why").message)
    converted = response.get("convertedObjects") or []
    if not isinstance(converted, list) or not all(isinstance(item, dict) for item in converted):
        raise ValueError("returned something that is no list of objects")
    if len(converted) != len(sent):
        raise ValueError(f"returned {len(converted)} objects, expected {len(sent)}")
    made: list[Object] = []
    for index, (before, after) in enumerate(zip(sent, converted, strict=True)):
        if after.get("apiVersion") != api_version or after.get("kind") != before.get("kind"):
            raise ValueError(
                f"invalid converted object at index {index}: expected {api_version} {before.get('kind')}, "
                f"got {after.get('apiVersion')} {after.get('kind')}"
            )
        if is_too_deep(after, MAX_DEPTH + MANAGED_DEPTH):
            raise ValueError(f"invalid converted object at index {index}: {TOO_DEEP}")
        made.append({**after, "metadata": _metadata(before["metadata"], after.get("metadata"), index)})
    return made


def _metadata(before: Object, after: Any, index: int) -> Object:
    """Metadata as it was, but for labels and annotations, which a webhook may change."""
    if not isinstance(after, dict):
        raise ValueError(f"invalid metadata of object at index {index}: missing metadata")  # noqa: TRY004 - it is data
    for field in ("name", "namespace", "uid"):
        if after.get(field) != before.get(field):
            raise ValueError(
                f"invalid metadata of object at index {index}: {field} must not be changed, but was"
            )
    kept = {name: value for name, value in before.items() if name not in ("labels", "annotations")}
    return kept | {name: after[name] for name in ("labels", "annotations") if after.get(name)}


class ConvertedView(VersionView):
    """A `Store` of objects in one version, converted by a webhook from whatever they are stored in."""

    def __init__(
        self,
        store: Store,
        kind: CustomKind,
        api_version: str,
        storage_api_version: str,
        threads: Threads,
        webhook: ConversionWebhook,
    ) -> None:
        super().__init__(store, kind, api_version, storage_api_version, threads)
        self._webhook = webhook
        self._waiting: deque[Sequence[Event]] = deque()
        self._waiting_bytes = 0
        self._feed: _Feed | None = None
        self._lock = asyncio.Lock()
        self._draining: asyncio.Task[None] | None = None

    @property
    def revision(self) -> int:
        """The revision up to which everything has been handed on."""
        if self._waiting:
            return self._waiting[0][0].entry.revision - 1
        return self._store.revision

    async def get(self, key: str) -> Entry | None:
        """See `Store.get`. Raises ApiError (500) when the webhook fails."""
        entry = await self._store.get(key)
        return (await self._converted([entry]))[0] if entry is not None else None

    async def list(self, prefix: str, *, revision: int = 0, limit: int = 0, start_after: str = "") -> Page:
        """See `Store.list`. Raises ApiError (500) when the webhook fails."""
        page = await self._store.list(prefix, revision=revision, limit=limit, start_after=start_after)
        return Page(await self._converted(page.entries), page.revision, page.remaining)

    async def create(self, key: str, value: bytes, *, ttl_s: int | None = None) -> Entry:
        """See `Store.create`. Raises ApiError (500) when the webhook fails."""
        return await self._store.create(key, await self._to_storage(value), ttl_s=ttl_s)

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
        """See `Store.update`. Raises ApiError (500) when the webhook fails."""
        return await self._store.update(
            key,
            await self._to_storage(value),
            expected=expected,
            ttl_s=ttl_s,
            is_reserved=is_reserved,
            is_mark=is_mark,
        )

    async def shown(self, obj: Object) -> Object:
        """See `VersionView.shown`. Raises ApiError (500) when the webhook fails."""
        return await super().shown((await self._webhook.convert([obj], self._api_version))[0])

    async def watch(
        self, prefix: str, after: int, sink: Sink, *, lost: Callable[[], None] | None = None
    ) -> Subscription:
        """See `Store.watch`; events come converted, in order, as soon as they are.

        While the webhook does not answer they wait here. When more wait than is reasonable, the watch is
        lost, and what they say is read from the store once the webhook answers again.
        """
        self._end_feed()
        feed = self._feed = _Feed(self, sink, lost)
        feed.inner = await self._store.watch(prefix, after, feed.take, lost=self._break_off)
        return feed

    async def events(self, prefix: str, after: int, upto: int, *, limit_bytes: int) -> Sequence[Event]:
        """See `Store.events`. Raises ApiError (500) when the webhook fails."""
        found = await self._store.events(prefix, after, upto, limit_bytes=limit_bytes)
        before = [event.previous for event in found if event.previous is not None]
        live = [event.entry for event in found if not event.deleted]
        shown = await self._converted([*before, *live])
        return told(found, shown[: len(before)], shown[len(before) :])

    def take(self, events: Sequence[Event]) -> None:
        """Convert `events` and hand them on, after those that wait already."""
        self._waiting.append(events)
        self._waiting_bytes += sum(len(event.entry.value) for event in events)
        if len(self._waiting) > WAITING_BATCHES or self._waiting_bytes > WAITING_BYTES:
            log.warning("too much waits for the conversion of %s: it is read anew", self._api_version)
            self._break_off()
        elif self._draining is None or self._draining.done():
            self._draining = asyncio.get_running_loop().create_task(self._drain_quietly())

    def _end_feed(self) -> None:
        self._waiting.clear()
        self._waiting_bytes = 0
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.stop()

    def closed(self, feed: _Feed) -> None:
        """`feed` wants nothing more."""
        if self._feed is feed:
            self._end_feed()
        else:
            feed.stop()

    def _break_off(self) -> None:
        feed = self._feed
        self._end_feed()
        if feed is not None and feed.lost is not None:
            feed.lost()

    async def _drain_quietly(self) -> None:
        try:
            await self.drain()
        except ApiError as error:
            log.warning("%s", error.message)  # whoever reads next tries again, and is told

    async def drain(self) -> None:
        """Return when everything the store has told was handed on. Raises ApiError (500)."""
        async with self._lock:
            while self._waiting:
                events = self._waiting[0]
                live = [event.entry for event in events if not event.deleted]
                converted = iter(await self._converted(live))
                if not self._waiting or self._waiting[0] is not events:
                    continue  # meanwhile the feed ended
                shown = [e if e.deleted else e._replace(entry=next(converted)) for e in events]
                self._waiting.popleft()
                self._waiting_bytes -= sum(len(event.entry.value) for event in events)
                self._hand_on(shown)

    def _hand_on(self, events: Sequence[Event]) -> None:
        if self._feed is None:
            return
        try:
            self._feed.sink(events)
        except Exception:
            log.exception("a watcher of %s failed over %d events", self._api_version, len(events))
            self._break_off()

    async def close(self) -> None:
        """Hand on nothing more."""
        self._end_feed()
        if self._draining is not None:
            self._draining.cancel()
            await asyncio.wait([self._draining])

    async def _converted(self, entries: Sequence[Entry]) -> Entries:
        """The entries in this version; those nobody can read with a value no cacher can read."""
        portions = Portions(Work.REQUESTS)
        objects: Objects = []
        for entry in entries:
            await portions.next()
            obj = readable(entry)
            self._noted(entry, None if obj is None else self._is_old(obj))
            objects.append(obj)
        foreign: dict[str, list[int]] = {}
        for index, obj in enumerate(objects):
            if obj is not None and obj.get("apiVersion") != self._api_version:
                foreign.setdefault(str(obj.get("apiVersion") or ""), []).append(index)
        for places in foreign.values():
            asked = [obj for index in places if (obj := objects[index]) is not None]
            found = await self._webhook.convert(asked, self._api_version)
            for index, obj in zip(places, found, strict=True):
                objects[index] = obj
        shown: Entries = []
        for entry, obj in zip(entries, objects, strict=True):
            await portions.next()
            if obj is None:
                shown.append(entry._replace(value=UNREADABLE))
            else:
                fit = partial(self._fitted, entry, obj, changed=True)
                shown.append(await self._beside(fit) if len(entry.value) >= LARGE else fit())
        return shown

    async def _to_storage(self, value: bytes) -> bytes:
        if self._api_version == self._storage_api_version:
            return value
        found = await self._webhook.convert([encoding.decode(value)], self._storage_api_version)
        return encoding.encode_stored(found[0])


class _Feed:
    """Who is fed by a view, until it is closed; implements `Subscription`."""

    __slots__ = ("_is_open", "_view", "inner", "lost", "sink")

    def __init__(self, view: ConvertedView, sink: Sink, lost: Callable[[], None] | None) -> None:
        self._view = view
        self._is_open = True
        self.sink = sink
        self.lost = lost
        self.inner: Subscription | None = None

    def take(self, events: Sequence[Event]) -> None:
        """Events from the store."""
        if self._is_open:
            self._view.take(events)

    def stop(self) -> None:
        """Take nothing more from the store."""
        self._is_open = False
        if self.inner is not None:
            self.inner.close()

    def close(self) -> None:
        """Deliver nothing more."""
        self._view.closed(self)


class ConvertedSource(Source):
    """The source of a version whose objects come through a webhook: never simply ready."""

    def __init__(self, resource: Resource, view: ConvertedView, shared: Shared) -> None:
        super().__init__(resource, view, shared)
        self.old_forms = view.old_forms
        self._view = view

    async def open(self) -> None:
        """Return once everything written so far is here. Raises ApiError (500, 503)."""
        while True:
            await super().open()
            self.is_ready = False  # so that the next request asks again
            await self._view.drain()
            if self.cacher.started:
                return

    def lost(self) -> None:
        """The next request reads anew: before that the webhook need not be asked."""
        self.is_ready = False

    def current(self, entry: Entry) -> Cached | None:
        """None: only the webhook knows, and `open` asks it."""
        return None

    async def close(self) -> None:
        """Stop following the store and converting."""
        await super().close()
        await self._view.close()
