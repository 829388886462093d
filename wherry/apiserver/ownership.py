"""Who set which field: managedFields of writes, through the pure algorithms in `wherry.objects`."""

from __future__ import annotations

from wherry.api import schema
from wherry.api.resource import Resource
from wherry.apiserver.call import Call
from wherry.apiserver.core import Core
from wherry.apiserver.request import is_set
from wherry.objects.managed_fields import conflict_error, merge_apply, track_update
from wherry.objects.meta import Object
from wherry.objects.shape import Shape

MAX_MANAGER_CHARACTERS = 128


def shape_of(resource: Resource) -> Shape | None:
    """What is known of the kind's structure; None for a kind without a schema."""
    if resource.custom is not None:
        return resource.custom.shape
    return schema.definition(resource.schema) if resource.schema else None


def manager_of(call: Call) -> str:
    """The field manager: as asked for, else the program the User-Agent names."""
    manager = call.query.get("fieldManager")
    if manager:
        return manager
    agent = call.headers.get("user-agent", "").partition("/")[0]
    return agent[:MAX_MANAGER_CHARACTERS] or "unknown"


def track(core: Core, call: Call, resource: Resource, old: Object | None, new: Object) -> None:
    """Record in `new` that this call's manager set what differs from `old`."""
    managed = track_update(
        old,
        new,
        manager=manager_of(call),
        shape=shape_of(resource),
        api_version=resource.api_version,
        subresource=call.info.subresource,
        now=core.timestamp(),
    )
    if managed:
        new["metadata"]["managedFields"] = managed
    else:
        new["metadata"].pop("managedFields", None)


def apply(core: Core, call: Call, resource: Resource, live: Object | None, applied: Object) -> Object:
    """Server-side apply of `applied` on `live`. Raises ApiError (409) for conflicts not forced."""
    merged, conflicts = merge_apply(
        live,
        applied,
        manager=manager_of(call),
        force=is_set(call.query, "force"),
        shape=shape_of(resource),
        api_version=resource.api_version,
        subresource=call.info.subresource,
        now=core.timestamp(),
    )
    if conflicts:
        raise conflict_error(conflicts)
    return merged
