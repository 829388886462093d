"""Stores all objects of a resource anew, in the version that is the storage version now.

A patch that says nothing but which object, in which version, changes nothing; the server stores it all the
same where it is stored in an older version. Upstream applies instead, which here would note an owner of the
fields of objects that have none. Source: pkg/controller/storageversionmigrator, KEP-4192.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any, ClassVar

from wherry.api.resource import Resource
from wherry.api.storagemigration.storage_version_migrations import STORAGE_VERSION_MIGRATIONS
from wherry.controllers.base import Controller
from wherry.controllers.garbage.collector import followed_resources
from wherry.kit.portions import Work, others
from wherry.objects.conditions import find_condition, is_true
from wherry.objects.errors import ApiError
from wherry.objects.meta import (
    Object,
    format_time,
    metadata,
    name_of,
    namespace_of,
    parse_time,
    revision_of,
    uid_of,
)

log = logging.getLogger(__name__)

SUCCEEDED, FAILED, RUNNING = "Succeeded", "Failed", "Running"
REASONS = {
    SUCCEEDED: "StorageVersionMigrationSucceeded",
    FAILED: "StorageVersionMigrationFailed",
    RUNNING: "StorageVersionMigrationInProgress",
}
NOT_SERVED_YET_S = 60.0
"""A resource may have been defined a moment ago: so long it is waited for."""
PAGE = 500


def with_condition(status: Object, kind: str, now: str, message: str = "") -> Object:
    """The status with a condition that is true; what came to an end runs no more."""
    conditions: list[Any] = list(status.get("conditions") or ())
    if is_true(conditions, kind):
        return status
    running = find_condition(conditions, RUNNING) if kind != RUNNING else None
    stopped = {**(running or {}), "status": "False", "lastTransitionTime": now}
    conditions = [stopped if condition is running else condition for condition in conditions]
    new = {"type": kind, "status": "True", "lastTransitionTime": now, "reason": REASONS[kind]}
    return {**status, "conditions": [*conditions, {**new, "message": message}]}


class StorageVersionMigrator(Controller):
    """Keys are the migrations' names."""

    name = "storage-version-migrator"
    account = "storage-version-migrator-controller"
    primary = STORAGE_VERSION_MIGRATIONS
    workers: ClassVar = 5

    async def sync(self, key: str) -> float | None:
        """Carry out one migration, unless it has come to its end."""
        migration = self.cache.get(STORAGE_VERSION_MIGRATIONS, key)
        if migration is None:
            return None
        status = migration.get("status") or {}
        if any(is_true(status.get("conditions"), kind) for kind in (SUCCEEDED, FAILED)):
            return None
        resource = self._find(migration)
        if resource is None:
            return await self._wait_or_fail(migration)
        migration = await self._with_version(migration, resource)
        migration = await self._say(migration, RUNNING)
        try:
            await self._migrate(resource)
        except ApiError as error:
            if error.code >= 500 or error.code in (410, 429):
                raise  # it begins anew: what is stored anew by then changes nothing
            log.warning("the migration %s failed: %s", key, error.message)
            await self._say(migration, FAILED, "migration encountered unhandled error")
            return None
        await self._say(migration, SUCCEEDED)
        return None

    def _find(self, migration: Object) -> Resource | None:
        """What is to be migrated, in any version that is served."""
        target = (migration.get("spec") or {}).get("resource") or {}
        wanted = (target.get("group") or "", target.get("resource") or "")
        served = followed_resources(list(self.config.resources()))
        found = (one for one in served if (one.group, one.plural) == wanted and "patch" in one.verbs)
        return next(found, None)

    async def _wait_or_fail(self, migration: Object) -> float | None:
        made = parse_time(metadata(migration)["creationTimestamp"])
        left_s = NOT_SERVED_YET_S - (self.clock.now() - made).total_seconds()
        if left_s > 0:
            return min(left_s, 5.0)
        migration = await self._with_version(migration, STORAGE_VERSION_MIGRATIONS)
        await self._say(migration, FAILED, "resource not found")
        return None

    async def _with_version(self, migration: Object, listed: Resource) -> Object:
        """The migration with the version its work begins at, without which no status is valid."""
        status = migration.get("status") or {}
        if status.get("resourceVersion"):
            return migration
        version = (await self.client.list(listed, limit=1)).resource_version
        return await self.write_status(migration, {**status, "resourceVersion": version})

    async def _say(self, migration: Object, kind: str, message: str = "") -> Object:
        status = with_condition(migration.get("status") or {}, kind, format_time(self.clock.now()), message)
        return await self.write_status(migration, status)

    async def _migrate(self, resource: Resource) -> None:
        """Store everything anew. Raises ApiError."""
        async for obj in self._objects(resource):
            same: Object = {"metadata": {"uid": uid_of(obj), "resourceVersion": revision_of(obj)}}
            try:
                await self.client.patch(resource, name_of(obj), namespace_of(obj), same)
            except ApiError as error:
                # One that was written or deleted meanwhile is stored in the new version, or not at all.
                if error.code not in (404, 409):
                    raise

    async def _objects(self, resource: Resource) -> AsyncIterator[Object]:
        following = ""
        while True:
            page = await self.client.list(resource, limit=PAGE, continue_token=following)
            for obj in page.items:
                yield obj
            following = page.continue_token
            if not following:
                return
            await others(Work.CONTROLLING)
