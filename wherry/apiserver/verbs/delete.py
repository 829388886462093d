"""DELETE: at once, after a grace period, or once the last finalizer is gone.

`plan_deletion` decides purely; the verb only carries its plan out, and starts over when the object
was written in between.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from wherry.api.resource import Resource, Strategy
from wherry.apiserver.admission.base import DELETE, Attributes
from wherry.apiserver.beside import beside
from wherry.apiserver.body import read_options
from wherry.apiserver.cacher import Cached
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.options import DeleteOptions, delete_options
from wherry.apiserver.registry import Served
from wherry.apiserver.rewrite import remove, rewrite, swap
from wherry.apiserver.verbs.delete_unreadable import delete_unreadable
from wherry.apiserver.verbs.write import finalizers_of
from wherry.objects.errors import conflict
from wherry.objects.meta import Object, format_time, parse_time

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
RETURNS_DELETED = frozenset(
    {
        "pods",
        "podtemplates",
        "persistentvolumes",
        "persistentvolumeclaims",
        "resourcequotas",
        "serviceaccounts",
        "services",
        "csidrivers",
        "csinodes",
        "storageclasses",
        "volumeattachments",
        "volumeattributesclasses",
        "deviceclasses",
        "devicetaintrules",
        "resourceclaims",
        "resourceclaimtemplates",
        "resourceslices",
    }
)


def returns_deleted(resource: Resource) -> bool:
    """Whether a deletion answers with the object instead of a Status."""
    return resource.plural in RETURNS_DELETED and resource.custom is None


class Plan(NamedTuple):
    """What to do: `removes` the object, or write `changed`, or (neither) leave it as it is."""

    removes: bool
    changed: Object | None = None


async def delete(core: Core, call: Call, served: Served) -> Outcome:
    """Delete the object; its last state, or a Status of success. Raises ApiError (404, 409, 422)."""
    options = delete_options(call.query, read_options(call))
    if options.ignores_read_error:
        return await delete_unreadable(core, call, served, options)
    return await delete_object(core, call, served, call.info.name, options)


async def delete_object(
    core: Core, call: Call, served: Served, name: str, options: DeleteOptions, *, is_admitted: bool = False
) -> Outcome:
    """Delete the object called `name` in the call's namespace. Raises ApiError.

    `is_admitted` tells that whatever deletes it was admitted already, as an eviction is.
    """
    resource = served.resource

    async def attempt(cached: Cached) -> Outcome:
        call.stored_bytes = cached.served_bytes
        old = await beside(core, call, lambda: served.decode(cached))
        check_preconditions(served, cached, old, options)
        if not is_admitted:
            await _admit(core, call, served, cached, old, options)
        plan = await beside(
            core,
            call,
            lambda: plan_deletion(served.decode(cached), options, resource.strategy, core.now()),
        )
        if plan.removes:
            revision = cached.revision if options.dry_run else await remove(core, served, cached)
            return _gone(served, old, revision)
        if plan.changed is None:
            return Outcome(obj=old)
        if not options.dry_run:
            await swap(core, served, cached, plan.changed, is_mark=True)
        return Outcome(obj=plan.changed, status=202 if options.orphan_dependents is False else 200)

    return await rewrite(served, call.info.namespace, name, attempt)


def check_preconditions(served: Served, cached: Cached, obj: Object, options: DeleteOptions) -> None:
    """Raise ApiError (409) when the object is not the one the client means."""
    resource = served.resource
    uid = obj["metadata"].get("uid", "")
    if options.uid and options.uid != uid:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({uid}). "
            "The object might have been deleted and then recreated"
        )
        raise conflict(resource.kind, resource.group, cached.name, why)
    if options.resource_version and options.resource_version != str(cached.revision):
        why = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match "
            f"the ResourceVersion in record ({cached.revision}). The object might have been modified"
        )
        raise conflict(resource.kind, resource.group, cached.name, why)


async def _admit(
    core: Core, call: Call, served: Served, cached: Cached, old: Object, options: DeleteOptions
) -> None:
    attributes = Attributes.of(core, call, served, DELETE, None, old, cached=cached, subresource="")
    attributes.dry_run, attributes.deletion = options.dry_run, options
    await core.admission.admit(attributes)
    await core.admission.validate(attributes)


def plan_deletion(obj: Object, options: DeleteOptions, strategy: Strategy, now: datetime) -> Plan:
    """What deleting `obj` (private, may be changed) with `options` comes to."""
    meta = obj["metadata"]
    grace_s = strategy.grace_period_s(obj, options.grace_period_s)
    was_deleting = bool(meta.get("deletionTimestamp"))
    if not was_deleting:
        strategy.prepare_deletion(obj, format_time(now))
    changed = _set_dependents_finalizer(meta, options.propagation or _default_propagation(meta, strategy))
    if was_deleting:
        left_s = meta.get("deletionGracePeriodSeconds") or 0
        if left_s and (options.grace_period_s is None or grace_s >= left_s):
            return Plan(False, obj if changed else None)
        if left_s:
            asked_at = parse_time(meta["deletionTimestamp"]) - timedelta(seconds=left_s)
            meta["deletionTimestamp"] = format_time(max(_after(asked_at, grace_s), now))
            meta["deletionGracePeriodSeconds"] = grace_s
            changed = True
            if grace_s:
                return Plan(False, obj)
        if not finalizers_of(obj):
            return Plan(True)
        return Plan(False, obj if changed else None)
    if not grace_s and not finalizers_of(obj):
        return Plan(True)
    meta["deletionTimestamp"] = format_time(_after(now, grace_s))
    meta["deletionGracePeriodSeconds"] = grace_s
    if meta.get("generation"):
        meta["generation"] += 1
    if obj.get("kind") == "Namespace":
        meta.pop("deletionGracePeriodSeconds")
        obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
    return Plan(False, obj)


def _after(moment: datetime, seconds: int) -> datetime:
    """`moment` and so many seconds; for a patience beyond all calendars the last moment there is."""
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=moment.tzinfo)


def _default_propagation(meta: Object, strategy: Strategy) -> str:
    """What becomes of dependents when neither the client nor a finalizer says so, "" for the usual."""
    said = {ORPHAN, FOREGROUND} & set(meta.get("finalizers") or ())
    return "Orphan" if strategy.orphans_by_default and not said else ""


def _set_dependents_finalizer(meta: Object, propagation: str) -> bool:
    """Make the finalizers say what becomes of dependents; whether that changed anything."""
    if not propagation:
        return False
    before = list(meta.get("finalizers") or ())
    after = [item for item in before if item not in (ORPHAN, FOREGROUND)]
    if propagation == "Orphan":
        after.append(ORPHAN)
    elif propagation == "Foreground":
        after.append(FOREGROUND)
    if sorted(after) == sorted(before):
        return False
    if after:
        meta["finalizers"] = after
    else:
        meta.pop("finalizers", None)
    return True


def _gone(served: Served, old: Object, revision: int) -> Outcome:
    resource = served.resource
    if returns_deleted(resource):
        old["metadata"]["resourceVersion"] = str(revision)
        return Outcome(obj=old)
    details = {
        "name": old["metadata"]["name"],
        "kind": resource.plural,
        "uid": old["metadata"].get("uid", ""),
    }
    if resource.group:
        details["group"] = resource.group
    return Outcome(
        obj={"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
    )
