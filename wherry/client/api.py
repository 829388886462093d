"""The verbs, over any transport: `Client`.

A thin, typed layer: it builds paths and options from a `Resource` and leaves meaning to the server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from wherry.api.resource import Resource
from wherry.client.transport import JSON, JSON_PATCH, MERGE_PATCH, BeatingTransport, Transport, WatchEvent
from wherry.objects.meta import Object, name_of, namespace_of

JsonPatch: TypeAlias = list[Any]
SHORTEST_WATCH_S = 300.0
"""A watch is asked to end after one to two times this (client-go's reflector, `minWatchTimeout`), so that a
dead connection is noticed, and several servers share their watches."""
IN_PROCESS_WATCH_S = 12 * SHORTEST_WATCH_S
"""For a client in the server's own process, whose connection cannot be dead."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The items of a list (kind and apiVersion filled in) and the version it was read at."""

    items: list[Object]
    resource_version: str
    continue_token: str = ""


class Client:
    """Create, read, update, delete and watch objects as the identity of its transport.

    Whoever watches on and on begins anew after `watch_s` seconds, or up to twice as many. Every method
    raises `objects.errors.ApiError` when the server refuses or cannot be reached.
    """

    def __init__(
        self, transport: Transport, *, field_manager: str = "", watch_s: float = SHORTEST_WATCH_S
    ) -> None:
        self.transport = transport
        self.watch_s = watch_s
        self._beats = transport if isinstance(transport, BeatingTransport) else None  # a slow question
        self._write_query = {"fieldManager": field_manager} if field_manager else {}

    async def get(self, resource: Resource, name: str, namespace: str = "", subresource: str = "") -> Object:
        """One object (or its `subresource`)."""
        return await self.transport.call("GET", resource.path(namespace, name, subresource))

    async def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
        limit: int = 0,
        continue_token: str = "",
    ) -> Listing:
        """The objects of one namespace ("" for all) that match both selectors."""
        query = {
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "resourceVersion": resource_version,
            "limit": str(limit) if limit else "",
            "continue": continue_token,
        }
        body = await self.transport.call(
            "GET", resource.path(namespace), {key: value for key, value in query.items() if value}
        )
        items = body.get("items") or []
        for item in items:
            item.setdefault("kind", resource.kind)
            item.setdefault("apiVersion", resource.api_version)
        meta = body.get("metadata") or {}
        return Listing(items, meta.get("resourceVersion", ""), meta.get("continue", ""))

    def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        resource_version: str = "",
        label_selector: str = "",
        field_selector: str = "",
        timeout_s: int = 0,
    ) -> AsyncIterator[WatchEvent]:
        """Events from `resource_version` on, with bookmarks, until the server ends the watch.

        It is asked to do so after `timeout_s` seconds; 0 leaves that to it.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "timeoutSeconds": str(timeout_s) if timeout_s else "",
        }
        return self.transport.watch(
            resource.path(namespace), {key: value for key, value in query.items() if value}
        )

    async def create(self, resource: Resource, obj: Object, namespace: str = "") -> Object:
        """Create `obj` in `namespace` (its own if not given); the object as stored."""
        path = resource.path(namespace or namespace_of(obj))
        return await self.transport.call("POST", path, self._write_query, obj)

    async def create_subresource(
        self, resource: Resource, name: str, namespace: str, subresource: str, body: Object
    ) -> Object:
        """POST to a subresource, such as a pod's `binding` or `eviction`."""
        path = resource.path(namespace, name, subresource)
        return await self.transport.call("POST", path, self._write_query, body)

    async def update(self, resource: Resource, obj: Object, subresource: str = "") -> Object:
        """Replace `obj`; with its resourceVersion set, only if nobody wrote meanwhile (else 409)."""
        path = resource.path(namespace_of(obj), name_of(obj), subresource)
        return await self.transport.call("PUT", path, self._write_query, obj)

    async def update_status(self, resource: Resource, obj: Object) -> Object:
        """Replace the object's status."""
        return await self.update(resource, obj, "status")

    async def beat(self, resource: Resource, objects: Sequence[Object]) -> Sequence[Object | None]:
        """Heartbeats of leases or nodes; None for each that takes a write of its own (`BeatingTransport`)."""
        if self._beats is None:
            return [None] * len(objects)
        return await self._beats.beat(resource, objects, self._write_query.get("fieldManager", ""))

    async def patch(
        self,
        resource: Resource,
        name: str,
        namespace: str,
        patch: Object | JsonPatch,
        *,
        content_type: str = "",
        subresource: str = "",
        force: bool = False,
    ) -> Object:
        """Patch one object: a merge patch if `patch` is a dict, a JSON patch if it is a list.

        With `force` an apply patch takes fields from other managers.
        """
        kind = content_type or (JSON_PATCH if isinstance(patch, list) else MERGE_PATCH)
        path = resource.path(namespace, name, subresource)
        query = {**self._write_query, "force": "true"} if force else self._write_query
        return await self.transport.call("PATCH", path, query, patch, kind)

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        grace_period_s: int | None = None,
        propagation: str = "",
        uid: str = "",
        resource_version: str = "",
    ) -> Object:
        """Delete one object; `uid` and `resource_version` are preconditions.

        `propagation` is Background, Foreground or Orphan.
        """
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if grace_period_s is not None:
            options["gracePeriodSeconds"] = grace_period_s
        if propagation:
            options["propagationPolicy"] = propagation
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        preconditions = {key: value for key, value in preconditions.items() if value}
        if preconditions:
            options["preconditions"] = preconditions
        return await self.transport.call("DELETE", resource.path(namespace, name), None, options)

    async def delete_collection(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        propagation: str = "",
    ) -> Object:
        """Delete all objects of one namespace ("" for all) that match both selectors."""
        query = {"labelSelector": label_selector, "fieldSelector": field_selector}
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if propagation:
            options["propagationPolicy"] = propagation
        return await self.transport.call(
            "DELETE", resource.path(namespace), {key: value for key, value in query.items() if value}, options
        )

    async def raw(self, path: str, query: Mapping[str, str] | None = None) -> Object:
        """GET of a path that belongs to no resource, such as `/version`."""
        return await self.transport.call("GET", path, query, None, JSON)

    async def close(self) -> None:
        """Give up the transport."""
        await self.transport.close()
