"""Who owns a dependent: adopting orphans a selector matches, releasing what it no longer does.

The rules are upstream's ControllerRefManager: an owner keeps what carries its controller reference
and matches; it releases what carries it and does not match; it adopts what matches and has no
controller; it never touches what another controller owns. A deleting owner only keeps. Of several owners
that may adopt an orphan the first that comes does (`adoptions`), the others pass it over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from wherry.api.resource import Resource
from wherry.client.cache import Cache
from wherry.controllers.base import Controller, Mapper
from wherry.objects.errors import ApiError, conflict
from wherry.objects.meta import (
    Object,
    controller_of,
    controller_ref,
    is_deleting,
    key_of,
    labels_of,
    metadata,
    name_of,
    namespace_of,
    owners_of,
    revision_of,
    uid_of,
)
from wherry.objects.selectors import Selector, from_label_selector, from_map

ORPHANS = "orphans"
"""The index of objects without a controller, by namespace."""
CLAIMANTS = "claimants"
"""The index of owners by one pair of label and value their selector demands (`claim_place`)."""
PASSED_OVER_S = 30.0
"""After so long an owner looks again whether the other, which was at it, has adopted an orphan."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What belongs to an owner: `kept` already does, `adopt` shall, `release` shall no longer."""

    kept: list[Object] = field(default_factory=list)
    adopt: list[Object] = field(default_factory=list)
    release: list[Object] = field(default_factory=list)


def anything(_: Object) -> bool:
    """Whatever the selector matches is the owner's."""
    return True


def plan_claims(
    owner: Object,
    selector: Selector,
    candidates: Iterable[Object],
    is_member: Callable[[Object], bool] = anything,
) -> Claims:
    """Sort objects of the owner's namespace by what is to become of them; strangers are left out.

    Beside matching the selector, an object has to be one `is_member` says yes to.
    """
    claims = Claims()
    for obj in candidates:
        ref = controller_of(obj)
        matches = selector.matches(labels_of(obj)) and is_member(obj)
        if ref is not None:
            if ref.get("uid") != uid_of(owner):
                continue
            if matches or is_deleting(owner):
                claims.kept.append(obj)
            else:
                claims.release.append(obj)
        elif matches and not is_deleting(owner) and not is_deleting(obj):
            claims.adopt.append(obj)
    return claims


def selector_of(workload: Object) -> Selector:
    """The selector of a ReplicaSet-like object, or of a ReplicationController (a plain map).

    Raises ValueError for one that makes no sense.
    """
    selector = workload["spec"].get("selector")
    if workload.get("kind") == "ReplicationController":
        return from_map(selector)
    return from_label_selector(selector)


def orphan_namespace(obj: Object) -> list[str]:
    """The `ORPHANS` index function."""
    return [] if controller_of(obj) is not None else [namespace_of(obj)]


def claim_place(owner: Object) -> list[str]:
    """The `CLAIMANTS` index function: what a selector demands no single value for stands under its namespace.

    Of a selector that nobody can read, or that selects everything, no orphan is told.
    """
    try:
        selector = selector_of(owner)
    except ValueError:
        return []  # its own sync reports that
    if not selector.requirements:
        return []
    pair = min(selector.exact, default=None)
    return [f"{namespace_of(owner)}/{'='.join(pair) if pair is not None else ''}"]


def index_claims(controller: Controller, *dependents: Resource) -> None:
    """Index what `candidates_for` and the mapper `owner_key` ask for."""
    controller.cache.add_index(controller.primary, CLAIMANTS, claim_place)
    for resource in dependents:
        controller.cache.add_index(resource, ORPHANS, orphan_namespace)


def candidates_for(cache: Cache, resource: Resource, owner: Object) -> list[Object]:
    """The objects an owner may claim: its own and its namespace's orphans (needs the index)."""
    return [
        *cache.owned(resource, uid_of(owner), namespace_of(owner)),
        *cache.by_index(resource, ORPHANS, namespace_of(owner)),
    ]


