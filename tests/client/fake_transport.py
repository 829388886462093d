"""An API server in miniature, in memory: enough of the verbs to drive clients without the real one.

Objects keep one global revision; `fail` makes the next calls raise; `compact` and `cut` disturb
watches the way a real server does.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from wherry.client.transport import JSON, STRATEGIC_PATCH, WatchEvent
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
    subresource: str


def parse_path(path: str) -> Target:
    parts = path.strip("/").split("/")
    root = 2 if parts[0] == "api" else 3
    rest = parts[root:]
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces" and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    collection = "/".join([*parts[:root], rest[0]])
    name = rest[1] if len(rest) > 1 else ""
    return Target(collection, namespace, name, rest[2] if len(rest) > 2 else "")


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


def as_merge_patch(old: Object, patch: Object) -> Object:
    """What a strategic patch comes to, of what it is used for here: lists of a status, and finalizers."""
    meta = dict(patch.get("metadata") or {})
    gone = meta.pop("$deleteFromPrimitiveList/finalizers", None)
    if gone is not None:
        left = [f for f in old["metadata"].get("finalizers") or [] if f not in gone]
        return {**patch, "metadata": {**meta, "finalizers": left or None}}
    status = dict(patch["status"])
    for name, key in (("conditions", "type"), ("resourceClaimStatuses", "name")):
        if name in status:
            sent = {entry[key]: entry for entry in status[name]}
            kept = [entry for entry in old.get("status", {}).get(name, []) if entry[key] not in sent]
            status[name] = [*kept, *sent.values()]
    return {**patch, "status": status}


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

    def writes(self, method: str = "") -> list[Call]:
        """The requests that were not reads."""
        return [c for c in self.calls if c.method != "GET" and (not method or c.method == method)]

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
        if target.subresource:
            return call.body
        obj = copy.deepcopy(call.body)
        meta = obj.setdefault("metadata", {})
        self._uids += 1
        if not meta.get("name"):
            meta["name"] = f"{meta['generateName']}{self._uids:05d}"
        if target.namespace:
            meta["namespace"] = target.namespace
        meta.setdefault("uid", f"uid-{self._uids}")
        meta.setdefault("creationTimestamp", self.now)
        meta.setdefault("generation", 1)
        target = Target(target.collection, target.namespace, meta["name"], "")
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
        if target.subresource == "status":
            annotations = new["metadata"].get("annotations")  # what only Deployments take in truth
            meta = {**old["metadata"], **({"annotations": annotations} if annotations else {})}
            new = {**old, "metadata": meta, "status": new.get("status")}
        if target.subresource == "finalize" and not new["spec"].get("finalizers"):
            return self._forget(Target(target.collection, "", target.name, ""))
        return self._settle(target, old, new)

    def _patch(self, target: Target, call: Call) -> Object:
        assert isinstance(call.body, dict), "the fake knows no JSON patches"
        old = self._stored(target)
        patch = as_merge_patch(old, call.body) if call.content_type == STRATEGIC_PATCH else call.body
        sent = (call.body.get("metadata") or {}).get("resourceVersion")
        uid = (call.body.get("metadata") or {}).get("uid")
        if (sent and sent != old["metadata"]["resourceVersion"]) or (uid and uid != old["metadata"]["uid"]):
            raise errors.conflict(target.collection.rsplit("/", 1)[-1], "", target.name)
        return self._settle(target, old, merge(old, patch))

    def _delete(self, target: Target, call: Call) -> Object:
        options = call.body if isinstance(call.body, dict) else {}
        if not target.name:
            return self._delete_collection(target, call)
        old = self._stored(target)
        conditions = options.get("preconditions") or {}
        if conditions.get("uid", old["metadata"]["uid"]) != old["metadata"]["uid"]:
            raise errors.conflict(target.collection.rsplit("/", 1)[-1], "", target.name, "uid differs")
        finalizers = list(old["metadata"].get("finalizers") or [])
        policy = options.get("propagationPolicy")
        for wanted, finalizer in (("Foreground", "foregroundDeletion"), ("Orphan", "orphan")):
            if policy == wanted and finalizer not in finalizers:
                finalizers.append(finalizer)
        if finalizers:
            new = copy.deepcopy(old)
            new["metadata"].update(deletionTimestamp=self.now, finalizers=finalizers)
            return self._store(target, new, "MODIFIED")
        return self._forget(target)

    def _delete_collection(self, target: Target, call: Call) -> Object:
        for collection, namespace, name in list(self.objects):
            if collection == target.collection and target.namespace in ("", namespace):
                self._delete(Target(collection, namespace, name, ""), call)
        return {"kind": "Status", "status": "Success"}

    # Storage

    def _id(self, target: Target) -> tuple[str, str, str]:
        return (target.collection, target.namespace, target.name)

    def _stored(self, target: Target) -> Object:
        found = self.objects.get(self._id(target))
        if found is None:
            raise errors.not_found(target.collection.rsplit("/", 1)[-1], "", target.name)
        return copy.deepcopy(found)

    def _settle(self, target: Target, old: Object, new: Object) -> Object:
        target = Target(target.collection, target.namespace, target.name, "")
        if old.get("spec") != new.get("spec"):
            new["metadata"]["generation"] = (old["metadata"].get("generation") or 0) + 1
        if new["metadata"].get("deletionTimestamp") and not new["metadata"].get("finalizers"):
            return self._forget(target)
        return self._store(target, new, "MODIFIED")

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
