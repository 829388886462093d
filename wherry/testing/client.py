"""A cluster's objects: `SyncClient` for tests that wait, `AsyncClient` for those with a loop.

Both take kinds by any name kubectl takes ("pod", "deploy", "widgets.example.org"), use the namespace
"default" unless told otherwise, and raise `wherry.objects.errors.ApiError` when the server refuses.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from wherry.objects.meta import Object
from wherry.testing.loop_thread import LoopThread
from wherry.testing.manifests import read_manifests
from wherry.testing.verbs import FIELD_MANAGER, Objects, Verbs
from wherry.testing.watch import AsyncWatch, Watch, Watching


async def _read(source: Any) -> Objects:
    """The objects of a manifest, read beside the test's loop: whoever writes it may need that. Raises
    ManifestError.
    """
    gone = threading.Event()
    try:
        return await asyncio.to_thread(read_manifests, source, gone.is_set)
    finally:
        gone.set()


class SyncClient:
    """Acts as one user."""

    def __init__(self, thread: LoopThread, verbs: Verbs) -> None:
        self._thread = thread
        self._verbs = verbs

    def get(self, kind: str, name: str, namespace: str = "", *, subresource: str = "") -> Object:
        """One object (or its `subresource`)."""
        return self._thread.call(lambda: self._verbs.get(kind, name, namespace, subresource))

    def list(
        self, kind: str, namespace: str | None = None, *, label_selector: str = "", field_selector: str = ""
    ) -> Objects:
        """The objects of one namespace (None for all) that match both selectors."""
        return self._thread.call(lambda: self._verbs.list(kind, namespace, label_selector, field_selector))

    def create(self, source: Any, namespace: str = "") -> Object:
        """Create the object (or objects) of a manifest; the first as stored."""
        objects = read_manifests(source)
        return self._thread.call(lambda: self._verbs.create(objects, namespace))[0]

    def apply(self, source: Any, namespace: str = "", *, field_manager: str = FIELD_MANAGER) -> Objects:
        """Apply manifests (YAML, a path, objects), as `kubectl apply --server-side --force-conflicts`."""
        objects = read_manifests(source)
        return self._thread.call(lambda: self._verbs.apply(objects, namespace, field_manager))

    def update(self, obj: Object, *, subresource: str = "") -> Object:
        """Replace an object; with its resourceVersion set, only if nobody wrote meanwhile (else 409)."""
        return self._thread.call(lambda: self._verbs.update(obj, subresource))

    def patch(
        self, kind: str, name: str, patch: Any, namespace: str = "", *, how: str = "", subresource: str = ""
    ) -> Object:
        """Patch an object; `how` is merge (for dicts), json (for lists), strategic or apply."""
        return self._thread.call(lambda: self._verbs.patch(kind, name, patch, namespace, how, subresource))

    def delete(
        self,
        kind: str,
        name: str,
        namespace: str = "",
        *,
        grace_period_s: int | None = None,
        propagation: str = "Background",
    ) -> Object:
        """Delete an object; `propagation` is Background (as kubectl has it), Foreground or Orphan."""
        return self._thread.call(
            lambda: self._verbs.delete(kind, name, namespace, grace_period_s, propagation)
        )

    def request(self, method: str, path: str, body: Any = None, *, content_type: str = "") -> Object:
        """Any request that answers with an object, such as GET /version."""
        return self._thread.call(lambda: self._verbs.request(method, path, body, content_type))

    def watch(
        self, kind: str, namespace: str | None = None, *, label_selector: str = "", field_selector: str = ""
    ) -> Watch:
        """Events of what there is and of what happens from now on."""
        watching = Watching(self._verbs, kind, namespace, label_selector, field_selector)
        self._thread.call(watching.begin)
        return Watch(self._thread, watching)


class AsyncClient:
    """The same for callers with a loop of their own, which goes on while they wait."""

    def __init__(self, thread: LoopThread, verbs: Verbs) -> None:
        self._thread = thread
        self._verbs = verbs

    async def get(self, kind: str, name: str, namespace: str = "", *, subresource: str = "") -> Object:
        """See `SyncClient.get`."""
        return await self._thread.acall(lambda: self._verbs.get(kind, name, namespace, subresource))

    async def list(
        self, kind: str, namespace: str | None = None, *, label_selector: str = "", field_selector: str = ""
    ) -> Objects:
        """See `SyncClient.list`."""
        return await self._thread.acall(
            lambda: self._verbs.list(kind, namespace, label_selector, field_selector)
        )

    async def create(self, source: Any, namespace: str = "") -> Object:
        """See `SyncClient.create`."""
        objects = await _read(source)
        return (await self._thread.acall(lambda: self._verbs.create(objects, namespace)))[0]

    async def apply(self, source: Any, namespace: str = "", *, field_manager: str = FIELD_MANAGER) -> Objects:
        """See `SyncClient.apply`."""
        objects = await _read(source)
        return await self._thread.acall(lambda: self._verbs.apply(objects, namespace, field_manager))

    async def update(self, obj: Object, *, subresource: str = "") -> Object:
        """See `SyncClient.update`."""
        return await self._thread.acall(lambda: self._verbs.update(obj, subresource))

    async def patch(
        self, kind: str, name: str, patch: Any, namespace: str = "", *, how: str = "", subresource: str = ""
    ) -> Object:
        """See `SyncClient.patch`."""
        return await self._thread.acall(
            lambda: self._verbs.patch(kind, name, patch, namespace, how, subresource)
        )

    async def delete(
        self,
        kind: str,
        name: str,
        namespace: str = "",
        *,
        grace_period_s: int | None = None,
        propagation: str = "Background",
    ) -> Object:
        """See `SyncClient.delete`."""
        return await self._thread.acall(
            lambda: self._verbs.delete(kind, name, namespace, grace_period_s, propagation)
        )

    async def request(self, method: str, path: str, body: Any = None, *, content_type: str = "") -> Object:
        """See `SyncClient.request`."""
        return await self._thread.acall(lambda: self._verbs.request(method, path, body, content_type))

    async def watch(
        self, kind: str, namespace: str | None = None, *, label_selector: str = "", field_selector: str = ""
    ) -> AsyncWatch:
        """See `SyncClient.watch`."""
        watching = Watching(self._verbs, kind, namespace, label_selector, field_selector)
        await self._thread.acall(watching.begin)
        return AsyncWatch(self._thread, watching)
