"""Follow the definitions: `CustomResources` keeps what is served, and their status, as they say.

Every change of a definition puts its name in line; one task takes names in turn, so a definition is
never worked on twice at once. A kind is served the moment its names are accepted, which is within the
same few milliseconds as its creation. Deleting a definition first deletes its objects (`cleanup`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from wherry.api.apiextensions.custom_resource_definitions import (
    CLEANUP_FINALIZER,
    CUSTOM_RESOURCE_DEFINITIONS,
)
from wherry.api.resource import Resource
from wherry.apiserver.cacher import CachedEvent
from wherry.apiserver.core import Core
from wherry.apiserver.customresources.cleanup import clean_up
from wherry.apiserver.customresources.kinds import is_served, resources_of, signature
from wherry.apiserver.customresources.naming import plan_status, taken_names
from wherry.apiserver.customresources.sources import Sources
from wherry.apiserver.registry import Source
from wherry.client.api import Client
from wherry.kit.tasks import Tasks
from wherry.objects.conditions import is_true
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, is_deleting, name_of
from wherry.store.base import Subscription

log = logging.getLogger(__name__)

RETRY_S = 1.0


@dataclass(slots=True)
class _Kind:
    """What is served of one definition."""

    signature: bytes = b""
    is_terminating: bool = False
    served: list[tuple[Resource, Source]] = field(default_factory=list)

    @property
    def resources(self) -> list[Resource]:
        """The resources alone."""
        return [resource for resource, _ in self.served]


class CustomResources:
    """Serves the kinds that are defined in the cluster of `core`.

    `client` may do everything; `changed` is called when what is served has changed.
    """

    def __init__(self, core: Core, client: Client, changed: Callable[[], None]) -> None:
        self._core = core
        self._client = client
        self._sources = Sources(core)
        self._changed = changed
        self._kinds: dict[str, _Kind] = {}
        self._waiting: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._cleaning: dict[str, asyncio.Task[None]] = {}
        self._tasks = Tasks("custom-resources")
        self._feed: Subscription | None = None

    async def start(self) -> None:
        """Serve what is defined already, then follow. Raises ApiError (503)."""
        await self._core.registry.open([CUSTOM_RESOURCE_DEFINITIONS])
        self._feed = self._core.registry.follow(CUSTOM_RESOURCE_DEFINITIONS, self._receive, self._put_all)
        for name in self._names():
            await self._sync_or_retry(name)
        self._tasks.essential(self._run(), "definitions")

    async def close(self) -> None:
        """Follow no more; what is served stays until the registry is closed."""
        if self._feed is not None:
            self._feed.close()
        await self._tasks.close()

    def _all(self) -> list[Object]:
        served = self._core.registry.of(CUSTOM_RESOURCE_DEFINITIONS)
        return [served.decode(item) for item in served.cacher.list()[0]]

    def _names(self) -> list[str]:
        served = self._core.registry.of(CUSTOM_RESOURCE_DEFINITIONS)
        return [item.name for item in served.cacher.list()[0]]

    def _put_all(self) -> None:
        for name in {*self._names(), *self._kinds}:
            self._put(name)

    def _receive(self, events: Sequence[CachedEvent]) -> None:
        for event in events:
            self._put(event.object.name)

    def _put(self, name: str) -> None:
        self._waiting[name] = None
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                name = next(iter(self._waiting))
                del self._waiting[name]
                await self._sync_or_retry(name)

    async def _sync_or_retry(self, name: str) -> None:
        try:
            await self._sync(name)
        except ApiError as error:
            if error.code != 409:
                log.warning("the definition %s: %s", name, error.message)
            asyncio.get_running_loop().call_later(0 if error.code == 409 else RETRY_S, self._put, name)
        except Exception:
            # One definition nobody foresaw must not keep the others from being served.
            log.exception("the definition %s cannot be served", name)
            asyncio.get_running_loop().call_later(RETRY_S, self._put, name)

    async def _sync(self, name: str) -> None:
        served = self._core.registry.of(CUSTOM_RESOURCE_DEFINITIONS)
        cached = served.get("", name)
        if cached is None:
            await self._withdraw(name)
            return
        crd = await self._name(served.decode(cached))
        if is_served(crd):
            await self._serve(crd)
        if is_deleting(crd) and CLEANUP_FINALIZER in (crd["metadata"].get("finalizers") or ()):
            self._start_cleaning(name)

    async def _name(self, crd: Object) -> Object:
        """The definition with its names settled and written."""
        others = self._all()
        status = plan_status(crd, taken_names(crd, others), self._core.timestamp())
        before = crd.get("status") or {}
        if status == before:
            return crd
        written = await self._client.update_status(CUSTOM_RESOURCE_DEFINITIONS, {**crd, "status": status})
        if status.get("acceptedNames") != before.get("acceptedNames"):
            self._put_losers(crd["spec"]["group"], others)
        return written

    def _put_losers(self, group: str, crds: Sequence[Object]) -> None:
        """Names came free: let those who were refused try again."""
        for crd in crds:
            conditions = (crd.get("status") or {}).get("conditions")
            if crd["spec"]["group"] == group and conditions and not is_true(conditions, "NamesAccepted"):
                self._put(name_of(crd))

    async def _serve(self, crd: Object) -> None:
        kind = self._kinds.setdefault(name_of(crd), _Kind())
        wanted, is_terminating = signature(crd), is_deleting(crd)
        if kind.signature == wanted and kind.is_terminating == is_terminating:
            return
        resources, old = resources_of(crd), kind.resources
        if kind.signature == wanted:  # watches go on, they are to see the objects go
            kind.served = list(zip(resources, [source for _, source in kind.served], strict=True))
        else:
            kind.served = self._sources.of(crd, resources)
        kind.signature, kind.is_terminating = wanted, is_terminating
        await self._core.registry.replace(old, kind.served)
        self._changed()

    async def _withdraw(self, name: str) -> None:
        kind = self._kinds.pop(name, None)
        if kind is None:
            return
        await self._core.registry.replace(kind.resources, [])
        self._changed()
        if kind.resources:
            self._put_losers(kind.resources[0].group, self._all())

    def _start_cleaning(self, name: str) -> None:
        if name in self._cleaning:
            return
        task = self._tasks.spawn(clean_up(self._core, self._client, name), f"cleanup of {name}")
        self._cleaning[name] = task
        task.add_done_callback(lambda _: self._cleaning.pop(name, None))
