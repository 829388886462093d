"""A transport for the tests of `wherry.client`: it keeps objects, and fails in ways no server can be made to.

Objects keep one global revision; `fail` makes the next calls raise; `compact` and `cut` disturb watches. It
checks nothing and fills in next to nothing: whatever else is tested runs beside a real server.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from wherry.client.transport import JSON, WatchEvent
from wherry.objects import errors
from wherry.objects.meta import Object
from wherry.objects.selectors import parse_label_selector


@dataclass(eq=False)
class Stream:
    """One open watch."""

    collection: str
    namespace: str
    label_selector: str
    queue: asyncio.Queue[WatchEvent | None] = field(default_factory=asyncio.Queue)


@dataclass(frozen=True)
class Call:
    """One request that was made."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Object | list[Object] | None
    content_type: str


@dataclass(frozen=True)
class Target:
    """What a path names: the collection as (path without namespace), and which part of it."""

    collection: str
    namespace: str
    name: str


def parse_path(path: str) -> Target:
    parts = path.strip("/").split("/")
    root = 2 if parts[0] == "api" else 3
    rest = parts[root:]
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
    collection = "/".join([*parts[:root], rest[0]])
    name = rest[1] if len(rest) > 1 else ""
    return Target(collection, namespace, name)


def merge(target: Object, patch: Object) -> Object:
    result = dict(target)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            old = result.get(key)
            result[key] = merge(old if isinstance(old, dict) else {}, value)
        else:
            result[key] = value
    return result


class FakeTransport:
    """A `Transport` that is its own server."""

    def __init__(self) -> None:
        self.revision = 1
        self.oldest = 0
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.history: list[tuple[int, Target, WatchEvent, Object | None]] = []
        self.calls: list[Call] = []
        self.streams: list[Stream] = []
        self.failures: list[Exception] = []
        self.refuse: Callable[[Call], Exception | None] = lambda call: None
        self.now = "2026-01-01T00:00:00Z"
        self._uids = 0

    # What a test does

    def fail(self, *failures: Exception) -> None:
        """The next calls (watches too) raise these, one each."""
        self.failures.extend(failures)

    def cut(self) -> None:
        """End all watches."""
        for stream in list(self.streams):
            stream.queue.put_nowait(None)

    def compact(self) -> None:
        """Forget history: watches from older versions get 410."""
        self.oldest = self.revision

    def bookmark(self) -> None:
        """Send every watch a bookmark."""
        for stream in self.streams:
            stream.queue.put_nowait(
                WatchEvent("BOOKMARK", {"metadata": {"resourceVersion": str(self.revision)}})
            )

    # Transport

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | list[Object] | None = None,
        content_type: str = JSON,
    ) -> Object:
        call = Call(method, path, dict(query or {}), copy.deepcopy(body), content_type)
        self.calls.append(call)
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        refused = self.refuse(call)
        if refused is not None:
            raise refused
        target = parse_path(path)
        return getattr(self, "_" + method.lower())(target, call)  # type: ignore[no-any-return]

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[WatchEvent]:
        if self.failures:
            raise self.failures.pop(0)
        target = parse_path(path)
        since = int(query["resourceVersion"])
        if since < self.oldest:
            yield WatchEvent("ERROR", errors.expired(f"too old resource version: {since}").status())
            return
        stream = Stream(target.collection, target.namespace, query.get("labelSelector", ""))
        for revision, where, event, previous in self.history:
            if revision > since:
                self._offer(stream, where, event, previous)
        self.streams.append(stream)
        try:
            while (event_or_end := await stream.queue.get()) is not None:
                yield event_or_end
        finally:
            self.streams.remove(stream)

    async def close(self) -> None:
        self.cut()

    # Verbs

    def _get(self, target: Target, call: Call) -> Object:
        if target.name:
            return self._stored(target)
        selector = parse_label_selector(call.query.get("labelSelector", ""))
        items = [
            copy.deepcopy(obj)
            for (collection, namespace, _), obj in sorted(self.objects.items())
            if collection == target.collection
            and target.namespace in ("", namespace)
            and selector.matches(obj["metadata"].get("labels") or {})
        ]
        return {"items": items, "metadata": {"resourceVersion": str(self.revision)}}

    def _post(self, target: Target, call: Call) -> Object:
        assert isinstance(call.body, dict)
        obj = copy.deepcopy(call.body)
        meta = obj.setdefault("metadata", {})
        self._uids += 1
        if target.namespace:
            meta["namespace"] = target.namespace
        meta.setdefault("uid", f"uid-{self._uids}")
        meta.setdefault("creationTimestamp", self.now)
        target = Target(target.collection, target.namespace, meta["name"])
        if self._id(target) in self.objects:
            raise errors.already_exists(target.collection.rsplit("/", 1)[-1], "", target.name)
        return self._store(target, obj, "ADDED")

    def _put(self, target: Target, call: Call) -> Object:
        assert isinstance(call.body, dict)
        old = self._stored(target)
        new = copy.deepcopy(call.body)
        sent = new["metadata"].get("resourceVersion")
        if sent and sent != old["metadata"]["resourceVersion"]:
            raise errors.conflict(target.collection.rsplit("/", 1)[-1], "", target.name)
        return self._store(target, new, "MODIFIED")

    def _patch(self, target: Target, call: Call) -> Object:
        assert isinstance(call.body, dict), "the fake knows no JSON patches"
        old = self._stored(target)
        return self._store(target, merge(old, call.body), "MODIFIED")

    def _delete(self, target: Target, call: Call) -> Object:
        self._stored(target)  # or there is none
        return self._forget(target)

    # Storage

    def _id(self, target: Target) -> tuple[str, str, str]:
        return (target.collection, target.namespace, target.name)

    def _stored(self, target: Target) -> Object:
        found = self.objects.get(self._id(target))
        if found is None:
            raise errors.not_found(target.collection.rsplit("/", 1)[-1], "", target.name)
        return copy.deepcopy(found)

    def _store(self, target: Target, obj: Object, event_type: str) -> Object:
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        previous = self.objects.get(self._id(target))
        self.objects[self._id(target)] = obj
        self._announce(target, WatchEvent(event_type, copy.deepcopy(obj)), previous)
        return copy.deepcopy(obj)

    def _forget(self, target: Target) -> Object:
        self.revision += 1
        old = self.objects.pop(self._id(target))
        old["metadata"]["resourceVersion"] = str(self.revision)
        self._announce(target, WatchEvent("DELETED", copy.deepcopy(old)), old)
        return copy.deepcopy(old)

    def _announce(self, target: Target, event: WatchEvent, previous: Object | None) -> None:
        self.history.append((self.revision, target, event, previous))
        for stream in self.streams:
            self._offer(stream, target, event, previous)

    def _offer(self, stream: Stream, target: Target, event: WatchEvent, previous: Object | None) -> None:
        if stream.collection != target.collection or stream.namespace not in ("", target.namespace):
            return
        selector = parse_label_selector(stream.label_selector)
        matches = selector.matches(event.object["metadata"].get("labels") or {})
        matched = previous is not None and selector.matches(previous["metadata"].get("labels") or {})
        if matches:
            stream.queue.put_nowait(event)
        elif matched:
            stream.queue.put_nowait(WatchEvent("DELETED", event.object))
