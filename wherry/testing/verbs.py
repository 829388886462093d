"""What a test does to a cluster's objects, as coroutines in the cluster's own loop: `Verbs`.

`client.SyncClient` and `client.AsyncClient` are the two ways in. Objects that come out are the caller's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import orjson

from wherry.api.resource import Resource
from wherry.client.transport import APPLY_PATCH, JSON, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Transport
from wherry.objects.meta import Object
from wherry.testing.kinds import find_kind, find_manifest_kind

Objects: TypeAlias = list[Object]
FIELD_MANAGER = "wherry-test"
DEFAULT_NAMESPACE = "default"
ESTABLISHED_WITHIN_S = 10.0
PATCHES = {"merge": MERGE_PATCH, "json": JSON_PATCH, "strategic": STRATEGIC_PATCH, "apply": APPLY_PATCH}


class Verbs:
    """Acts as the user whose transport `connect` gives, on what `served` says is served now."""

    def __init__(self, connect: Callable[[], Transport], served: Callable[[], Sequence[Resource]]) -> None:
        self._connect = connect
        self._served = served

    @property
    def transport(self) -> Transport:
        """To the control plane that runs now: a restored cluster has another one."""
        return self._connect()

    def kind(self, name: str) -> Resource:
        """The resource that `name` means. Raises UnknownKindError."""
        return find_kind(self._served(), name)

    def kind_of(self, obj: Mapping[str, Any]) -> Resource:
        """The resource of an object. Raises UnknownKindError."""
        return find_manifest_kind(self._served(), str(obj.get("apiVersion")), str(obj.get("kind")))

    async def get(self, kind: str, name: str, namespace: str, subresource: str) -> Object:
        resource = self.kind(kind)
        return await self._call("GET", _path(resource, name, namespace, subresource))

    async def list(
        self, kind: str, namespace: str | None, label_selector: str, field_selector: str
    ) -> Objects:
        resource = self.kind(kind)
        selectors = {"labelSelector": label_selector, "fieldSelector": field_selector}
        query = {name: value for name, value in selectors.items() if value}
        listed = await self._call("GET", resource.path(checked_namespace(namespace or "")), query)
        return [
            {"apiVersion": resource.api_version, "kind": resource.kind, **item}
            for item in listed.get("items") or ()
        ]

    async def create(self, objects: Sequence[Object], namespace: str) -> Objects:
        made = []
        for obj in objects:
            path, resource = self._collection(obj, namespace)
            made.append(await self._call("POST", path, {"fieldManager": FIELD_MANAGER}, obj))
            await self._until_served(resource, made[-1])
        return made

    async def apply(self, objects: Sequence[Object], namespace: str, field_manager: str) -> Objects:
        """Server-side apply, by force."""
        applied = []
        query = {"fieldManager": field_manager, "force": "true"}
        for obj in objects:
            path, resource = self._collection(obj, namespace)
            name = (obj.get("metadata") or {}).get("name", "")
            applied.append(await self._call("PATCH", f"{path}/{name}", query, obj, APPLY_PATCH))
            await self._until_served(resource, applied[-1])
        return applied

    async def update(self, obj: Object, subresource: str) -> Object:
        resource, meta = self.kind_of(obj), obj.get("metadata") or {}
        path = _path(resource, meta.get("name", ""), meta.get("namespace", ""), subresource)
        return await self._call("PUT", path, {"fieldManager": FIELD_MANAGER}, obj)

    async def patch(
        self, kind: str, name: str, patch: Any, namespace: str, how: str, subresource: str
    ) -> Object:
        resource = self.kind(kind)
        how = how or ("json" if isinstance(patch, list) else "merge")
        if how not in PATCHES:
            raise ValueError(f"{how!r} is no kind of patch; use one of {', '.join(PATCHES)}")
        query = {"fieldManager": FIELD_MANAGER, **({"force": "true"} if how == "apply" else {})}
        return await self._call(
            "PATCH", _path(resource, name, namespace, subresource), query, patch, PATCHES[how]
        )

    async def delete(
        self, kind: str, name: str, namespace: str, grace_period_s: int | None, propagation: str
    ) -> Object:
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if grace_period_s is not None:
            options["gracePeriodSeconds"] = grace_period_s
        if propagation:
            options["propagationPolicy"] = propagation
        return await self._call("DELETE", _path(self.kind(kind), name, namespace), None, options)

    async def request(self, method: str, path: str, body: Any, content_type: str) -> Object:
        bare, _, text = path.partition("?")
        query = dict(part.partition("=")[::2] for part in text.split("&")) if text else None
        return await self._call(method, bare, query, body, content_type or JSON)

    def _collection(self, obj: Object, namespace: str) -> tuple[str, Resource]:
        resource = self.kind_of(obj)
        own = (obj.get("metadata") or {}).get("namespace", "")
        place = (own or checked_namespace(namespace) or DEFAULT_NAMESPACE) if resource.namespaced else ""
        return resource.path(place), resource

    async def _until_served(self, resource: Resource, obj: Object) -> None:
        """A kind just defined is served a moment later: whoever goes on wants to use it."""
        if resource.kind != "CustomResourceDefinition":
            return
        meta = obj["metadata"]
        query = {
            "fieldSelector": f"metadata.name={meta['name']}",
            "resourceVersion": meta["resourceVersion"],
            "sendInitialEvents": "true",
            "resourceVersionMatch": "NotOlderThan",
            "allowWatchBookmarks": "true",
        }
        watch = self.transport.watch(resource.path(), query)
        try:
            async with asyncio.timeout(ESTABLISHED_WITHIN_S):
                async for event in watch:
                    conditions = (event.object.get("status") or {}).get("conditions") or ()
                    if any(_is_decided(condition) for condition in conditions):
                        return
        finally:
            await watch.aclose()  # type: ignore[attr-defined]  # it is a generator

    async def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
    ) -> Object:
        given = None if body is None else orjson.loads(orjson.dumps(body))
        found = await self.transport.call(method, path, query, given, content_type)
        copied: Object = orjson.loads(orjson.dumps(found))
        return copied


def _is_decided(condition: Mapping[str, Any]) -> bool:
    """Whether a definition is served, or never will be as it is."""
    found = condition.get("type"), condition.get("status")
    return found in (("Established", "True"), ("NamesAccepted", "False"))


def checked_namespace(namespace: str) -> str:
    """The namespace, if it is a name. Raises TypeError."""
    if not isinstance(namespace, str):
        raise TypeError(f"a namespace is given by its name, a str, not as {type(namespace).__name__}")
    return namespace


def _path(resource: Resource, name: str, namespace: str, subresource: str = "") -> str:
    place = (checked_namespace(namespace) or DEFAULT_NAMESPACE) if resource.namespaced else ""
    return resource.path(place, name, subresource)
