"""Who set which field: managedFields of writes, through the pure algorithms in `wherry.objects`."""

from __future__ import annotations

from wherry.api import schema
from wherry.api.catalog import BUILTIN, by_kind
from wherry.api.resource import Resource
from wherry.api.versions import between
from wherry.apiserver.call import Call
from wherry.apiserver.parts import Parts
from wherry.apiserver.request import is_set
from wherry.objects.managed_fields import Convert, conflict_error, merge_apply, track_update
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


def versions_of(core: Parts, resource: Resource) -> list[Resource]:
    """Every version of the kind there is, whether served (built-in kinds) or not."""
    if resource.custom is not None:
        return [
            other
            for other in core.registry.resources()
            if (other.group, other.plural) == (resource.group, resource.plural)
        ]
    return [other for other in BUILTIN if other.is_version_of(resource)]


def converter(core: Parts, resource: Resource) -> Convert:
    """Conversions between the versions of a kind, for field sets named in other versions.

    The versions of a custom kind are taken to have the same fields, also when a webhook converts them.
    """

    def convert(obj: Object, api_version: str) -> tuple[Object, Shape | None] | None:
        target = _version(core, resource, api_version)
        source = _version(core, resource, obj["apiVersion"])
        if target is None or source is None:
            return None
        return between(obj, source, target), shape_of(target)

    return convert


def _version(core: Parts, resource: Resource, api_version: str) -> Resource | None:
    if api_version == resource.api_version:
        return resource
    if resource.custom is not None:
        group, _, version = api_version.rpartition("/")
        served = core.registry.find(group, version, resource.plural) if group == resource.group else None
        return served.resource if served is not None else None
    found = by_kind(api_version, resource.kind)
    return found if found is not None and found.is_version_of(resource) else None


def track(
    core: Parts,
    call: Call,
    resource: Resource,
    old: Object | None,
    new: Object,
    resets: frozenset[str],
    now: str,
) -> None:
    """Record in `new` that this call's manager set what differs from `old`, but for the fields in `resets`.

    It comes before the strategy puts anything into the object: what that fills in has no owner.
    """
    managed = track_update(
        old,
        new,
        manager=manager_of(call),
        shape=shape_of(resource),
        api_version=resource.api_version,
        subresource=call.info.subresource,
        now=now,
        convert=converter(core, resource),
        resets=resets,
    )
    if managed:
        new["metadata"]["managedFields"] = managed
    else:
        new["metadata"].pop("managedFields", None)


def apply(
    core: Parts, call: Call, resource: Resource, live: Object | None, applied: Object, resets: frozenset[str]
) -> Object:
    """Server-side apply of `applied` on `live`; nobody comes to own the fields in `resets`.

    Raises ApiError (409) for conflicts not forced.
    """
    merged, conflicts = merge_apply(
        live,
        applied,
        manager=manager_of(call),
        force=is_set(call.query, "force"),
        shape=shape_of(resource),
        api_version=resource.api_version,
        subresource=call.info.subresource,
        now=core.timestamp(),
        convert=converter(core, resource),
        resets=resets,
    )
    if conflicts:
        raise conflict_error(conflicts)
    return merged