async def claim(
    controller: Controller,
    owner: Object,
    resource: Resource,
    selector: Selector,
    candidates: Sequence[Object],
    is_member: Callable[[Object], bool] = anything,
    *,
    finalizer: str = "",
) -> list[Object]:
    """Adopt and release as `plan_claims` says; what belongs to the owner now.

    What is adopted gets `finalizer`, what is released loses it. Objects that are gone by then, and orphans
    another owner is adopting, are passed over. The owner's key rests by how many candidates were looked at.
    Raises ApiError.
    """
    claims = plan_claims(owner, selector, candidates, is_member)
    key = key_of(owner)
    controller.rests.note(key, len(candidates))
    owned = [*claims.kept, *await _adopt(controller, owner, resource, claims.adopt, finalizer)]
    for stranger in claims.release:
        refs = [ref for ref in owners_of(stranger) if ref.get("uid") != uid_of(owner)]
        await _patch_owners(controller, key, resource, stranger, refs, _without(finalizer, stranger))
    return owned


async def _adopt(
    controller: Controller, owner: Object, resource: Resource, orphans: Sequence[Object], finalizer: str
) -> list[Object]:
    """What was adopted of the orphans nobody else is adopting. Raises ApiError."""
    adoptions, key, kind = controller.adoptions, key_of(owner), controller.primary
    taken = [orphan for orphan in orphans if adoptions.take(resource, orphan)]
    if len(taken) < len(orphans):
        controller.queue.add_after(key, PASSED_OVER_S)
    adopted: list[Object] = []
    left = iter(taken)
    try:
        if taken:
            await _check_may_adopt(controller, owner)
        for orphan in left:
            refs = [*owners_of(orphan), controller_ref(owner, kind.api_version, kind.kind)]
            try:
                done = await _patch_owners(controller, key, resource, orphan, refs, _with(finalizer, orphan))
            except BaseException:
                adoptions.give_back(resource, orphan)
                raise
            if done is not None:
                adopted.append(done)
    finally:
        for orphan in left:
            adoptions.give_back(resource, orphan)
    return adopted


async def _check_may_adopt(controller: Controller, owner: Object) -> None:
    """Ask the server itself whether the owner still lives: adopting for a dead one would kill."""
    fresh = await controller.client.get(controller.primary, name_of(owner), namespace_of(owner))
    if uid_of(fresh) != uid_of(owner) or is_deleting(fresh):
        why = f"it was deleted or replaced (uid {uid_of(owner)}), so it cannot adopt"
        raise conflict(controller.primary.plural, controller.primary.group, name_of(owner), why)


def _with(finalizer: str, obj: Object) -> Object:
    present = metadata(obj).get("finalizers") or []
    return {"finalizers": [*present, finalizer]} if finalizer and finalizer not in present else {}


def _without(finalizer: str, obj: Object) -> Object:
    present = metadata(obj).get("finalizers") or []
    return {"finalizers": [f for f in present if f != finalizer] or None} if finalizer in present else {}


async def _patch_owners(
    controller: Controller,
    key: str,
    resource: Resource,
    obj: Object,
    refs: list[dict[str, Any]],
    finalizers: Object,
) -> Object | None:
    # A merge patch replaces the whole list, so it must be based on the version it was made from.
    meta = {"ownerReferences": refs or None, "resourceVersion": revision_of(obj), **finalizers}
    patch: Object = {"metadata": meta}
    try:
        return await controller.patch(key, resource, obj, patch)
    except ApiError as error:
        if error.code == 404:
            return None
        raise


def owner_key(owner: Resource) -> Mapper:
    """The mapper of dependents: to their controller, and of an orphan to whoever may adopt it."""

    def keys(cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        found = {key for obj in (old, new) if obj is not None and (key := _controller_key(owner, obj))}
        if new is not None and controller_of(new) is None and not is_deleting(new):
            changed = old is None or labels_of(old) != labels_of(new) or controller_of(old) is not None
            if changed:
                found.update(matching_owners(cache, owner, new))
        return found

    return keys


def _controller_key(owner: Resource, obj: Object) -> str:
    ref = controller_of(obj)
    if ref is None or ref.get("kind") != owner.kind:
        return ""
    group = ref.get("apiVersion", "").rpartition("/")[0]
    return f"{namespace_of(obj)}/{ref['name']}" if group == owner.group else ""


def matching_owners(cache: Cache, owner: Resource, obj: Object) -> list[str]:
    """The keys of the owners in the object's namespace whose selector matches it (needs the index)."""
    labels, namespace = labels_of(obj), namespace_of(obj)
    places = (f"{namespace}/", *(f"{namespace}/{'='.join(pair)}" for pair in labels.items()))
    return [
        key_of(candidate)
        for place in places
        for candidate in cache.by_index(owner, CLAIMANTS, place)
        if selector_of(candidate).matches(labels)
    ]
