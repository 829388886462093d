"""The one loop every controller runs: events name keys, workers sync them one at a time.

A controller says what it watches and how an event maps to keys, and implements `sync(key)`. From
here it gets the queue (a key is never synced twice at once), back-off after failures, rest until
the cache shows its own writes (see `holds`), and the few kinds of write there are.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from random import Random
from typing import Any, ClassVar, TypeAlias, TypeVar

from wherry.api.resource import Resource
from wherry.api.schema import check, definition
from wherry.client.api import Client, JsonPatch
from wherry.client.cache import Cache
from wherry.client.events import EventRecorder
from wherry.controllers.adoptions import Adoptions
from wherry.controllers.config import ControllerConfig
from wherry.controllers.holds import Holds
from wherry.controllers.rests import Rests
from wherry.kit.clock import Clock
from wherry.kit.tasks import Tasks, others_end
from wherry.kit.workqueue import BASE_DELAY_S, MAX_DELAY_S, QueueClosed, WorkQueue
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, annotations_of, key_of, name_of, namespace_of, uid_of

log = logging.getLogger(__name__)

T = TypeVar("T")

Mapper: TypeAlias = Callable[[Cache, Object | None, Object | None], Iterable[str]]
"""(cache, old, new) to the keys an event concerns."""


class NotYet(Exception):
    """A key cannot be synced as things are, by no mistake of ours: it is tried again, and a line says why."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What a controller works with; the cache is shared by all, the client is its own."""

    client: Client
    cache: Cache
    clock: Clock
    random: Random
    config: ControllerConfig
    events: EventRecorder
    kept: dict[Any, Any] = field(default_factory=dict)
    """What `shared` made so far; one for all controllers over a cache."""

    def shared(self, kind: Callable[[Cache], T]) -> T:
        """What `kind` makes of the cache: made when it is first asked for, the same for all controllers."""
        if kind not in self.kept:
            self.kept[kind] = kind(self.cache)
        made: T = self.kept[kind]
        return made


