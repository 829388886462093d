"""The garbage collector at work: follows the metadata of all kinds and deletes what is left behind.

It never trusts its own view for a deletion: an owner is gone only if the API server says so when
asked, and the object is read again before it is deleted, with its uid as a condition.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from typing import Any, ClassVar

from wherry.api.apiextensions.custom_resource_definitions import CUSTOM_RESOURCE_DEFINITIONS
from wherry.api.resource import Resource, find_resource
from wherry.client.cache import Cache
from wherry.client.events import WARNING
from wherry.controllers.base import Controller, Environment, NotYet
from wherry.controllers.garbage.graph import FOREGROUND, ORPHAN, Graph, Item, metadata_only
from wherry.controllers.garbage.plan import Owners, Reference, judge
from wherry.kit.repeat import Repeater
from wherry.objects.errors import ApiError
from wherry.objects.meta import (
    Object,
    is_deleting,
    metadata,
    name_of,
    namespace_of,
    owners_of,
    revision_of,
    uid_of,
)

log = logging.getLogger(__name__)

REFRESH = "resources"
"""The key that means: look which resources there are now."""
REFRESH_DELAY_S = 1.0
UNSYNCED_RETRY_S = 0.5
FIRST_LOOK_AGAIN_S, LONGEST_LOOK_AGAIN_S = 1.0, 300.0
REMEMBERED_ABSENT = 1000
FOLLOWED_VERBS = {"list", "watch", "delete"}


def followed_resources(served: list[Resource]) -> list[Resource]:
    """The resources to follow: what can be deleted and watched, each stored thing once, no events."""
    found: dict[str, Resource] = {}
    for resource in served:
        if resource.plural != "events" and set(resource.verbs) >= FOLLOWED_VERBS:
            found.setdefault(resource.prefix(), resource)
    return list(found.values())


class GarbageCollector(Controller):
    """Deletes dependents, holds back owners, cuts orphans loose. Keys are uids."""

    name = "generic-garbage-collector"
    account = "generic-garbage-collector"
    component = "garbage-collector-controller"
    workers: ClassVar = 10

    def __init__(self, environment: Environment) -> None:
        self.graph = Graph()
        self._world = Cache(
            environment.client, environment.clock, random=environment.random, transform=metadata_only
        )
        self._absent: OrderedDict[str, None] = OrderedDict()
        self._unobserved: dict[str, int] = {}
        """How often objects were looked at whose owners no watch has shown, by uid."""
        super().__init__(environment)
        self._beginning = Repeater("beginning to collect garbage", self._begin, self.tasks, self.clock)

    def watch_sources(self) -> None:
        """Custom resources come and go; everything else is found out by `refresh`."""
        self.cache.on(CUSTOM_RESOURCE_DEFINITIONS, self._definitions_changed)

    def _definitions_changed(self, _old: Object | None, _new: Object | None) -> None:
        # A moment later, when the API server serves what the definition says.
        self.queue.add_after(REFRESH, REFRESH_DELAY_S)

    async def start(self) -> None:
        """Begin following everything; collecting starts once all of it was listed."""
        await self._world.start()
        self._beginning.poke()

    async def _begin(self) -> None:
        await self.refresh()
        await self._world.wait_synced()
        await super().start()
        if self.config.resources_period_s is not None:
            self.queue.add_after(REFRESH, self.config.resources_period_s)

    async def close(self) -> None:
        """Stop collecting, then following."""
        await self._beginning.close()
        await super().close()
        await self._world.close()

    async def refresh(self) -> None:
        """Follow what is served now, and nothing else."""
        wanted = followed_resources(list(self.config.resources()))
        for resource in self._world.resources:
            if resource not in wanted:
                await self._world.remove(resource)
                self.graph.forget(resource)
        for resource in wanted:
            if resource not in self._world.resources:
                self._follow(resource)

    def _follow(self, resource: Resource) -> None:
        def changed(old: Object | None, new: Object | None) -> None:
            for uid in self.graph.change(resource, old, new):
                self.queue.add(uid)

        self._world.on(resource, changed)

    async def sync(self, key: str) -> float | None:
        """Deal with one object, or with the set of resources."""
        if key == REFRESH:
            await self.refresh()
            return self.config.resources_period_s
        item = self.graph.get(key)
        if item is None:
            self._unobserved.pop(key, None)
            return None
        if item.waits(ORPHAN) or item.waits(FOREGROUND):
            if not all(self._world.synced(resource) for resource in self._world.resources):
                return UNSYNCED_RETRY_S  # there may be dependents nobody has seen yet
            if item.waits(ORPHAN):
                await self._orphan_dependents(item)
            else:
                await self._finish_foreground(item)
        elif item.owners and not is_deleting(item.obj) and self.graph.is_in_doubt(item):
            await self._judge(item)
            return self._look_again_in_s(item)
        return None

    def _look_again_in_s(self, item: Item) -> float | None:
        """When to ask again for owners that are there, but that no watch has shown yet.

        One that goes before its kind is followed (a definition was just made) would never be missed.
        Source: garbagecollector.go, attemptToDeleteItem, which tries unobserved owners again too.
        """
        if self.graph.get(item.uid) is None or all(
            self.graph.get(ref["uid"]) is not None or ref["uid"] in self._absent for ref in item.owners
        ):
            self._unobserved.pop(item.uid, None)
            return None
        tries = self._unobserved[item.uid] = self._unobserved.get(item.uid, 0) + 1
        return float(min(FIRST_LOOK_AGAIN_S * 2.0 ** min(tries - 1, 20), LONGEST_LOOK_AGAIN_S))

    async def _finish_foreground(self, item: Item) -> None:
        """Let the owner go when nothing blocks it, else send its dependents on their way."""
        blocking = [child for child in self.graph.dependents(item.uid) if item.is_blocked_by(child)]
        if not blocking:
            await self._remove_finalizer(item, FOREGROUND)
            return
        for child in blocking:
            if not is_deleting(child.obj):
                self.queue.add(child.uid)

    async def _orphan_dependents(self, item: Item) -> None:
        children = self.graph.dependents(item.uid)
        await asyncio.gather(*(self._cut_loose(child, {item.uid}) for child in children))
        await self._remove_finalizer(item, ORPHAN)

    async def _cut_loose(self, item: Item, owners: set[str]) -> None:
        """Take references to these owners off an object, as it is now."""
        latest = await self._read(item)
        if latest is None:
            return
        left = [ref for ref in owners_of(latest) if ref.get("uid") not in owners]
        if len(left) != len(owners_of(latest)):
            meta = {
                "uid": item.uid,
                "resourceVersion": revision_of(latest),
                "ownerReferences": left or None,
            }
            await self._patch(item, meta)

    async def _remove_finalizer(self, item: Item, finalizer: str) -> None:
        latest = await self._read(item)
        finalizers = metadata(latest or {}).get("finalizers") or []
        if latest is None or finalizer not in finalizers:
            return
        left = [name for name in finalizers if name != finalizer]
        meta = {"uid": item.uid, "resourceVersion": revision_of(latest), "finalizers": left or None}
        await self._patch(item, meta)

    async def _judge(self, item: Item) -> None:
        """Look the owners up and do what `judge` says."""
        latest = await self._read(item)
        if latest is None or is_deleting(latest):
            return
        owners = Owners()
        for ref in owners_of(latest):
            (await self._find_out(item, latest, ref, owners)).append(ref)
        children = self.graph.dependents(item.uid)
        verdict = judge(latest, owners, bool(children))
        if verdict.drop:
            await self._cut_loose(item, {ref["uid"] for ref in verdict.drop})
        if not verdict.propagation:
            return
        if owners.waiting and any(child.waits(FOREGROUND) for child in children):
            await self._unblock(item, latest)
        log.info(
            "deleting %s %s/%s (%s)", item.resource.plural, item.namespace, item.name, verdict.propagation
        )
        await self._delete(item, latest, verdict.propagation)

    async def _find_out(self, item: Item, obj: Object, ref: Reference, owners: Owners) -> list[Reference]:
        """The list of `owners` a reference belongs in."""
        known = self.graph.get(ref["uid"])
        if known is not None and known.namespace in ("", item.namespace):
            return owners.waiting if known.waits(FOREGROUND) else owners.solid
        if ref["uid"] in self._absent:
            return owners.gone
        resource = find_resource(list(self.config.resources()), ref["apiVersion"], ref["kind"])
        if resource is None:
            raise NotYet(
                f"{item.resource.plural} {item.name} is owned by {ref['kind']} of {ref['apiVersion']}, "
                "which is not served; it is kept until that is"
            )
        if resource.namespaced and not item.namespace:
            self._say_invalid_namespace(item, ref, obj)
            return owners.solid
        if await self._exists(resource, ref, item.namespace):
            return owners.solid
        if known is not None:
            self._say_invalid_namespace(item, ref, obj)
        else:
            self._remember_absent(ref["uid"])
        return owners.gone

    async def _exists(self, resource: Resource, ref: Reference, namespace: str) -> bool:
        try:
            found = await self.client.get(resource, ref["name"], namespace if resource.namespaced else "")
        except ApiError as error:
            if error.code == 404:
                return False
            raise
        return uid_of(found) == str(ref["uid"])

    def _say_invalid_namespace(self, item: Item, ref: Reference, obj: Object) -> None:
        about = {"kind": item.resource.kind, "apiVersion": item.resource.api_version, **obj}
        message = (
            f"ownerRef [{ref['apiVersion']}/{ref['kind']}, namespace: {item.namespace}, name: {ref['name']}, "
            f'uid: {ref["uid"]}] does not exist in namespace "{item.namespace}"'
        )
        self.events.event(about, WARNING, "OwnerRefInvalidNamespace", message)

    def _remember_absent(self, uid: str) -> None:
        self._absent[uid] = None
        if len(self._absent) > REMEMBERED_ABSENT:
            self._absent.popitem(last=False)

    async def _unblock(self, item: Item, latest: Object) -> None:
        """A circle of objects that wait for each other: stop blocking, or none would ever go."""
        refs = [{**ref, "blockOwnerDeletion": False} for ref in owners_of(latest)]
        await self._patch(item, {"uid": item.uid, "ownerReferences": refs})

    async def _read(self, item: Item) -> Object | None:
        """The object as it is now; None when it is gone or another one took its name."""
        try:
            found = await self.client.get(item.resource, item.name, item.namespace)
        except ApiError as error:
            if error.code == 404:
                return None
            raise
        return found if uid_of(found) == item.uid else None

    async def _patch(self, item: Item, meta: dict[str, Any]) -> None:
        try:
            await self.client.patch(item.resource, item.name, item.namespace, {"metadata": meta})
        except ApiError as error:
            if error.code != 404:
                raise

    async def _delete(self, item: Item, latest: Object, propagation: str) -> None:
        try:
            await self.client.delete(
                item.resource,
                name_of(latest),
                namespace_of(latest),
                uid=item.uid,
                propagation=propagation,
            )
        except ApiError as error:
            if error.code != 404:
                raise
