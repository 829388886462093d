"""Deleting a definition deletes its objects first, then lets the definition go: `clean_up`."""

from __future__ import annotations

import asyncio
import logging

from wherry.api.apiextensions.custom_resource_definitions import (
    CLEANUP_FINALIZER,
    CUSTOM_RESOURCE_DEFINITIONS,
)
from wherry.api.resource import Resource
from wherry.apiserver.core import Core
from wherry.apiserver.registry import Served
from wherry.client.api import Client
from wherry.objects.conditions import with_condition
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, is_deleting, name_of, namespace_of
from wherry.store.base import KeyMissing, RevisionMismatch

log = logging.getLogger(__name__)

RETRY_S = 5.0


async def clean_up(core: Core, client: Client, name: str) -> None:
    """Delete every object of the definition called `name`, wait until all are gone, release it."""
    while True:
        try:
            crd = await client.get(CUSTOM_RESOURCE_DEFINITIONS, name)
            crd = await _tell(core, client, crd, "True", "InstanceDeletionInProgress", IN_PROGRESS)
            await _delete_all(core, client, crd)
            crd = await client.get(CUSTOM_RESOURCE_DEFINITIONS, name)
            crd = await _tell(core, client, crd, "False", "InstanceDeletionCompleted", COMPLETED)
            await _release(client, crd)
        except ApiError as error:
            if error.code == 404:
                return
            if error.code == 409:
                continue
            log.warning("deleting the objects of %s: %s", name, error.message)
            await core.clock.sleep(RETRY_S)
        except Exception:  # the definition would never go
            log.exception("deleting the objects of %s", name)
            await core.clock.sleep(RETRY_S)
        else:
            return


IN_PROGRESS = "CustomResource deletion is in progress"
COMPLETED = "removed all instances"


async def _tell(core: Core, client: Client, crd: Object, status: str, reason: str, message: str) -> Object:
    present = crd.get("status") or {}
    conditions = with_condition(
        present.get("conditions"), "Terminating", status, core.timestamp(), reason, message
    )
    if conditions == present.get("conditions"):
        return crd
    changed = {**crd, "status": {**present, "conditions": conditions}}
    return await client.update_status(CUSTOM_RESOURCE_DEFINITIONS, changed)


async def _release(client: Client, crd: Object) -> None:
    kept = [item for item in crd["metadata"].get("finalizers") or () if item != CLEANUP_FINALIZER]
    await client.update(
        CUSTOM_RESOURCE_DEFINITIONS, {**crd, "metadata": {**crd["metadata"], "finalizers": kept}}
    )


async def _delete_all(core: Core, client: Client, crd: Object) -> None:
    group, plural = crd["spec"]["group"], crd["spec"]["names"]["plural"]
    if core.registry.has_built_in(group, plural):
        return  # the definition was never served; what is stored under its name is not its own
    while True:
        served = next(
            (
                found
                for version in crd["spec"]["versions"]
                if (found := core.registry.find(group, version["name"], plural)) is not None
            ),
            None,
        )
        if served is None:
            await _drop(core, f"/registry/{group}/{plural}/")
            return
        await served.source.open()
        if await _delete_served(client, served):
            return


async def _delete_served(client: Client, served: Served) -> bool:
    """Delete what is there and wait for the end; False when the kind came to be served anew meanwhile."""
    resource, cacher = served.resource, served.cacher
    changed, ended = asyncio.Event(), asyncio.Event()

    def end() -> None:
        ended.set()
        changed.set()

    watch = cacher.watch("", cacher.revision, None, lambda _: changed.set(), ended=end)
    try:
        for cached in cacher.list()[0]:
            obj = cached.decode()
            if not is_deleting(obj):
                await _delete(client, resource, obj)
        while len(cacher) and not ended.is_set():
            await changed.wait()
            changed.clear()
        return not ended.is_set()
    finally:
        watch.close()


async def _delete(client: Client, resource: Resource, obj: Object) -> None:
    try:
        await client.delete(resource, name_of(obj), namespace_of(obj))
    except ApiError as error:
        if error.code != 404:
            raise


async def _drop(core: Core, prefix: str) -> None:
    """Objects of a kind nobody serves go straight from the store."""
    page = await core.store.list(prefix)
    for entry in page.entries:
        try:
            await core.store.delete(entry.key, expected=entry.revision)
        except (KeyMissing, RevisionMismatch):
            continue