class Controller(ABC):
    """Subclasses set `name` and `primary`, usually `watches`, and implement `sync`.

    `component` is the name events carry; `workers` how many keys are synced at once. `account` is the service
    account in kube-system it acts as, whose rights are its own (upstream's `bootstrappolicy`); one without
    acts as the controller manager itself. A key whose sync failed comes again after `first_retry_s`, then
    twice as long each time, up to `longest_retry_s`. One whose sync said with `rests.note` that it looks at
    many objects rests for `rest_per_object_s` each before events bring it again.
    A controller of an installed package (`is_installed`) declares its `rights`, a line each: verbs, groups,
    resources and maybe names, as in "get,list,watch apps deployments" ("core" for the core group).
    """

    name: ClassVar[str]
    account: ClassVar[str] = ""
    primary: ClassVar[Resource]
    is_beta: ClassVar[bool] = False
    """Whether `primary` may not be served (`--runtime-config=api/beta=false`): it begins when that is."""
    watches: ClassVar[Mapping[Resource, Mapper]] = {}
    component: ClassVar[str] = ""
    rights: ClassVar[Sequence[str]] = ()
    is_installed: ClassVar[bool] = False
    workers: ClassVar[int] = 5
    first_retry_s: ClassVar[float] = BASE_DELAY_S
    longest_retry_s: ClassVar[float] = MAX_DELAY_S
    rest_per_object_s: ClassVar[float] = 0.001

    def __init__(self, environment: Environment) -> None:
        self.client = environment.client
        self.cache = environment.cache
        self.clock = environment.clock
        self.random = environment.random
        self.config = environment.config
        self.events = environment.events
        self.queue: WorkQueue[str] = WorkQueue(self.clock, self.first_retry_s, self.longest_retry_s)
        self.tasks = Tasks(self.name, may_end_process=not self.is_installed)
        self.rests = Rests(self.clock, self.rest_per_object_s)
        self.adoptions = environment.shared(Adoptions)
        self._holds = Holds(self.cache, self.clock, self.queue.add)
        self.watch_sources()

    def watch_sources(self) -> None:
        """Register for events; the few controllers that do not follow fixed kinds do it their way."""
        self._watch(self.primary, self.map_primary)
        for resource, mapper in self.watches.items():
            self._watch(resource, mapper)

    def map_primary(self, cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """The keys an event of the primary resource concerns: its own."""
        return (key_of(new or old or {}),)

    @abstractmethod
    async def sync(self, key: str) -> float | None:
        """Bring what `key` names nearer to what is wanted; after how many seconds to look again.

        Raises ApiError (or anything) to be called again after a back-off.
        """

    async def start(self) -> None:
        """Begin working; the cache has synced. Subclasses with timers of their own extend this."""
        for number in range(self.workers):
            self.tasks.essential(self._work(), f"worker-{number}")

    async def close(self) -> None:
        """Stop; a sync under way is cancelled."""
        self.queue.close()
        self._holds.close()
        await self.tasks.close()

    # Writes. `key` is the key they are done for, which then rests until the cache shows them.

    async def create(self, key: str, resource: Resource, obj: Object) -> Object:
        """Create `obj`, the object as stored. Raises ApiError."""
        created = await self.client.create(resource, obj)
        self._holds.wrote(key, resource, created)
        return created

    async def update(self, key: str, resource: Resource, obj: Object) -> Object:
        """Replace `obj`, the object as stored. Raises ApiError (409 if it changed meanwhile)."""
        updated = await self.client.update(resource, obj)
        self._holds.wrote(key, resource, updated)
        return updated

    async def patch(
        self,
        key: str,
        resource: Resource,
        obj: Object,
        patch: Object | JsonPatch,
        *,
        subresource: str = "",
        content_type: str = "",
    ) -> Object:
        """Patch this very object (its uid is a precondition), as stored: a JSON patch if it is a list, else a
        merge patch. Raises ApiError.
        """
        change: Object | JsonPatch
        if isinstance(patch, list):
            change = [{"op": "test", "path": "/metadata/uid", "value": uid_of(obj)}, *patch]
        else:
            change = {**patch, "metadata": {"uid": uid_of(obj), **(patch.get("metadata") or {})}}
        patched = await self.client.patch(
            resource,
            name_of(obj),
            namespace_of(obj),
            change,
            subresource=subresource,
            content_type=content_type,
        )
        self._holds.wrote(key, resource, patched)
        return patched

    async def delete(self, key: str, resource: Resource, obj: Object, **options: Any) -> bool:
        """Delete this very object; False when it was gone already. Raises ApiError.

        `options` are those of `Client.delete`.
        """
        try:
            await self.client.delete(
                resource, name_of(obj), namespace_of(obj), **{"uid": uid_of(obj), **options}
            )
        except ApiError as error:
            if error.code == 404:
                return False
            raise
        self._holds.deleted(key, resource, obj)
        return True

    async def write_status(
        self,
        obj: Object,
        status: Object,
        resource: Resource | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Object:
        """Make `status` the object's status unless it is; the object as stored.

        `annotations` are set along, for kinds whose status subresource takes them (Deployments).
        Raises ApiError, 409 when the object changed meanwhile: the key comes again anyway.
        """
        resource = resource or self.primary
        status = _as_stored(status, resource)
        meta = obj["metadata"]
        if annotations is not None and not annotations.items() <= annotations_of(obj).items():
            meta = {**meta, "annotations": {**annotations_of(obj), **annotations}}
        elif obj.get("status") == status:
            return obj
        updated = await self.client.update_status(resource, {**obj, "metadata": meta, "status": status})
        self._holds.wrote(key_of(obj), resource, updated)
        return updated

    def map_event(self, resource: Resource, mapper: Mapper, old: Object | None, new: Object | None) -> None:
        """Queue the keys an event concerns, after their rest; the order of a set is nobody's choice."""
        keys = mapper(self.cache, old, new)
        for key in sorted(keys) if isinstance(keys, AbstractSet) else keys:
            self.queue.add_after(key, self.rests.left_s(key))

    def _watch(self, resource: Resource, mapper: Mapper) -> None:
        self._holds.follow(resource)
        self.cache.on(resource, lambda old, new: self.map_event(resource, mapper, old, new))

    async def _work(self) -> None:
        while True:
            try:
                key = await self.queue.get()
            except QueueClosed:
                return
            try:
                await self._sync_once(key)
            finally:
                self.queue.done(key)

    async def _sync_once(self, key: str) -> None:
        try:
            if self._holds.must_wait(key):
                return
            with others_end("what it waited for"):
                recheck_s = await self.sync(key)
        except ApiError as error:
            delay_s = self.queue.add_failed(key)
            # A conflict only says that the cache is behind; every controller meets them daily.
            level = logging.DEBUG if error.code == 409 else logging.WARNING
            log.log(level, "%s: %s: %s (again in %.3f s)", self.name, key, error.message, delay_s)
        except NotYet as error:
            delay_s = self.queue.add_failed(key)
            log.warning("%s: %s: %s (again in %.3f s)", self.name, key, error, delay_s)
        except Exception:
            delay_s = self.queue.add_failed(key)
            log.exception("%s: %s failed (again in %.3f s)", self.name, key, delay_s)
        else:
            self.queue.forget(key)
            if recheck_s is not None:
                self.queue.add_after(key, recheck_s)


async def slow_start(
    work: Sequence[Callable[[], Awaitable[T]]], first_batch: int = 1
) -> tuple[list[T], list[BaseException]]:
    """Run `work` in batches that double while all goes well: what succeeded, and what failed.

    After a batch with a failure the rest is not tried, so that a quota that is used up, say, is hit
    once and not a thousand times.
    """
    done: list[T] = []
    position, size = 0, first_batch
    while position < len(work):
        batch = work[position : position + size]
        results = await asyncio.gather(*(start() for start in batch), return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        done += [result for result in results if not isinstance(result, BaseException)]
        if failures:
            return done, failures
        position += size
        size *= 2
    return done, []


async def create_unless_present(controller: Controller, key: str, resource: Resource, obj: Object) -> None:
    """Create `obj` where its being there already, or its namespace going away, is just as well.

    Raises ApiError for any other failure.
    """
    try:
        await controller.create(key, resource, obj)
    except ApiError as error:
        if error.reason != "AlreadyExists" and not is_namespace_terminating(error):
            raise


def is_namespace_terminating(error: ApiError) -> bool:
    """Whether a create was refused because the namespace is going away."""
    causes = error.details.get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)


def _as_stored(status: Object, resource: Resource) -> Object:
    """The status as it is stored: without zeros that say nothing, which would differ at every look."""
    found: Object = {"status": dict(status)}
    if resource.schema:
        check(found, definition(resource.schema))
    stored: Object = found.get("status", {})
    return stored
